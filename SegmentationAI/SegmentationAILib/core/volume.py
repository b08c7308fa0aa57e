"""Volumes and the grids they lie on: arrays ``(C, I, J, K)`` with an affine to RAS millimetres.

Everything inside the project uses this one frame. Foreign conventions (KJI arrays, LPS world) are
converted at the door, in `files` and in `scene.volume_node`, and nowhere else.
"""

from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray

from .errors import GeometryError

Array = NDArray[np.generic]
Affine = NDArray[np.float64]

# Scanner headers carry directions in single precision; affines that agree to this fraction of a
# voxel describe the same grid (nnU-Net issue 1287 and ITK issue 3994 show 1e-6 in the wild).
SAME_GRID_TOLERANCE_VOXELS = 1e-3
# The corners of a box, `(8, 3)`, in lengths of its sides.
_CORNERS = np.array(list(product((0.0, 1.0), repeat=3)))


@dataclass(frozen=True)
class Box:
    """A half-open box of voxels: ``start_ijk`` is inside, ``stop_ijk`` is not."""

    start_ijk: tuple[int, int, int]
    stop_ijk: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along each axis."""
        i, j, k = (b - a for a, b in zip(self.start_ijk, self.stop_ijk, strict=True))
        return i, j, k

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """Index for an array ``(I, J, K)``."""
        i, j, k = (slice(a, b) for a, b in zip(self.start_ijk, self.stop_ijk, strict=True))
        return i, j, k

    @property
    def is_empty(self) -> bool:
        """Whether the box holds no voxel."""
        return any(n <= 0 for n in self.shape)


@dataclass(frozen=True, eq=False)
class Grid:
    """Where voxel centres lie: a shape ``(I, J, K)`` and an affine from (i, j, k) to RAS mm.

    Raises:
        GeometryError: The affine is not finite or not invertible, or an axis is empty.
    """

    shape: tuple[int, int, int]
    affine: Affine

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise GeometryError(
                "The affine has to be 4 x 4 finite numbers; check the header of this volume."
            )
        if any(n < 1 for n in self.shape):
            raise GeometryError(f"A volume of {self.shape} voxels is empty; at least 1 is needed.")
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
        # A determinant far below the product of the spacings means that two axes coincide.
        if not abs(np.linalg.det(affine[:3, :3])) > 1e-6 * spacing.prod() > 0:
            raise GeometryError(
                "The axes of this volume are not independent (singular direction matrix); "
                "repair the header or export the scan again."
            )
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between voxel centres along each axis, mm."""
        i, j, k = (float(s) for s in np.linalg.norm(self.affine[:3, :3], axis=0))
        return i, j, k

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    @property
    def box(self) -> Box:
        """The box of all voxels."""
        return Box((0, 0, 0), self.shape)

    def ras_from_ijk(self, ijk: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return RAS mm ``(N, 3)`` of (continuous) voxel indices ``(N, 3)``."""
        rotated = np.asarray(ijk, np.float64) @ self.affine[:3, :3].T
        return np.asarray(rotated + self.affine[:3, 3], np.float64)

    def ijk_from_ras(self, ras: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return continuous voxel indices ``(N, 3)`` of points ``(N, 3)`` in RAS mm."""
        offsets = np.asarray(ras, float) - self.affine[:3, 3]
        ijk = np.linalg.solve(self.affine[:3, :3], offsets.T).T
        return np.asarray(ijk, np.float64)

    def cropped(self, box: Box) -> "Grid":
        """Return the grid of the voxels of ``box``."""
        affine = self.affine.copy()
        affine[:3, 3] = self.ras_from_ijk(np.array([box.start_ijk], float))[0]
        return Grid(box.shape, affine)

    def distance_voxels(self, other: "Grid") -> float:
        """Return how far corresponding corners lie apart, in voxels; inf if shapes differ."""
        if self.shape != other.shape:
            return float("inf")
        if np.array_equal(self.affine, other.affine):
            return 0.0
        corners = _CORNERS * (np.array(self.shape) - 1)
        apart = np.abs(self.ijk_from_ras(other.ras_from_ijk(corners)) - corners)
        return float(apart.max())

    def matches(self, other: "Grid") -> bool:
        """Return whether both grids have the same voxels at the same places."""
        return self.distance_voxels(other) <= SAME_GRID_TOLERANCE_VOXELS


def check_same_grid(first: Grid, second: Grid, names: tuple[str, str]) -> None:
    """Raise unless two grids match.

    Raises:
        GeometryError: They differ; the message names both, their shapes and the largest distance.
    """
    if first.matches(second):
        return
    if first.shape != second.shape:
        found = f"{names[0]} has {first.shape} voxels and {names[1]} {second.shape}"
    else:
        found = (
            f"{names[0]} and {names[1]} lie up to {first.distance_voxels(second):.3g} voxels apart"
        )
    raise GeometryError(f"{found}; both have to lie on the same grid: resample one onto the other.")


@dataclass(frozen=True, eq=False)
class Volume:
    """Intensities with an affine.

    Attributes:
        voxels: ``(C, I, J, K)``, any real dtype; channels share the grid.
        affine: Voxel centres (i, j, k) to RAS mm, float64 ``(4, 4)``.
        notes: Sentences about what was mended while reading (also for the report).

    Raises:
        GeometryError: ``voxels`` is not four-dimensional, or the affine cannot be one.
    """

    voxels: Array
    affine: Affine
    notes: tuple[str, ...] = ()
    grid: Grid = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.voxels.ndim != 4 or self.voxels.shape[0] < 1:
            raise GeometryError(f"Voxels of shape {self.voxels.shape} are not (channels, i, j, k).")
        i, j, k = self.voxels.shape[1:]
        object.__setattr__(self, "grid", Grid((i, j, k), self.affine))
        object.__setattr__(self, "affine", self.grid.affine)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between voxel centres along each axis, mm."""
        return self.grid.spacing

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.voxels.shape[0])
