"""K-means on intensities, alone or with those of their neighborhood.

Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory 28(2):129-137,
1982, doi:10.1109/TIT.1982.1056489, begun as Arthur and Vassilvitskii, "k-means++: the advantages
of careful seeding", SODA 2007; scipy's implementation. The spatial variant gives each voxel three
features: its intensity, and the mean and median of the 3 x 3 x 3 voxels around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray
from scipy.cluster.vq import ClusterError, kmeans2, vq

from ...core.errors import SegmentationAIError
from ...core.progress import IGNORE, Progress
from .readable_intensities import Floats, Mask, readable_intensities, region_of
from .weak_answer import WeakAnswer, answer_of_classes, check_class_count

# A third of them tells the center of a class to 1/130 of the class's spread.
LARGEST_SAMPLE: Final = 50_000
REPEATS: Final = 3
# Up to ten times ten iterations; a run ends once ten of them move no center by more than this, in
# units of the largest distance between two.
ROUNDS: Final = 10
ITERATIONS_PER_ROUND: Final = 10
SETTLED: Final = 1e-4
WINDOW: Final = 3


@dataclass(frozen=True)
class KMeansOptions:
    """How voxels are clustered.

    Attributes:
        classes: Number of clusters, 2 to 16.
        spatial: Whether the neighborhood's mean and median are features too.
        seed: Source of the sample and of the first centers.
    """

    classes: int = 3
    spatial: bool = False
    seed: int = 0


def kmeans(
    voxels: NDArray[Any],
    options: KMeansOptions | None = None,
    within: Mask | None = None,
    progress: Progress = IGNORE,
) -> WeakAnswer:
    """Return clusters of voxels, from the darkest to the brightest.

    The best of three runs on up to 50,000 voxels says where the centers are; then each voxel goes
    to the nearest. Shifting or scaling all intensities changes nothing.

    Args:
        voxels: ``(I, J, K)``, any real dtype; not changed.
        options: None for three classes of intensity alone.
        within: Voxels to look at, None for all.
        progress: Told per run and per plane.

    Raises:
        SegmentationAIError: There are fewer different intensities than classes.
        Cancelled: Raised by ``progress``.
    """
    chosen = options or KMeansOptions()
    check_class_count(chosen.classes)
    intensities = readable_intensities(voxels)
    region = region_of(within, intensities.shape)
    progress(0.0, "Measuring neighborhoods")
    features = _features(intensities, region, spatial=chosen.spatial)
    centers = cluster_centers(features[:, region].T, chosen.classes, chosen.seed, progress)
    classes = _nearest(features, centers, progress.part(0.5, 1.0))
    settings = {
        "classes": chosen.classes,
        "spatial": chosen.spatial,
        "seed": chosen.seed,
    }
    return answer_of_classes(classes, chosen.classes, within, settings)


def cluster_centers(
    features: NDArray[np.floating[Any]], classes: int, seed: int, progress: Progress = IGNORE
) -> NDArray[np.float64]:
    """Return cluster centers ``(classes, F)``, by rising first feature.

    Args:
        features: ``(N, F)``, a row per voxel.
        classes: How many.
        seed: Source of the sample and of the first centers.
        progress: Told per run.

    Raises:
        SegmentationAIError: There are fewer different rows than classes.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(features), min(len(features), LARGEST_SAMPLE), replace=False)
    sample = features[np.sort(chosen)].astype(np.float64)
    distinct = len(np.unique(sample, axis=0))
    if distinct < classes:
        raise SegmentationAIError(
            f"The voxels have {distinct} different intensities; at least {classes} are needed for "
            f"{classes} classes."
        )
    runs = []
    for number in range(REPEATS):
        progress(0.5 * number / REPEATS, f"Clustering, run {number + 1} of {REPEATS}")
        try:
            centers = _one_run(sample, classes, rng)
        except ClusterError:  # a cluster lost all of its voxels; the other runs may not
            continue
        _, distance = vq(sample, centers)
        runs.append((float(np.mean(distance**2)), number, centers))
    if not runs:
        raise SegmentationAIError(
            f"These intensities do not fall into {classes} classes; ask for fewer."
        )
    best = min(runs, key=lambda run: run[:2])[2]
    return np.asarray(best[np.argsort(best[:, 0], kind="stable")], np.float64)


def _one_run(
    sample: NDArray[np.float64], classes: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the centers ``(classes, F)`` that one random start leads to."""
    centers, _ = kmeans2(sample, classes, iter=1, minit="++", missing="raise", rng=rng)
    for _ in range(ROUNDS):
        before = centers
        centers, _ = kmeans2(
            sample, before, iter=ITERATIONS_PER_ROUND, minit="matrix", missing="raise"
        )
        if np.abs(centers - before).max() <= SETTLED * np.ptp(centers):
            break
    return np.asarray(centers, np.float64)


def _features(intensities: Floats, region: Mask, *, spatial: bool) -> Floats:
    """Return features ``(F, I, J, K)``, the intensities first, in units of their spread."""
    known = intensities[region].astype(np.float64)
    scaled: Floats = (intensities - np.float32(known.mean())) / np.float32(max(known.std(), 1e-30))
    if not spatial:
        return scaled[None]
    if not region.all():  # the neighborhood is that of the region: its edge goes on outside of it
        nearest = ndi.distance_transform_edt(~region, return_distances=False, return_indices=True)
        scaled = scaled[tuple(nearest)]
    mean = ndi.uniform_filter(scaled, WINDOW, mode="nearest")
    median = ndi.median_filter(scaled, WINDOW, mode="nearest")
    return np.stack([scaled, mean, median])


def _nearest(
    features: Floats, centers: NDArray[np.float64], progress: Progress
) -> NDArray[np.uint8]:
    """Return the number of the nearest center per voxel ``(I, J, K)``."""
    planes = features.shape[1]
    classes = np.empty(features.shape[1:], np.uint8)
    for plane in range(planes):
        progress(plane / planes, "Assigning voxels")
        rows = features[:, plane].reshape(len(features), -1).T
        classes[plane] = vq(rows.astype(np.float64), centers)[0].reshape(features.shape[2:])
    return classes
