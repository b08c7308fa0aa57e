"""A head from a formula: ellipsoids for the structures, a gyroid for the folds of the cortex.

It is a phantom whose truth is known at every point, on any grid, and not anatomy: positions and
sizes are about those of an average adult. The same family with random parameters is part of the
training of `brain-any-contrast`, so a good score on it shows that the path from file to labels
works, not how good the network is.

Gyroid: Schoen, Infinite Periodic Minimal Surfaces without Self-Intersections, NASA TN D-5541, 1970.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .brain_structures import RIGHT, TISSUE_INDEX
from .deform import Array
from .head_parameters import (
    DEEP_SOLIDS,
    DEFAULT,
    OUTER_SOLIDS,
    HeadParameters,
    Point,
)

# Fluid between the brain and the skull.
GAP_MM = 4.0


class ProceduralHead:
    """The tissue and side at every point of a head, by formula (a `Head` of the synthesizer)."""

    box_mm: NDArray[np.float64] = np.array([[-84.0, -104.0, -110.0], [84.0, 112.0, 90.0]])

    def __init__(self, parameters: HeadParameters = DEFAULT) -> None:
        self.parameters = parameters

    def code_at(self, points_mm: Array) -> NDArray[np.uint8]:
        """Return codes `(I, J, K)` at points `(3, I, J, K)` (see `Head`)."""
        points = np.asarray(points_mm, dtype=np.float32)
        cerebrum = _cerebrum_depth(points)
        tissues = self._outside(points, cerebrum)
        self._cerebrum(points, cerebrum, tissues)
        self._cerebellum(points, tissues)
        p = self.parameters
        for solid, size, shift in zip(DEEP_SOLIDS, p.sizes, p.shifts_mm, strict=True):
            factor = size * (p.ventricles if "ventricle" in solid.tissue else 1.0)
            x, y, z = (c + s for c, s in zip(solid.center_mm, shift, strict=True))
            center = (x if solid.paired else 0.0, y, z)
            a, b, c = (factor * axis for axis in solid.semi_axes_mm)
            inside = _radius(points, center, (a, b, c), solid.paired) < 1.0
            tissues[inside] = TISSUE_INDEX[solid.tissue]
        tissues[points[0] > 0.0] += np.uint8(RIGHT)
        return tissues

    def _outside(self, points: Array, cerebrum: Array) -> NDArray[np.uint8]:
        """Return scalp, skull, neck and face about a hull of fluid that follows the brain."""
        p = self.parameters
        tissues = np.zeros(points.shape[1:], dtype=np.uint8)
        hull = np.maximum(cerebrum, _depth(points, *_CEREBELLUM))
        hull = np.maximum(hull, _depth(points, (0.0, -8.0, -36.0), (20.0, 20.0, 30.0))) + GAP_MM
        scalp = hull > -(p.skull_mm + p.scalp_mm)
        neck_and_face = np.zeros_like(scalp)
        for solid in OUTER_SOLIDS[:2]:
            neck_and_face |= _radius(points, solid.center_mm, solid.semi_axes_mm, False) < 1.0
        tissues[scalp | neck_and_face] = TISSUE_INDEX["skin"]
        for solid in OUTER_SOLIDS[:2]:
            inner = tuple(a - 3.0 for a in solid.semi_axes_mm)
            inside = _radius(points, solid.center_mm, (inner[0], inner[1], inner[2]), False) < 1.0
            tissues[inside] = TISSUE_INDEX["soft tissue"]
        tissues[hull > -(p.skull_mm + p.scalp_mm - 2.5)] = TISSUE_INDEX["soft tissue"]
        for solid in OUTER_SOLIDS[2:]:
            inside = _radius(points, solid.center_mm, solid.semi_axes_mm, solid.paired) < 1.0
            tissues[inside] = TISSUE_INDEX[solid.tissue]
        tissues[hull > -p.skull_mm] = TISSUE_INDEX["bone"]
        tissues[(hull > -0.7 * p.skull_mm) & (hull < -0.35 * p.skull_mm)] = TISSUE_INDEX["marrow"]
        tissues[hull > 0.0] = TISSUE_INDEX["cerebrospinal fluid"]
        return tissues

    def _cerebrum(self, points: Array, depth: Array, tissues: NDArray[np.uint8]) -> None:
        """Write white matter, cortex and the fluid of the folds, in place."""
        p = self.parameters
        # Below the tentorium lies the cerebellum; fluid between the two.
        depth = np.minimum(depth, -_depth(points, *_CEREBELLUM) - 2.0)
        core = _depth(points, (0.0, 4.0, 0.0), (38.0, 46.0, 27.0))
        side = np.abs(points[0]) - 1.2
        depth = np.where(core > 0.0, np.maximum(depth, 40.0), np.minimum(depth, side))
        fold = np.abs(self._gyroid(points))
        # The gyroid's slope is about 1.2 per length unit: a value is a distance after this factor.
        from_fold = fold * np.float32(p.gyrus_mm / 1.2)
        folded = depth < p.sulcus_depth_mm
        white = depth > 0.0
        tissues[white] = TISSUE_INDEX["cerebral white matter"]
        gray = white & ((depth < p.cortex_mm) | ((from_fold < p.sulcus_mm + p.cortex_mm) & folded))
        tissues[gray] = TISSUE_INDEX["cerebral cortex"]
        fluid = white & (from_fold < p.sulcus_mm) & (depth < p.sulcus_depth_mm - p.cortex_mm)
        tissues[fluid] = TISSUE_INDEX["cerebrospinal fluid"]

    def _cerebellum(self, points: Array, tissues: NDArray[np.uint8]) -> None:
        """Write the cerebellum: a cortex with a branching white core, in place."""
        depth = _depth(points, *_CEREBELLUM)
        tissues[depth > 0.0] = TISSUE_INDEX["cerebellum cortex"]
        branches = 9.0 + 4.0 * np.sin(points[2] / 3.0 + np.abs(points[0]) / 9.0)
        tissues[depth > branches] = TISSUE_INDEX["cerebellum white matter"]

    def _gyroid(self, points: Array) -> Array:
        """Return the gyroid's value; its zeros are the middle of the folds."""
        p = self.parameters
        x, y, z = (
            (points[axis] + np.float32(p.phase_mm[axis])) / np.float32(p.gyrus_mm)
            for axis in range(3)
        )
        return np.asarray(
            np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x), np.float32
        )


_CEREBELLUM = ((0.0, -47.0, -40.0), (50.0, 34.0, 26.0))


def _cerebrum_depth(points: Array) -> Array:
    """Return about how deep a point lies in the hull of hemispheres and temporal lobes, mm."""
    center = (0.0, 0.0, 12.0)
    upper = _depth(points, center, (67.0, 86.0, 59.0))
    lower = _depth(points, center, (67.0, 86.0, 33.0))
    temporal = _depth(points, (42.0, 6.0, -20.0), (24.0, 42.0, 24.0), paired=True)
    return np.maximum(np.where(points[2] > center[2], upper, lower), temporal)


def _radius(points: Array, center: Point, semi_axes: Point, paired: bool = False) -> Array:
    """Return the distance from the center in semi-axes: 1 on the ellipsoid."""
    x = np.abs(points[0]) if paired else points[0]
    total = np.square((x - np.float32(center[0])) / np.float32(semi_axes[0]))
    for axis in (1, 2):
        total += np.square((points[axis] - np.float32(center[axis])) / np.float32(semi_axes[axis]))
    return np.asarray(np.sqrt(total), np.float32)


def _depth(points: Array, center: Point, semi_axes: Point, paired: bool = False) -> Array:
    """Return about how deep points lie in an ellipsoid, mm, negative outside (exact: a sphere)."""
    mean = float(np.mean(semi_axes))
    return np.asarray((1.0 - _radius(points, center, semi_axes, paired)) * mean, np.float32)
