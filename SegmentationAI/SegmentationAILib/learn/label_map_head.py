"""A head for the synthesizer, read from a FreeSurfer-numbered label map."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..core.errors import GeometryError
from ..core.files import read_labelmap
from .brain_structures import CHANNEL_OF_CODE, codes_from_label_map, tissues_of
from .deform import Array


@dataclass(frozen=True, eq=False)
class LabelMapHead:
    """Codes on a voxel grid along R, A, S.

    Attributes:
        codes: `(I, J, K)` uint8, a margin of air on every side.
        spacing_mm: distance of voxels along each axis.
        center_ijk: the voxel coordinates of the brain's center.
    """

    codes: NDArray[np.uint8]
    spacing_mm: NDArray[np.float64]
    center_ijk: NDArray[np.float64]

    @property
    def box_mm(self) -> NDArray[np.float64]:
        """The head's extent `(2, 3)` from the brain's center, mm."""
        corners = np.stack([np.zeros(3), np.array(self.codes.shape) - 1.0])
        return (corners - self.center_ijk) * self.spacing_mm

    def code_at(self, points_mm: Array) -> NDArray[np.uint8]:
        """Return the nearest voxel's code `(I, J, K)` at points `(3, I, J, K)` (see `Head`)."""
        flat = np.zeros(points_mm.shape[1:], dtype=np.int32)
        for axis, size in enumerate(self.codes.shape):
            index = points_mm[axis] * np.float32(1.0 / self.spacing_mm[axis])
            index += np.float32(self.center_ijk[axis] + 0.5)
            # The margin is air: whatever lies outside reads air.
            np.clip(index, 0, size - 1, out=index)
            flat *= size
            flat += index.astype(np.int32)
        return self.codes.ravel()[flat]


def head_from_label_map(values: NDArray[np.integer], affine: NDArray[np.float64]) -> LabelMapHead:
    """Return the head of a label map `(I, J, K)` whose axes run along R, A, S in any order.

    Raises:
        GeometryError: the axes are oblique by more than 1 degree, no brain is in it, or a value is
            not known.
    """
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    order = np.abs(directions).argmax(axis=1)
    if sorted(order) != [0, 1, 2] or np.abs(directions).max(axis=0).min() < np.cos(np.deg2rad(1)):
        raise GeometryError("The label map's axes are oblique; resample it along R, A, S first.")
    ras = np.transpose(values, order)
    ras = ras[tuple(slice(None, None, int(np.sign(directions[r, order[r]]))) for r in range(3))]
    codes = codes_from_label_map(ras)
    brain = np.argwhere(CHANNEL_OF_CODE[codes[::2, ::2, ::2]] > 0) * 2
    if len(brain) == 0:
        raise GeometryError("The label map holds no structure of the brain.")
    head = np.argwhere(tissues_of(codes[::2, ::2, ::2]) > 0) * 2
    start, stop = np.maximum(head.min(axis=0) - 2, 0), head.max(axis=0) + 4
    codes = np.pad(codes[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))], 1)
    center = (brain.min(axis=0) + brain.max(axis=0)) / 2 - start + 1
    spacing = np.linalg.norm(affine[:3, :3], axis=0)[order]
    return LabelMapHead(np.ascontiguousarray(codes), spacing, center)


def read_heads(paths: list[Path]) -> list[LabelMapHead]:
    """Return the heads of label map files, in order."""
    labelmaps = [read_labelmap(path) for path in paths]
    return [head_from_label_map(m.layers[0].astype(np.int32), m.affine) for m in labelmaps]
