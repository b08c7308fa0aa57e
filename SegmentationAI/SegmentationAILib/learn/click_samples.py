"""Patches to learn pointing from: procedural objects, brain label maps of any contrast, real CT.

A sample holds labels and not one target, so that every visit can ask for something else in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from ..core.files import read_labelmap, read_volume
from .brain_structures import TISSUES, tissues_of
from .contrasts import Contrast, random_mixture
from .deform import Array
from .label_map_head import LabelMapHead
from .painted_objects import painted_mixture, painted_objects, scanned
from .procedural_shapes import random_objects, random_positions, random_regions

# The label of voxels that the scan does not reach.
OUTSIDE = 255
SIDE = 48
# A label with fewer voxels in the patch is not asked for.
LEAST_VOXELS = 6
_CONTRASTS: tuple[Contrast, ...] = ("T1", "T2", "FLAIR", "random")
_CONTRAST_SHARES = (0.2, 0.12, 0.13, 0.55)


@dataclass(frozen=True, eq=False)
class Sample:
    """Something to segment.

    Attributes:
        intensities: `(X, Y, Z)` float16, about -4 to 4.
        labels: `(X, Y, Z)` uint8; 0 is never asked for, `OUTSIDE` is beyond the scan.
        unions: whether labels may be asked for together.
    """

    intensities: NDArray[np.float16]
    labels: NDArray[np.uint8]
    unions: bool


class Source(Protocol):
    """Something that samples are drawn from."""

    def sample(self, rng: np.random.Generator) -> Sample:
        """Return a sample `SIDE` voxels wide."""
        ...


class ProceduralSource:
    """Random objects by formula."""

    def sample(self, rng: np.random.Generator) -> Sample:
        """Return a sample."""
        spacing = random_anisotropy(rng, 6.0)
        positions = random_positions(rng, SIDE, spacing)
        objects = random_objects(rng, positions)
        regions = random_regions(rng, objects.shape)
        blur = np.minimum(1.0, 1.2 / np.array(spacing)) * rng.uniform(0.1, 1.0)
        intensities = painted_objects(rng, objects, regions, blur)
        return finished(rng, intensities, objects, unions=False)


class BrainSource:
    """Brain label maps, painted with any contrast.

    Args:
        heads: at least one.
    """

    def __init__(self, heads: list[LabelMapHead]) -> None:
        self._heads = heads
        self._places = [_places_of_labels(head.codes) for head in heads]

    def sample(self, rng: np.random.Generator) -> Sample:
        """Return a sample."""
        number = int(rng.integers(len(self._heads)))
        head, places = self._heads[number], self._places[number]
        spacing = np.array(random_anisotropy(rng, 4.0)) * np.exp(
            rng.uniform(np.log(0.7), np.log(2.5))
        )
        center = _random_place(rng, places)
        middle = (center - head.center_ijk) * head.spacing_mm
        points = random_grid(rng, spacing, middle).astype(np.float32)
        codes = head.code_at(points)
        contrast = _CONTRASTS[rng.choice(len(_CONTRASTS), p=_CONTRAST_SHARES)]
        mixture = random_mixture(rng, contrast, rng.uniform(0.02, 0.1))
        # Large voxels average over what they cover.
        blur = np.clip(1.2 / spacing, 0.45, 1.2) * rng.uniform(0.4, 1.0)
        tissues = tissues_of(codes)
        intensities = painted_mixture(
            rng, tissues, mixture.means, np.float32(0.7) * mixture.deviations, blur
        )
        if rng.random() < 0.3:
            # Without what surrounds the brain, as after skull-stripping.
            intensities[_BARE[tissues]] = 0.0
        return finished(rng, intensities, codes, unions=True)


@dataclass(frozen=True, eq=False)
class LabeledScan:
    """A real scan with labels, each on its own grid.

    Attributes:
        voxels: `(I, J, K)` float32.
        affine: of the voxels.
        labels: `(I, J, K)` uint8.
        labels_affine: of the labels.
        spacing_mm: range of voxel sizes to read it at.
    """

    voxels: Array
    affine: NDArray[np.float64]
    labels: NDArray[np.uint8]
    labels_affine: NDArray[np.float64]
    spacing_mm: tuple[float, float]


class ScanSource:
    """Real scans, read at random places, turns and voxel sizes.

    Args:
        scans: at least one.
        held_out: labels that are never asked for.
    """

    def __init__(self, scans: list[LabeledScan], held_out: tuple[int, ...] = ()) -> None:
        self._scans = scans
        self._held_out = np.array(held_out, dtype=np.uint8)
        self._places = []
        for scan in scans:
            places = _places_of_labels(scan.labels)
            self._places.append({v: p for v, p in places.items() if v not in held_out})

    def sample(self, rng: np.random.Generator) -> Sample:
        """Return a sample."""
        number = int(rng.integers(len(self._scans)))
        scan = self._scans[number]
        center = _random_place(rng, self._places[number])
        finest = rng.uniform(*np.log(scan.spacing_mm))
        spacing = np.array(random_anisotropy(rng, 3.0)) * np.exp(finest)
        middle = scan.labels_affine[:3, :3] @ center + scan.labels_affine[:3, 3]
        points = random_grid(rng, spacing, middle)
        labels, outside = read_labels(scan, points)
        intensities = read_intensities(scan, points)
        if rng.random() < 0.5:
            intensities = recolored(rng, intensities, labels)
        # Other windows, other tubes: a bend of the scale, seldom its negative.
        intensities = np.tanh(intensities / np.float32(rng.uniform(150.0, 1500.0)))
        if rng.random() < 0.2:
            intensities = -intensities
        none = np.zeros(3)
        intensities = scanned(rng, intensities, none)
        labels[np.isin(labels, self._held_out)] = 0
        labels[outside] = OUTSIDE
        return finished(rng, intensities, labels, unions=True)


def read_scan(volume: Path, labels: Path, spacing_mm: tuple[float, float]) -> LabeledScan:
    """Return a scan and its labels from files (or a DICOM folder)."""
    scan, labelmap = read_volume(volume), read_labelmap(labels)
    return LabeledScan(
        np.ascontiguousarray(scan.voxels[0], dtype=np.float32),
        scan.affine,
        labelmap.layers[0].astype(np.uint8),
        labelmap.affine,
        spacing_mm,
    )


def read_intensities(scan: LabeledScan, points_ras: NDArray[np.float64]) -> Array:
    """Return intensities at points `(3, X, Y, Z)`, linearly; the nearest ones beyond the scan."""
    places = _indices(scan.affine, points_ras)
    read = map_coordinates(scan.voxels, places, order=1, mode="nearest", prefilter=False)
    return np.asarray(read, dtype=np.float32)


def recolored(rng: np.random.Generator, hounsfield: Array, labels: NDArray[np.uint8]) -> Array:
    """Return a CT `(X, Y, Z)` as if its organs had other intensities: contrasts as those of MR.

    Every organ is shifted by its own random amount, and so are fat, water, soft tissue and bone,
    which is where the scan shows what has no label; what a CT shows within them stays.

    Args:
        rng: of the contrast.
        hounsfield: the scan.
        labels: of the organs, same shape; 0 elsewhere.
    """
    spread = rng.uniform(30.0, 150.0)
    shifts = rng.normal(0.0, spread, 256)
    shifts[0] = 0.0
    knots = np.array([-1000.0, -300.0, -110.0, 0.0, 60.0, 250.0, 1200.0])
    bent = np.interp(hounsfield, knots, knots + rng.normal(0.0, spread, len(knots)))
    # Where two organs meet, voxels hold something of both.
    return np.asarray(bent + gaussian_filter(shifts[labels], 0.5), dtype=np.float32)


def read_labels(
    scan: LabeledScan, points_ras: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the nearest labels at points `(3, X, Y, Z)`, and where the scan does not reach."""
    places = np.rint(_indices(scan.labels_affine, points_ras)).astype(np.int64)
    sides = np.array(scan.labels.shape)[:, None, None, None]
    outside = np.asarray(((places < 0) | (places >= sides)).any(axis=0))
    i, j, k = np.clip(places, 0, sides - 1)
    labels = np.asarray(scan.labels[i, j, k])
    labels[outside] = 0
    return labels, outside


def finished(
    rng: np.random.Generator, intensities: Array, labels: NDArray[np.uint8], unions: bool
) -> Sample:
    """Return the sample, sometimes cut off where a scan would end."""
    labels = labels.copy()
    if rng.random() < 0.25:
        for axis in rng.permutation(3)[: int(rng.integers(1, 3))]:
            line = np.moveaxis(labels, axis, 0)
            first, last = rng.integers(0, SIDE // 2 - 6, 2) * (rng.random(2) < 0.7)
            line[:first] = OUTSIDE
            line[SIDE - last :] = OUTSIDE
    scale = float(intensities.std()) + 1e-6
    values = (intensities - float(intensities.mean())) / scale
    return Sample(np.clip(values, -60.0, 60.0).astype(np.float16), labels, unions)


def around_target(
    rng: np.random.Generator, sample: Sample, target: NDArray[np.bool_], side: int
) -> tuple[Sample, NDArray[np.bool_]]:
    """Return a smaller part of a sample, `side` voxels wide, with some of the target in it."""
    places = np.argwhere(target)
    place = places[int(rng.integers(len(places)))]
    start = np.clip(place - rng.integers(side // 4, 3 * side // 4 + 1, 3), 0, SIDE - side)
    i, j, k = (slice(int(a), int(a) + side) for a in start)
    part = Sample(sample.intensities[i, j, k], sample.labels[i, j, k], sample.unions)
    return part, target[i, j, k]


def random_anisotropy(rng: np.random.Generator, most: float) -> tuple[float, float, float]:
    """Return voxel sizes, the finest about 1: equal, or one axis up to `most` times coarser."""
    sizes = np.exp(rng.normal(0.0, 0.08, 3))
    if rng.random() < 0.45:
        sizes[rng.integers(3)] *= np.exp(rng.uniform(0.0, np.log(most)))
    i, j, k = (float(size) for size in sizes)
    return i, j, k


def random_grid(
    rng: np.random.Generator, spacing: NDArray[np.float64], middle: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return points `(3, SIDE, SIDE, SIDE)` of a turned grid about, not quite at, a middle."""
    affine = np.eye(3)[rng.permutation(3)] * rng.choice([-1.0, 1.0], 3)
    tilt = np.linalg.qr(np.eye(3) + rng.normal(0.0, 0.12, (3, 3)))[0]
    affine = (affine @ tilt) * spacing
    shift = affine @ rng.uniform(-0.3 * SIDE, 0.3 * SIDE, 3) * rng.choice([0.15, 1.0])
    steps = np.arange(SIDE) - (SIDE - 1) / 2
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"))
    turned = np.einsum("ab,bijk->aijk", affine, grid)
    return np.asarray(turned + (middle + shift)[:, None, None, None])


def _indices(affine: NDArray[np.float64], points_ras: NDArray[np.float64]) -> NDArray[np.float64]:
    inverse = np.linalg.inv(affine)
    turned = np.einsum("ab,bijk->aijk", inverse[:3, :3], points_ras)
    return np.asarray(turned + inverse[:3, 3][:, None, None, None])


def _places_of_labels(labels: NDArray[np.uint8]) -> dict[int, NDArray[np.int16]]:
    """Return up to 300 voxels `(n, 3)` of every label but 0."""
    order = np.argsort(labels, axis=None, kind="stable")
    values, starts = np.unique(labels.ravel()[order], return_index=True)
    ends = np.append(starts[1:], order.size)
    places = {}
    for value, start, end in zip(values.tolist(), starts, ends, strict=True):
        if value:
            some = order[start : end : max(1, (end - start) // 300)]
            places[value] = np.stack(np.unravel_index(some, labels.shape), axis=1).astype(np.int16)
    return places


def _random_place(
    rng: np.random.Generator, places: dict[int, NDArray[np.int16]]
) -> NDArray[np.float64]:
    values = list(places)
    some = places[values[int(rng.integers(len(values)))]]
    return np.asarray(some[int(rng.integers(len(some)))], dtype=np.float64)


# Tissues that skull-stripping takes away.
_BARE = np.array([tissue.kind in ("other", "air") for tissue in TISSUES])
