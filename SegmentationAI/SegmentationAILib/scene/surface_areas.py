"""Areas of the surfaces of labels, from voxels alone: any thread may do it."""

import numpy as np
from numpy.typing import NDArray

from ..core.labelmap import Labelmap
from ..core.volume import Affine, Array
from .surface_nets import boundaries_of_labels

MM2_PER_CM2 = 100.0
Points = NDArray[np.float64]


def areas_cm2(labelmap: Labelmap) -> dict[str, float]:
    """Return the area of each label's closed surface by segment ID; without voxels there is none.

    The surface is the one that `surfaces.create_surfaces` shows: that of all labels of a layer,
    smoothed, in the same triangles.
    """
    found: dict[str, float] = {}
    for number, layer in enumerate(labelmap.layers):
        labels = {one.value: one.segment_id for one in labelmap.labels if one.layer == number}
        by_value = _areas_by_value(layer, labelmap.affine, list(labels))
        found |= {labels[value]: area for value, area in by_value.items()}
    return found


def _areas_by_value(layer: Array, affine: Affine, values: list[int]) -> dict[int, float]:
    box = _box(layer)
    if box is None:
        return {}
    placed = affine.copy()
    placed[:3, 3] += affine[:3, :3] @ [one.start for one in box]
    # A copy in Fortran order, as VTK wants it: the layer may still be edited.
    mesh = boundaries_of_labels(np.array(layer[box], order="F"), placed, values, is_smoothed=True)
    corners = (mesh.points[mesh.faces[:, corner]].astype(np.float64) for corner in range(4))
    a, b, c, d = corners
    areas = _triangles(a, b, c) + _triangles(a, c, d)
    owners, places = np.unique(mesh.owners, return_inverse=True)
    sums = np.bincount(places, weights=areas, minlength=len(owners)) / MM2_PER_CM2
    return {int(owner): float(area) for owner, area in zip(owners, sums, strict=True)}


def _triangles(a: Points, b: Points, c: Points) -> NDArray[np.float64]:
    areas: NDArray[np.float64] = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    return areas


def _box(layer: Array) -> tuple[slice, slice, slice] | None:
    """Return the box around everything, with a voxel of background about it where there is one."""
    sides = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        filled = np.flatnonzero(layer.any(axis=others))
        if not len(filled):
            return None
        sides.append(slice(max(int(filled[0]) - 1, 0), int(filled[-1]) + 2))
    return sides[0], sides[1], sides[2]
