"""The layers of a Slicer segmentation as a `Labelmap`: placed, mapped to our values, and merged."""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

from ..core.errors import SegmentationAIError
from ..core.labelmap import Label, Labelmap
from ..core.volume import Affine, Box, Grid
from .label_voxels import mapped_voxels
from .layer_placement import PlacedLayer, placed_layer
from .placement import affine_from_matrix, matrix_from_affine
from .segment_metadata import label_from_segment, label_value_of
from .vtk_voxels import voxels_from_image

BINARY_LABELMAP: Final = "Binary labelmap"

# Segment ID to the segment and the label value that it is known by.
_Group = dict[str, tuple[slicer.vtkSegment, int]]
_NOWHERE: Final = Box((0, 0, 0), (0, 0, 0))


@dataclass(eq=False)
class _Layer:
    """A layer of the labelmap while it is put together."""

    voxels: NDArray[np.unsignedinteger[Any]]
    values: set[int] = field(default_factory=set)


def labelmap_of_segmentation(
    segmentation: slicer.vtkSegmentation,
    world_from_segmentation: Affine,
    grid: Grid,
    resample: bool,
) -> Labelmap:
    """Return the segments as a labelmap on ``grid``; see `segmentation_node.labelmap_from_node`.

    Args:
        segmentation: Not changed.
        world_from_segmentation: The segmentation's parent transforms, ``(4, 4)``.
        grid: Grid of the volume, parent transforms applied.
        resample: Whether segments of another geometry are resampled.

    Raises:
        GeometryError: Segments lie on other voxels and ``resample`` is False.
        SegmentationAIError: A segment's voxels are not integers.
    """
    notes: list[str] = []
    with_voxels = _with_voxels(segmentation, world_from_segmentation, grid, notes)
    layers: list[_Layer] = []
    labels: dict[str, Label] = {}
    for image, identifiers in segments_by_image(with_voxels, BINARY_LABELMAP):
        placed = _placed(image, identifiers, world_from_segmentation, grid, resample)
        if placed.voxels_outside:
            notes.append(
                f"{placed.voxels_outside} voxels of {_names(identifiers)} lie outside the volume "
                "and were left out."
            )
        for group in _without_equal_values(with_voxels, identifiers):
            layer = _merged(layers, placed, group, grid)
            for identifier, (segment, value) in group.items():
                labels[identifier] = label_from_segment(segment, identifier, value, layer)
    voxels = tuple(layer.voxels for layer in layers) or (np.zeros(grid.shape, np.uint8, order="F"),)
    in_order = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]
    return Labelmap(voxels, tuple(labels[i] for i in in_order), grid.affine, tuple(notes))


def segments_by_image(
    segmentation: slicer.vtkSegmentation, representation: str
) -> list[tuple[slicer.vtkOrientedImageData | None, list[str]]]:
    """Return each image once with the IDs of the segments that share it, in segment order.

    Args:
        segmentation: Not changed.
        representation: Name of the representation that holds the images; segments without it come
            with None.
    """
    images: dict[Any, list[str]] = {}
    for index in range(segmentation.GetNumberOfSegments()):
        identifier = segmentation.GetNthSegmentID(index)
        image = segmentation.GetSegment(identifier).GetRepresentation(representation)
        images.setdefault(image, []).append(identifier)
    return list(images.items())


def _with_voxels(
    segmentation: slicer.vtkSegmentation,
    world_from_segmentation: Affine,
    grid: Grid,
    notes: list[str],
) -> slicer.vtkSegmentation:
    """Return the segmentation, or a copy with voxels on ``grid`` when it has surfaces alone."""
    if segmentation.GetNumberOfSegments() == 0 or segmentation.ContainsRepresentation(
        BINARY_LABELMAP
    ):
        return segmentation
    reference = slicer.vtkOrientedImageData()
    reference.SetDimensions(*grid.shape)
    local = np.linalg.solve(world_from_segmentation, grid.affine).astype(np.float64)
    reference.SetImageToWorldMatrix(matrix_from_affine(local))
    converter = slicer.vtkSegmentationConverter
    copy = slicer.vtkSegmentation()
    copy.DeepCopy(segmentation)
    copy.SetConversionParameter(
        converter.GetReferenceImageGeometryParameterName(),
        converter.SerializeImageGeometry(reference),
    )
    if not copy.CreateRepresentation(BINARY_LABELMAP):
        raise SegmentationAIError(
            "The segments have no voxels, and Slicer could not make them from their "
            f"{segmentation.GetSourceRepresentationName()}; check the surfaces in Slicer."
        )
    notes.append("The segments were surfaces; their voxels were made by Slicer's conversion.")
    return copy


def _placed(
    image: slicer.vtkOrientedImageData | None,
    identifiers: list[str],
    world_from_segmentation: Affine,
    grid: Grid,
    resample: bool,
) -> PlacedLayer:
    """Return one image on the grid; an empty or absent one covers no voxel."""
    if image is None or image.GetNumberOfPoints() < 1:
        return PlacedLayer(np.zeros((0, 0, 0), np.uint8), _NOWHERE, 0)
    voxels = voxels_from_image(image)[0]
    if voxels.dtype.kind not in "iu":
        raise SegmentationAIError(
            f"The voxels of {_names(identifiers)} are {voxels.dtype} numbers; labels are integers: "
            "convert the segments to a binary labelmap in Slicer."
        )
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    affine = world_from_segmentation @ affine_from_matrix(matrix)
    # The matrix is that of voxel (0, 0, 0); a cropped image begins elsewhere.
    affine[:3, 3] += affine[:3, :3] @ image.GetExtent()[::2]
    layer = Grid(voxels.shape, affine)
    return placed_layer(voxels, layer, grid, _names(identifiers), resample)


def _without_equal_values(
    segmentation: slicer.vtkSegmentation, identifiers: list[str]
) -> list[_Group]:
    """Return the segments of one image in groups within which label values differ.

    They differ within one image of Slicer; but the values that we know segments by may not, when
    Slicer has merged two layers, or when a person has duplicated a segment. Each keeps its value;
    it is the layer that gives way.
    """
    groups: list[_Group] = []
    for identifier in identifiers:
        segment = segmentation.GetSegment(identifier)
        value = label_value_of(segment)
        for group in groups:
            if all(
                value != other_value and segment.GetLabelValue() != other.GetLabelValue()
                for other, other_value in group.values()
            ):
                group[identifier] = (segment, value)
                break
        else:
            groups.append({identifier: (segment, value)})
    return groups


def _merged(layers: list[_Layer], placed: PlacedLayer, group: _Group, grid: Grid) -> int:
    """Write a group of segments into the first layer with room for it; return its index."""
    values = {value for _, value in group.values()}
    mapped = mapped_voxels(
        placed.voxels, {segment.GetLabelValue(): value for segment, value in group.values()}
    )
    if mapped.shape == grid.shape and not layers:
        layers.append(_Layer(mapped, values))
        return 0
    inside = mapped != 0
    for index, layer in enumerate(layers):
        there = layer.voxels[placed.box.slices]
        if not values & layer.values and not (inside & (there != 0)).any():
            _write(layer, placed, mapped, inside)
            layer.values |= values
            return index
    layers.append(_Layer(np.zeros(grid.shape, mapped.dtype, order="F"), values))
    _write(layers[-1], placed, mapped, inside)
    return len(layers) - 1


def _write(
    layer: _Layer,
    placed: PlacedLayer,
    mapped: NDArray[np.unsignedinteger[Any]],
    inside: NDArray[np.bool_],
) -> None:
    """Write the mapped voxels where they are labels; widen the layer when values need it."""
    if mapped.dtype.itemsize > layer.voxels.dtype.itemsize:
        layer.voxels = layer.voxels.astype(mapped.dtype, order="F")
    layer.voxels[placed.box.slices][inside] = mapped[inside]


def _names(identifiers: list[str]) -> str:
    """Return segment IDs for a sentence, three at most."""
    shown = ", ".join(f"'{identifier}'" for identifier in identifiers[:3])
    more = len(identifiers) - 3
    return shown + (f" and {more} more" if more > 0 else "")
