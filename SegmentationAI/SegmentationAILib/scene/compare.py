"""Two segmentations of one scan: how far they agree, and where they differ.

By numpy alone. Surface distances need a distance transform and are left to the worker.
"""

from dataclasses import dataclass

import numpy as np
import slicer

from ..core.errors import SegmentationAIError
from ..core.labelmap import Label, Labelmap
from ..core.mask_history import Mask
from ..core.progress import IGNORE, Progress
from ..core.volume import Affine
from .segmentation_node import labelmap_from_node, node_from_labelmap
from .translation import tr as _

LOST_COLOR, GAINED_COLOR = (0.85, 0.37, 0.01), (0.12, 0.47, 0.71)


@dataclass(frozen=True)
class Agreement:
    """How far two segments of one name agree.

    Attributes:
        name: Of both.
        dice: Twice the common voxels by the sum of both; None when both are empty.
        first_ml: Volume in the first segmentation, None when it lacks the segment.
        second_ml: Volume in the second segmentation, None when it lacks the segment.
        only_first_ml: Volume that the second one has not.
        only_second_ml: Volume that the first one has not.
        worst_ras: Middle of what differs on the slice along k that differs most, mm; None where
            nothing does.
    """

    name: str
    dice: float | None
    first_ml: float | None
    second_ml: float | None
    only_first_ml: float
    only_second_ml: float
    worst_ras: tuple[float, float, float] | None = None


def agreements(
    first: Labelmap, second: Labelmap, progress: Progress = IGNORE
) -> tuple[Agreement, ...]:
    """Return the agreement of every structure, those of the first labelmap first.

    Args:
        first: Compared with ``second``; labels of one name belong together, whatever their values.
        second: On the same grid.
        progress: Told before each structure.

    Raises:
        SegmentationAIError: Two labels of one labelmap have the same name: which is meant?
    """
    found = []
    milliliters = first.grid.voxel_volume_ml
    firsts, seconds = _by_name(first), _by_name(second)
    names = list(dict.fromkeys([*firsts, *seconds]))
    for number, name in enumerate(names):
        progress(number / len(names), f"Structure {number + 1} of {len(names)}")
        one = _mask(first, firsts.get(name))
        other = _mask(second, seconds.get(name))
        sizes = int(one.sum()), int(other.sum())
        common = int((one & other).sum())
        label = firsts.get(name) or seconds[name]
        found.append(
            Agreement(
                name=label.name,
                dice=2 * common / sum(sizes) if sum(sizes) else None,
                first_ml=sizes[0] * milliliters if name in firsts else None,
                second_ml=sizes[1] * milliliters if name in seconds else None,
                only_first_ml=(sizes[0] - common) * milliliters,
                only_second_ml=(sizes[1] - common) * milliliters,
                worst_ras=_worst_place(one ^ other, first.affine),
            )
        )
    return tuple(found)


def differences(first: Labelmap, second: Labelmap) -> Labelmap:
    """Return where labels were lost and gained from the first labelmap to the second.

    Two labels in two layers, because a voxel that went from one structure to another is in both.

    Raises:
        SegmentationAIError: Two labels of one labelmap have the same name.
    """
    firsts, seconds = _by_name(first), _by_name(second)
    lost = np.zeros(first.grid.shape, np.uint8, order="F")
    gained = np.zeros(first.grid.shape, np.uint8, order="F")
    for name in dict.fromkeys([*firsts, *seconds]):
        one = _mask(first, firsts.get(name))
        other = _mask(second, seconds.get(name))
        lost[one & ~other] = 1
        gained[other & ~one] = 2
    labels = (Label(1, "Lost", LOST_COLOR), Label(2, "Gained", GAINED_COLOR, layer=1))
    return Labelmap((lost, gained), labels, first.affine)


def compare_segmentations(
    first: slicer.vtkMRMLSegmentationNode,
    second: slicer.vtkMRMLSegmentationNode,
    volume_node: slicer.vtkMRMLVolumeNode,
    scene: slicer.vtkMRMLScene,
) -> tuple[tuple[Agreement, ...], slicer.vtkMRMLSegmentationNode]:
    """Return the agreements of two segmentations, and a new one that shows where they differ.

    Args:
        first: For instance the accepted version.
        second: For instance the present one, or that of another network.
        volume_node: Both are compared on its grid.
        scene: Gets the segmentation of the differences.

    Raises:
        GeometryError: One of them lies on other voxels than the volume.
        SegmentationAIError: Two segments of one segmentation have the same name.
    """
    one, other = (labelmap_from_node(node, volume_node) for node in (first, second))
    found = agreements(one, other)
    name = scene.GenerateUniqueName(f"{first.GetName()} to {second.GetName()}")
    return found, node_from_labelmap(differences(one, other), scene, volume_node, name)


def label_pairs(first: Labelmap, second: Labelmap) -> list[tuple[Label | None, Label | None]]:
    """Return the labels of one name in both, None where one lacks it; the order of `agreements`.

    Raises:
        SegmentationAIError: Two labels of one labelmap have the same name.
    """
    firsts, seconds = _by_name(first), _by_name(second)
    return [(firsts.get(n), seconds.get(n)) for n in dict.fromkeys([*firsts, *seconds])]


def _worst_place(differs: Mask, affine: Affine) -> tuple[float, float, float] | None:
    """Return the middle of what differs on the slice that has most of it, RAS mm."""
    per_slice = np.count_nonzero(differs, axis=(0, 1))
    k = int(per_slice.argmax())
    if not per_slice[k]:
        return None
    i, j = (float(indices.mean()) for indices in np.nonzero(differs[:, :, k]))
    x, y, z = affine[:3, :3] @ (i, j, k) + affine[:3, 3]
    return float(x), float(y), float(z)


def _by_name(labelmap: Labelmap) -> dict[str, Label]:
    """Return the labels by name, whose case plays no part."""
    found: dict[str, Label] = {}
    for label in labelmap.labels:
        if label.name.casefold() in found:
            said = _(
                "Two segments are called '{name}'; rename one of them, so that it is clear which "
                "one is compared."
            )
            raise SegmentationAIError(said.format(name=label.name))
        found[label.name.casefold()] = label
    return found


def _mask(labelmap: Labelmap, label: Label | None) -> Mask:
    """Return where a label is; nowhere when there is none."""
    return np.zeros(labelmap.grid.shape, bool) if label is None else labelmap.mask(label)
