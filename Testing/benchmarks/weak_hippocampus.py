"""Weak labels of the hippocampus by methods that know no shape, as a hurried person makes them.

The person is simulated as in the liver paper: seeds placed inside each part, in every third slice,
and a region scraped roughly around the whole, 2 mm too wide everywhere. The method finds what
belongs to the structure within the region; each voxel goes to the part whose seeds are nearer.
Where the border lies within those 2 mm the method is not told.
"""

import numpy as np
import scipy.ndimage as ndi

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.labelmap import Labelmap
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.learn.weak_labels.kmeans import KMeansOptions, kmeans
from SegmentationAILib.learn.weak_labels.level_set import level_set
from SegmentationAILib.learn.weak_labels.region_growing import region_growing
from SegmentationAILib.learn.weak_labels.seeds import Seeds

METHODS = ("level-set", "region-growing", "kmeans")
WIDER_MM = 2.0
DEEP_MM = 2.0
SLICES_BETWEEN = 3


def weak_labels_by(method: str, volume: Volume, truth: Labelmap) -> np.ndarray:
    """Return label values ``(I, J, K)`` that a method finds from the person's seeds and region.

    A scan in which the method refuses to work gets the seeds alone.
    """
    layer, spacing = truth.layers[0], truth.spacing
    seeds = {value: _seeds(layer == value, spacing) for value in (1, 2)}
    positive = seeds[1] | seeds[2]
    scraped = ndi.distance_transform_edt(layer == 0, sampling=spacing) <= WIDER_MM
    try:
        mask = _found(method, volume.voxels[0], spacing, positive, scraped)
    except SegmentationAIError:
        mask = positive
    apart = [ndi.distance_transform_edt(~seeds[value], sampling=spacing) for value in (1, 2)]
    part = np.where(apart[0] <= apart[1], 1, 2)
    return np.where((mask & scraped) | positive, part, 0).astype(np.uint8)


def _seeds(mask: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Return points well inside a part, in every third slice; at least its deepest voxel."""
    depth = ndi.distance_transform_edt(mask, sampling=spacing)
    seeds = np.zeros(mask.shape, bool)
    for place in range(0, mask.shape[1], SLICES_BETWEEN):
        plane = depth[:, place]
        if plane.max() >= DEEP_MM:
            seeds[:, place][np.unravel_index(plane.argmax(), plane.shape)] = True
    seeds[np.unravel_index(depth.argmax(), depth.shape)] = True
    return seeds


def _found(method, voxels, spacing, positive, scraped) -> np.ndarray:
    if method == "level-set":
        return level_set(voxels, spacing, Seeds.of(positive), scraped=scraped).labels != 0
    if method == "region-growing":
        return region_growing(voxels, Seeds(positive, ~scraped)).labels != 0
    classes = kmeans(voxels, KMeansOptions(classes=2), within=scraped).labels
    inside = np.bincount(classes[positive], minlength=3)
    return classes == 1 + int(inside[1:].argmax())
