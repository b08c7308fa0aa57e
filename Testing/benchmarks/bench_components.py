"""P9: cleaning all labels of a labelmap against the loop over labels with scipy."""

import numpy as np
import scipy.ndimage as ndi
import torch
from measure import Measurement, measure
from monai.transforms import KeepLargestConnectedComponent

from SegmentationAILib.core.postprocess import (
    fill_holes,
    keep_largest_components,
    remove_small_components,
)

SHAPE, VALUES, SPACING = (128, 256, 256), 29, (1.5, 0.8, 0.8)
MIN_ML = 0.05
OURS, PEER, MONAI = "one pass over all labels", "scipy, label by label", "MONAI, label by label"
GOAL = "P9: at least 20x the scipy loop, bit-equal"


def run() -> list[Measurement]:
    """Measure the largest components alone, and the whole chain."""
    labels = some_labels()
    tensor = torch.from_numpy(labels)[None]
    # Face connectivity: scipy's own default, which the loops in the wild use.
    keep = KeepLargestConnectedComponent(applied_labels=list(range(1, VALUES + 1)), connectivity=1)
    components = measure(
        f"Largest component of each of {VALUES} labels, {SHAPE}",
        {
            OURS: lambda: keep_largest_components(labels, connectivity=6).labels,
            PEER: lambda: largest_by_scipy(labels),
            MONAI: lambda: keep(tensor)[0].numpy(),
        },
        ours=OURS, peer=PEER, goal=GOAL,
    )  # fmt: skip
    chain = measure(
        f"Remove islands, fill holes, keep largest, {VALUES} labels, {SHAPE}",
        {OURS: lambda: cleaned(labels), PEER: lambda: cleaned_by_scipy(labels)},
        ours=OURS, peer=PEER, goal=GOAL, rounds=3,
    )  # fmt: skip
    for measured in (components, chain):
        outputs = [measured.cases[name].output for name in (OURS, PEER)]
        equal = np.array_equal(*outputs)
        measured.remarks.append(f"Bit-equal to the scipy loop: {'yes' if equal else 'NO'}.")
        for case in measured.cases.values():
            case.output = None
    return [components, chain]


def some_labels() -> np.ndarray:
    """Return organs of a smooth random field, with holes and islands."""
    rng = np.random.default_rng(0)
    best = np.full(SHAPE, 1.2, np.float32)
    labels = np.zeros(SHAPE, np.uint8)
    for value in range(1, VALUES + 1):
        field = ndi.zoom(rng.normal(size=(6, 12, 12)), np.array(SHAPE) / (6, 12, 12), order=1)
        higher = field > best
        best[higher] = field[higher]
        labels[higher] = value
    labels[rng.random(SHAPE) < 0.001] = 0
    return labels


def cleaned(labels: np.ndarray) -> np.ndarray:
    """Return labels after the whole chain."""
    labels = remove_small_components(labels, SPACING, MIN_ML, connectivity=6).labels
    return keep_largest_components(fill_holes(labels).labels, connectivity=6).labels


def largest_by_scipy(labels: np.ndarray) -> np.ndarray:
    """Return the largest component of each label, as nnU-Net and TotalSegmentator go about it."""
    result = np.zeros_like(labels)
    for value in range(1, VALUES + 1):
        found, number = ndi.label(labels == value)
        if number:
            sizes = np.bincount(found.ravel())
            sizes[0] = 0
            result[found == sizes.argmax()] = value
    return result


def cleaned_by_scipy(labels: np.ndarray) -> np.ndarray:
    """Return labels after the same chain, label by label on the whole array."""
    least = MIN_ML * 1000 / np.prod(SPACING)
    kept = np.zeros_like(labels)
    for value in range(1, VALUES + 1):
        found, _ = ndi.label(labels == value)
        stays = np.bincount(found.ravel()) >= least
        stays[0] = False
        kept[stays[found]] = value
    filled = kept.copy()
    boxes = ndi.find_objects(kept)
    sizes = {
        n + 1: np.prod([s.stop - s.start for s in b]) for n, b in enumerate(boxes) if b is not None
    }
    for value in sorted(sizes, key=lambda v: (sizes[v], v)):
        filled[ndi.binary_fill_holes(kept == value) & (filled == 0)] = value
    return largest_by_scipy(filled)


if __name__ == "__main__":
    for measurement in run():
        print(measurement.markdown())
