"""Agreement of two label arrays: overlap, volumes, distances between surfaces.

Two conventions say what a surface is. ``voxel``, as MONAI counts: the voxels of a label that share
a face with another label or with the outside of the array, each counting the same. ``area``, as
DeepMind's surface-distance (Nikolov et al., "Clinically applicable segmentation of head and neck
anatomy for radiotherapy", Journal of Medical Internet Research 23(7):e26151, 2021,
doi:10.2196/26151): the corners between voxels where a surface passes, weighted by its area there.
"""

import importlib
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .errors import GeometryError
from .label_boxes import Slices, label_boxes

Border = Literal["voxel", "area"]
Integers = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]
Spacing = tuple[float, float, float]

PERCENTILE = 95.0
# Distances are float32 sums of squares; a distance that is the tolerance must not miss it by that.
ROUNDING = 1e-5

# A search tree takes about 1 us per surface element, a distance transform 30 ns per voxel of the
# box (measured on spheres of 6 to 45 voxels radius, moved by 2): the tree wins below this share.
TREE_SHARE = 0.03

edt = importlib.import_module("edt") if importlib.util.find_spec("edt") else None


@dataclass(frozen=True)
class Scores:
    """Agreement on one label; None where it has no meaning.

    A label absent from both arrays has None everywhere; one absent from one of them has ``dice``
    and ``surface_dice`` 0, both volumes, and no distances.

    Attributes:
        dice: Twice the common volume over the sum of both, 0 to 1.
        hd95_mm: The larger of the two directed 95th percentiles of surface distances.
        surface_dice: Share of both surfaces that lies within the tolerance of the other, 0 to 1.
        mean_surface_distance_mm: Over the surfaces of both.
        reference_ml: Volume in the reference.
        prediction_ml: Volume in the prediction.
    """

    dice: float | None = None
    hd95_mm: float | None = None
    surface_dice: float | None = None
    mean_surface_distance_mm: float | None = None
    reference_ml: float | None = None
    prediction_ml: float | None = None


def compare(
    reference: Integers,
    prediction: Integers,
    spacing: Spacing,
    label_values: Iterable[int],
    tolerance_mm: float = 2.0,
    border: Border = "voxel",
) -> dict[int, Scores]:
    """Return the scores of each label value; background (0) is left out.

    Args:
        reference: ``(I, J, K)`` integers or bool.
        prediction: The same, on the same grid.
        spacing: Of the voxels, mm.
        label_values: Labels to score, also those that occur in neither array.
        tolerance_mm: Distance up to which surfaces agree.
        border: Convention for surfaces, see above.

    Raises:
        GeometryError: The arrays differ in shape, or are not three-dimensional.
        ValueError: Not integers, or a spacing, tolerance or border that cannot be.
    """
    if reference.shape != prediction.shape or reference.ndim != 3:
        raise GeometryError(
            f"The reference has {reference.shape} voxels and the prediction {prediction.shape}; "
            "both have to lie on one grid (i, j, k)."
        )
    if reference.dtype.kind not in "iub" or prediction.dtype.kind not in "iub":
        raise ValueError(f"labels of {reference.dtype} and {prediction.dtype} are no integers")
    if border not in ("voxel", "area") or not tolerance_mm >= 0 or not min(spacing) > 0:
        raise ValueError(f"border {border!r}, tolerance {tolerance_mm} mm, spacing {spacing} mm")
    pair = tuple(a.view(np.uint8) if a.dtype == np.bool_ else a for a in (reference, prediction))
    boxes = label_boxes(pair[0]), label_boxes(pair[1])
    scores = {}
    for value in label_values:
        if value == 0:
            continue
        both = [found[value] for found in boxes if value in found]
        if not both:
            scores[value] = Scores()
            continue
        box = _union(both)
        masks = pair[0][box] == value, pair[1][box] == value
        scores[value] = _scores(*masks, spacing, tolerance_mm, border)
    return scores


def _union(boxes: list[Slices]) -> Slices:
    i, j, k = (
        slice(min(one.start for one in axis), max(one.stop for one in axis))
        for axis in zip(*boxes, strict=True)
    )
    return i, j, k


def _scores(
    reference: Mask, prediction: Mask, spacing: Spacing, tolerance_mm: float, border: Border
) -> Scores:
    """Return the scores of one label within the box around both of its masks."""
    sizes = int(np.count_nonzero(reference)), int(np.count_nonzero(prediction))
    ml = float(np.prod(spacing)) / 1000
    volumes = sizes[0] * ml, sizes[1] * ml
    if not all(sizes):
        return Scores(0.0, None, 0.0, None, *volumes)
    dice = 2 * int(np.count_nonzero(reference & prediction)) / sum(sizes)
    surfaces = [_surface(mask, spacing, border) for mask in (reference, prediction)]
    there = _distances(surfaces[0], surfaces[1], spacing)
    back = _distances(surfaces[1], surfaces[0], spacing)
    weights = surfaces[0].weights, surfaces[1].weights
    reach = tolerance_mm * (1 + ROUNDING)
    within = sum(float(w[d <= reach].sum()) for d, w in zip((there, back), weights, strict=True))
    total = float(weights[0].sum()) + float(weights[1].sum())
    mean = (float(there @ weights[0]) + float(back @ weights[1])) / total
    percentile = _percentile if border == "voxel" else _percentile_by_area
    hd95 = max(percentile(d, w) for d, w in zip((there, back), weights, strict=True))
    return Scores(dice, hd95, within / total, mean, *volumes)


@dataclass(frozen=True, eq=False)
class _Surface:
    """Where a surface lies, and what each of its elements counts.

    Attributes:
        elements: Bool array, of the box's voxels or of the corners between them.
        weights: ``(n,)`` float64, in the order of the elements.
    """

    elements: Mask
    weights: NDArray[np.float64]


def _surface(mask: Mask, spacing: Spacing, border: Border) -> _Surface:
    # The rim is background: voxels at the edge of the array are part of the surface.
    padded = np.pad(mask, 1)
    if border == "area":
        codes = _neighborhoods(padded)
        elements = (codes != 0) & (codes != 255)
        return _Surface(elements, _areas(spacing)[codes[elements]])
    inner = padded[1:-1, 1:-1, 1:-1].copy()
    for neighbor in (slice(0, -2), slice(2, None)):
        inner &= padded[neighbor, 1:-1, 1:-1]
        inner &= padded[1:-1, neighbor, 1:-1]
        inner &= padded[1:-1, 1:-1, neighbor]
    elements = mask & ~inner
    return _Surface(elements, np.ones(int(np.count_nonzero(elements))))


def _neighborhoods(padded: Mask) -> NDArray[np.uint8]:
    """Return for each corner between voxels the bits of the eight voxels around it."""
    bits = padded.view(np.uint8)
    bits = 2 * bits[:, :, :-1] + bits[:, :, 1:]
    bits = 4 * bits[:, :-1] + bits[:, 1:]
    codes: NDArray[np.uint8] = 16 * bits[:-1] + bits[1:]
    return codes


def _areas(spacing: Spacing) -> NDArray[np.float64]:
    """Return the surface area, mm2, of each of the 256 neighborhoods of a corner."""
    # The triangles of marching cubes, from MONAI's table; imported here since it takes seconds.
    from monai.metrics.utils import create_table_neighbour_code_to_surface_area

    table, _ = create_table_neighbour_code_to_surface_area(spacing)
    return np.asarray(table, np.float64)


def _distances(start: _Surface, end: _Surface, spacing: Spacing) -> NDArray[np.float64]:
    """Return the distance, mm, from each element of ``start`` to the nearest of ``end``."""
    if start.weights.size + end.weights.size > start.elements.size * TREE_SHARE:
        if edt is None:
            field = ndi.distance_transform_edt(~end.elements, sampling=spacing)
        else:
            field = edt.edt((~end.elements).view(np.uint8), anisotropy=spacing, parallel=1)
        return np.asarray(field[start.elements], np.float64)
    distances = np.zeros(start.weights.size)
    # Elements that both surfaces share are at distance 0, and need no search.
    apart = ~end.elements[start.elements]
    tree = cKDTree(_places(end.elements, spacing), balanced_tree=False, compact_nodes=False)
    distances[apart], _ = tree.query(_places(start.elements, spacing)[apart])
    return distances


def _places(elements: Mask, spacing: Spacing) -> NDArray[np.float64]:
    places: NDArray[np.float64] = np.argwhere(elements) * np.asarray(spacing)
    return places


def _percentile(distances: NDArray[np.float64], _: NDArray[np.float64]) -> float:
    return float(np.percentile(distances, PERCENTILE))


def _percentile_by_area(distances: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the distance that 95 % of the area does not pass, without interpolation."""
    order = np.argsort(distances, kind="stable")
    share = np.cumsum(weights[order]) / weights.sum()
    place = min(int(np.searchsorted(share, PERCENTILE / 100)), len(order) - 1)
    return float(distances[order[place]])
