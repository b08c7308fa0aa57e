"""P10: Dice, HD95, surface Dice and volume of 30 labels against MONAI and DeepMind."""

import numpy as np
import scipy.ndimage as ndi
import surface_distance
import torch
from measure import Measurement, measure
from monai.metrics import DiceMetric, compute_hausdorff_distance, compute_surface_dice

from SegmentationAILib.core.metrics import compare

SHAPE, SPACING, TOLERANCE_MM = (128, 192, 192), (1.5, 0.8, 0.8), 2.0
VALUES = range(1, 31)
GOAL = "P10: at least 10x MONAI, equal to 1e-5, in both border conventions"
OURS, MONAI, DEEPMIND = "compare, one call", "MONAI", "DeepMind surface-distance"
Scores = dict[int, tuple[float, float, float]]


def run() -> list[Measurement]:
    """Measure both conventions against the package that each is equal to."""
    pair = some_labels()
    by_voxel = measure(
        f"Dice, HD95, surface Dice, volume of {len(VALUES)} labels, {SHAPE}, voxel borders",
        {OURS: lambda: _ours(*pair, "voxel"), MONAI: lambda: _by_monai(*pair)},
        ours=OURS, peer=MONAI, goal=GOAL, rounds=3,
    )  # fmt: skip
    by_area = measure(
        "The same with area-weighted borders",
        {
            OURS: lambda: _ours(*pair, "area"),
            MONAI: lambda: _by_monai(*pair, use_subvoxels=True),
            DEEPMIND: lambda: _by_deepmind(*pair),
        },
        ours=OURS, peer=MONAI, goal=GOAL, rounds=3,
    )  # fmt: skip
    for measured, reference in ((by_voxel, MONAI), (by_area, DEEPMIND)):
        ours, peer = measured.cases[OURS].output, measured.cases[reference].output
        apart = max(_relative(ours[v], peer[v]) for v in VALUES)
        measured.remarks.append(
            f"Largest difference to {reference}: {apart:.2g} (of the score, or of 1 below that)."
        )
    return [by_voxel, by_area]


def some_labels() -> tuple[np.ndarray, np.ndarray]:
    """Return 30 organs, ellipsoids with rough surfaces, and a moved and rougher prediction."""
    rng = np.random.default_rng(1)
    labels = [np.zeros(SHAPE, np.uint8) for _ in range(2)]
    rough = ndi.gaussian_filter(rng.normal(size=SHAPE).astype(np.float32), 2) * 6
    rougher = rough + ndi.gaussian_filter(rng.normal(size=SHAPE).astype(np.float32), 2) * 3
    places = np.stack(np.indices(SHAPE), axis=-1).astype(np.float32)
    for value in VALUES:
        radii = rng.uniform(0.05, 0.16, 3) * SHAPE
        center = rng.uniform(0.1, 0.9, 3) * SHAPE
        for array, moved, field in zip(labels, (0.0, 1.0), (rough, rougher), strict=True):
            inside = (((places - center - moved) / radii) ** 2).sum(axis=-1) + 0.3 * field < 1
            array[inside & (array == 0)] = value
    return labels[0], labels[1]


def _relative(ours: tuple[float, ...], peer: tuple[float, ...]) -> float:
    # MONAI's distances are in float32, hence relative.
    return float(np.max(np.abs(np.subtract(ours, peer)) / np.maximum(np.abs(peer), 1.0)))


def _ours(reference: np.ndarray, prediction: np.ndarray, border: str) -> Scores:
    scores = compare(reference, prediction, SPACING, VALUES, TOLERANCE_MM, border)
    return {v: (s.dice, s.hd95_mm, s.surface_dice) for v, s in scores.items()}


def _by_monai(
    reference: np.ndarray, prediction: np.ndarray, *, use_subvoxels: bool = False
) -> Scores:
    # One label at a time: 31 channels of both at once would be 1.2 GB of floats.
    scores = {}
    for value in VALUES:
        a, b = (
            torch.from_numpy(np.stack([v != value, v == value])[None].astype(np.float32))
            for v in (reference, prediction)
        )
        dice = DiceMetric(include_background=False, reduction="none")(b, a)
        hd95 = compute_hausdorff_distance(b, a, percentile=95, spacing=SPACING)
        surface = compute_surface_dice(
            b, a, [TOLERANCE_MM], spacing=SPACING, use_subvoxels=use_subvoxels
        )
        _volume_ml = (reference == value).sum() * np.prod(SPACING) / 1000
        scores[value] = dice.item(), hd95.item(), surface.item()
    return scores


def _by_deepmind(reference: np.ndarray, prediction: np.ndarray) -> Scores:
    scores = {}
    for value in VALUES:
        a, b = reference == value, prediction == value
        found = surface_distance.compute_surface_distances(a, b, SPACING)
        scores[value] = (
            surface_distance.compute_dice_coefficient(a, b),
            surface_distance.compute_robust_hausdorff(found, 95),
            surface_distance.compute_surface_dice_at_tolerance(found, TOLERANCE_MM),
        )
    return scores


if __name__ == "__main__":
    for measurement in run():
        print(measurement.markdown())
