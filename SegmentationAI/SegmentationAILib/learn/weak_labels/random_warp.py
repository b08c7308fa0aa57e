"""A random deformation of one labelmap, affine and elastic, that can be taken at any strength.

What is random is drawn once, from a seed; the strength only scales it. So the agreement with the
labels that it started from falls steadily with the strength, and a strength can be searched for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

from ...core.volume import Box

Integers = NDArray[np.integer[Any]]
Spacing = tuple[float, float, float]

# Shares of the object's extent at strength 1. The affine part moves anchor points by up to 0.15 of
# it, the elastic part has a root mean square of 0.05 to 0.15 of it, smooth over 0.1 to 0.25 of it.
ANCHOR_SHARE: Final = 0.15
ELASTIC_SHARES: Final = (0.05, 0.15)
SMOOTHNESS_SHARES: Final = (0.1, 0.25)
# Around the object, so that it can move without meeting the edge of the box.
MARGIN_SHARE: Final = 0.5
MARGIN_VOXELS: Final = 3


@dataclass(frozen=True, eq=False)
class RandomWarp:
    """Where each voxel of a box reads the labels, as a displacement at strength 1.

    Attributes:
        box: Voxels that may change; all others keep their label.
        displacement: ``(3, I, J, K)`` of the box, in voxels, float32.
    """

    box: Box
    displacement: NDArray[np.float32]

    def apply(self, labels: Integers, strength: float) -> Integers:
        """Return deformed labels ``(I, J, K)``, dtype as before; the argument is not changed.

        Each voxel takes the nearest label of the place that it reads, so no value is invented;
        what lies outside the array is background.

        Args:
            labels: ``(I, J, K)``, the array that the warp was made for.
            strength: 0 changes nothing.
        """
        places = np.indices(self.box.shape, dtype=np.float32)
        places += np.float32(strength) * self.displacement
        places += np.asarray(self.box.start_ijk, np.float32)[:, None, None, None]
        deformed = labels.copy()
        deformed[self.box.slices] = ndi.map_coordinates(
            labels, places, order=0, mode="constant", cval=0
        )
        return deformed


def random_warp(labels: Integers, spacing: Spacing, seed: int) -> RandomWarp:
    """Return a random deformation about what is labeled; an empty box when nothing is.

    The affine part is made from four anchor points, the middle of the object and one along each
    axis, each moved by a uniform random vector. The elastic part is uniform noise smoothed by a
    Gaussian: Simard, Steinkraus, Platt, "Best practices for convolutional neural networks applied
    to visual document analysis", ICDAR 2003, doi:10.1109/ICDAR.2003.1227801. All lengths are in mm
    and scale with the object.

    Args:
        labels: ``(I, J, K)``, 0 is background; not changed.
        spacing: Of the voxels, mm.
        seed: Source of all that is random.
    """
    found = ndi.find_objects((labels != 0).astype(np.uint8))
    if not found:
        return RandomWarp(Box((0, 0, 0), (0, 0, 0)), np.zeros((3, 0, 0, 0), np.float32))
    rng = np.random.default_rng(seed)
    millimeters = np.asarray(spacing, np.float64)
    first = np.array([part.start for part in found[0]])
    last = np.array([part.stop - 1 for part in found[0]])
    extent_mm = (last - first + 1) * millimeters
    box = _box_around(first, last, labels.shape)
    offsets_mm = _offsets(box, (first + last) / 2, millimeters)
    moved = _affine(rng, extent_mm, offsets_mm)
    moved += _elastic(rng, float(extent_mm.mean()), box.shape, millimeters)
    in_voxels = moved / millimeters[:, None, None, None]
    return RandomWarp(box, in_voxels.astype(np.float32))


def _box_around(first: NDArray[np.int_], last: NDArray[np.int_], shape: tuple[int, ...]) -> Box:
    margin = np.ceil(MARGIN_SHARE * (last - first + 1)).astype(int) + MARGIN_VOXELS
    start = np.maximum(first - margin, 0)
    stop = np.minimum(last + 1 + margin, shape)
    return Box(_triple(start), _triple(stop))


def _triple(numbers: NDArray[np.int_]) -> tuple[int, int, int]:
    i, j, k = (int(n) for n in numbers)
    return i, j, k


def _offsets(
    box: Box, center_ijk: NDArray[np.float64], spacing: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return where the box's voxels lie from the object's middle, mm, along the grid's axes."""
    corner = np.asarray(box.start_ijk) - center_ijk
    places = np.indices(box.shape) + corner[:, None, None, None]
    return np.asarray(places * spacing[:, None, None, None])


def _affine(
    rng: np.random.Generator, extent_mm: NDArray[np.float64], offsets_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the displacement, mm, of the affine map that moves the four anchor points."""
    reach = ANCHOR_SHARE * float(extent_mm.mean())
    moved = rng.uniform(-reach, reach, (4, 3))
    # Column a: how much more the anchor half an extent along axis a moves than the middle does.
    slope = (moved[1:] - moved[0]).T / (extent_mm / 2)
    shift = moved[0][:, None, None, None]
    return np.asarray(np.einsum("ab,bijk->aijk", slope, offsets_mm) + shift)


def _elastic(
    rng: np.random.Generator,
    extent_mm: float,
    shape: tuple[int, int, int],
    spacing: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return a smooth random displacement ``(3, *shape)``, mm, of known root mean square."""
    sigma = rng.uniform(*SMOOTHNESS_SHARES) * extent_mm / spacing
    size_mm = rng.uniform(*ELASTIC_SHARES) * extent_mm
    noise = rng.uniform(-1.0, 1.0, (3, *shape)).astype(np.float32)
    smooth = np.stack([ndi.gaussian_filter(part, sigma, mode="reflect") for part in noise])
    strength = float(np.sqrt(np.mean(smooth**2, dtype=np.float64)))
    return np.asarray(smooth * (size_mm / max(strength, 1e-12)), np.float64)
