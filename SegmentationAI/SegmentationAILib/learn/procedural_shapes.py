"""Random things to point at, by formula: blobs, lobes, tubes, trees, sheets, shells and clusters.

Each shape is a function of position that is negative inside, in units of the finest voxel. A smooth
random displacement of the positions bends them all.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .deform import Array, smooth_field

Labels = NDArray[np.uint8]
Draw = Callable[[np.random.Generator, Array, Array, float], Array]

MOST_OBJECTS = 12


def random_positions(
    rng: np.random.Generator, side: int, spacing: tuple[float, float, float]
) -> Array:
    """Return bent positions `(3, side, side, side)` about the patch's center.

    Args:
        rng: source of every random choice.
        side: voxels along each axis.
        spacing: of the voxels; the finest is about 1.
    """
    shape = (side, side, side)
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    axes = [((np.arange(side) - (side - 1) / 2) * s).astype(np.float32) for s in spacing]
    bend = rng.choice([0.0, rng.uniform(0.0, 2.0), rng.uniform(1.0, 5.0)])
    knots = int(rng.integers(4, 9))
    positions = np.empty((3, *shape), np.float32)
    for row in range(3):
        i, j, k = (np.float32(turn[row, c]) * axes[c] for c in range(3))
        positions[row] = i[:, None, None] + j[None, :, None] + k[None, None, :]
        if bend > 0:
            positions[row] += np.float32(bend) * smooth_field(rng, shape, (knots,) * 3)
    return positions


def random_objects(rng: np.random.Generator, positions: Array) -> Labels:
    """Return labels `(X, Y, Z)`: 1 to `MOST_OBJECTS` for objects, 0 elsewhere; later ones on top.

    The first two are of one kind and size and often touch, as organs, vessels and nuclei do.
    """
    labels: Labels = np.zeros(positions.shape[1:], np.uint8)
    kind = _KINDS[rng.choice(len(_KINDS), p=_SHARES)]
    radius = float(np.exp(rng.uniform(np.log(1.6), np.log(20.0))))
    crowd = rng.random() < 0.3
    count = int(rng.integers(4, MOST_OBJECTS + 1)) if crowd else int(rng.integers(1, 5))
    center = _some_place(rng, positions, 0.3)
    for number in range(count):
        size = radius * float(np.exp(rng.normal(0.0, 0.2)))
        if number and (crowd or rng.random() < 0.5):
            # A neighbor that about touches the first.
            away = rng.standard_normal(3)
            away *= rng.uniform(1.2, 2.4 if not crowd else 4.0) / np.linalg.norm(away)
            place = (center + radius * away).astype(np.float32)
        elif number:
            place = _some_place(rng, positions, 0.5)
            if not crowd:
                kind = _KINDS[rng.choice(len(_KINDS), p=_SHARES)]
                size = float(np.exp(rng.uniform(np.log(1.6), np.log(14.0))))
        else:
            place = center
        inside = kind(rng, positions, place, size) < 0
        labels[inside] = number + 1
    if rng.random() < 0.5:
        # The object of interest is not always the one that is covered.
        order = rng.permutation(MOST_OBJECTS) + 1
        labels = np.concatenate([[0], order]).astype(np.uint8)[labels]
    return np.asarray(labels)


def random_regions(rng: np.random.Generator, shape: tuple[int, int, int]) -> Labels:
    """Return tissues behind the objects, `(X, Y, Z)`, 0 to 5: where each of some fields is high."""
    count = int(rng.integers(1, 6))
    knots = int(rng.integers(3, 9))
    fields = [smooth_field(rng, shape, (knots,) * 3) for _ in range(count)]
    return np.asarray(np.argmax(fields, axis=0), dtype=np.uint8)


def _some_place(rng: np.random.Generator, positions: Array, spread: float) -> Array:
    """Return a position near the middle (small `spread`) or anywhere (0.5)."""
    sides = np.array(positions.shape[1:])
    index = (sides * (0.5 + rng.uniform(-spread, spread, 3))).astype(int)
    i, j, k = np.clip(index, 0, sides - 1)
    return np.asarray(positions[:, i, j, k])


def _norm(vectors: Array) -> Array:
    return np.asarray(np.sqrt(np.einsum("iabc,iabc->abc", vectors, vectors)))


def _relief(rng: np.random.Generator, shape: tuple[int, ...], size: float) -> Array:
    """Return bumps on a surface: their height grows with the object."""
    knots = int(rng.integers(5, 14))
    height = size * rng.choice([0.0, rng.uniform(0.0, 0.15), rng.uniform(0.1, 0.45)])
    if height == 0:
        return np.zeros((1, 1, 1), np.float32)
    return np.float32(height) * smooth_field(rng, shape, (knots,) * 3)


def _stretched(rng: np.random.Generator, positions: Array, center: Array) -> Array:
    ratios = np.exp(rng.normal(0.0, 0.35, 3))
    ratios /= ratios.prod() ** (1 / 3)
    return (positions - center[:, None, None, None]) / ratios.astype(np.float32)[
        :, None, None, None
    ]


def _blob(rng: np.random.Generator, positions: Array, center: Array, size: float) -> Array:
    distance = _norm(_stretched(rng, positions, center)) - np.float32(size)
    return distance + _relief(rng, positions.shape[1:], size)


def _lobes(rng: np.random.Generator, positions: Array, center: Array, size: float) -> Array:
    field = np.full(positions.shape[1:], np.inf, np.float32)
    for _ in range(int(rng.integers(2, 6))):
        place = center + (size * rng.normal(0.0, 0.7, 3)).astype(np.float32)
        lobe = _norm(positions - place[:, None, None, None]) - np.float32(
            size * rng.uniform(0.4, 0.9)
        )
        field = np.minimum(field, lobe)
    return field + _relief(rng, positions.shape[1:], 0.5 * size)


def _block(rng: np.random.Generator, positions: Array, center: Array, size: float) -> Array:
    power = rng.choice([3.0, 6.0])
    scaled = np.abs(_stretched(rng, positions, center) / np.float32(size))
    return np.asarray((scaled**power).sum(axis=0) - np.float32(1.0))


def _shell(rng: np.random.Generator, positions: Array, center: Array, size: float) -> Array:
    size = max(size, 5.0)
    thick = max(1.2, size * rng.uniform(0.1, 0.35))
    return np.abs(_blob(rng, positions, center, size)) - np.float32(thick / 2)


def _sheet(rng: np.random.Generator, positions: Array, center: Array, size: float) -> Array:
    size = max(size, 6.0)
    normal = rng.standard_normal(3)
    normal = (normal / np.linalg.norm(normal)).astype(np.float32)
    from_center = positions - center[:, None, None, None]
    height = np.einsum("i,iabc->abc", normal, from_center)
    height = height + _relief(rng, positions.shape[1:], size)
    thick = rng.uniform(1.0, max(1.5, 0.3 * size))
    rim = _norm(from_center) - np.float32(size)
    return np.asarray(np.maximum(np.abs(height) - np.float32(thick), rim))


def _tube(rng: np.random.Generator, positions: Array, center: Array, size: float) -> Array:
    thick = float(np.clip(size * rng.uniform(0.15, 0.5), 1.1, 8.0))
    return _along(positions, _walk(rng, center, 4.0 * thick + size, 6), thick)


def _tree(rng: np.random.Generator, positions: Array, center: Array, size: float) -> Array:
    thick = float(np.clip(size * rng.uniform(0.15, 0.4), 1.2, 6.0))
    trunk = _walk(rng, center, 4.0 * thick + size, 5)
    field = _along(positions, trunk, thick)
    for _ in range(int(rng.integers(1, 4))):
        start = trunk[int(rng.integers(len(trunk)))]
        branch = _walk(rng, start, 3.0 * thick + size, 4)
        field = np.minimum(field, _along(positions, branch, max(1.0, 0.75 * thick)))
    return field


def _grown(rng: np.random.Generator, positions: Array, center: Array, size: float) -> Array:
    """A shape without a name: where a random field is high, near a place."""
    knots = int(np.clip(round(60.0 / max(size, 3.0)), 4, 16))
    field = smooth_field(rng, positions.shape[1:], (knots,) * 3)
    fall = _norm(_stretched(rng, positions, center)) / np.float32(size)
    return fall**2 - np.float32(1.0) - np.float32(rng.uniform(0.3, 1.0)) * field


def _walk(rng: np.random.Generator, start: Array, length: float, steps: int) -> list[Array]:
    """Return the corners of a path that turns a little at each."""
    direction = rng.standard_normal(3)
    turning = rng.uniform(0.2, 1.0)
    place = np.asarray(start, np.float64) - direction / np.linalg.norm(direction) * length * 0.7
    corners = [place.astype(np.float32)]
    for _ in range(steps):
        direction = direction / np.linalg.norm(direction) + turning * rng.normal(0.0, 0.6, 3)
        place = place + direction / np.linalg.norm(direction) * (2.0 * length / steps)
        corners.append(place.astype(np.float32))
    return corners


def _along(positions: Array, corners: list[Array], thick: float) -> Array:
    """Return the distance from a path minus its thickness."""
    field = np.full(positions.shape[1:], np.inf, np.float32)
    for first, second in pairwise(corners):
        step = second - first
        from_first = positions - first[:, None, None, None]
        share = np.einsum("i,iabc->abc", step, from_first) / np.float32(step @ step + 1e-6)
        share = np.clip(share, 0.0, 1.0)
        from_first -= step[:, None, None, None] * share
        field = np.minimum(field, _norm(from_first))
    return field - np.float32(thick)


_KINDS: tuple[Draw, ...] = (_blob, _lobes, _block, _shell, _sheet, _tube, _tree, _grown)
_SHARES = (0.28, 0.16, 0.06, 0.06, 0.08, 0.12, 0.08, 0.16)
