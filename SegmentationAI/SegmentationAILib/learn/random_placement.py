"""How a training patch lies in its case: turned, scaled and mirrored at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Beyond this ratio of spacings a turn out of the plane would mix voxels of very different length.
THICK = 3.0


@dataclass(frozen=True)
class RandomPlacement:
    """Probabilities and ranges; those of nnU-Net, but for the share that is turned.

    Isensee et al., Nature Methods 2021, doi:10.1038/s41592-020-01008-z, supplementary note 4. There
    a patch is turned with probability 0.2; small data sets gain from more.

    Attributes:
        turned: Probability of a rotation.
        degrees: Largest angle about each axis, in three dimensions.
        plane_degrees: Largest angle within the plane, for planes and for thick slices.
        scaled: Probability of another size.
        lowest: Smallest size of what is seen, relative.
        highest: Largest size.
        mirror_axes: Network axes along which half of the patches are mirrored.
    """

    turned: float = 0.3
    degrees: float = 30.0
    plane_degrees: float = 180.0
    scaled: float = 0.3
    lowest: float = 0.7
    highest: float = 1.4
    mirror_axes: tuple[int, ...] = ()

    def draw(
        self, rng: np.random.Generator, spacing: tuple[float, float, float], *, of_planes: bool
    ) -> NDArray[np.float64]:
        """Return `(3, 3)`: from a step in the patch to the step in the case, both in voxels.

        Args:
            rng: Where the choices come from.
            spacing: Of the grid, mm: turns are turns in space.
            of_planes: Whether the patch is one plane, which stays in its plane.
        """
        in_plane = of_planes or spacing[2] > THICK * min(spacing)
        matrix = np.eye(3)
        if rng.random() < self.turned:
            matrix = self._rotation(rng, in_plane)
        if rng.random() < self.scaled:
            size = float(rng.uniform(self.lowest, self.highest))
            matrix = matrix @ np.diag([1 / size, 1 / size, 1.0 if in_plane else 1 / size])
        to_mm = np.diag(spacing)
        matrix = np.linalg.inv(to_mm) @ matrix @ to_mm
        for axis in self.mirror_axes:
            if rng.random() < 0.5:
                matrix[:, axis] *= -1
        return np.asarray(matrix, np.float64)

    def _rotation(self, rng: np.random.Generator, in_plane: bool) -> NDArray[np.float64]:
        largest = self.plane_degrees if in_plane else self.degrees
        x, y, z = np.radians(rng.uniform(-largest, largest, 3))
        turn_z = _turn(z, 0, 1)
        if in_plane:
            return turn_z
        return np.asarray(turn_z @ _turn(y, 2, 0) @ _turn(x, 1, 2), np.float64)


def _turn(angle: float, first: int, second: int) -> NDArray[np.float64]:
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = np.cos(angle)
    matrix[second, first] = np.sin(angle)
    matrix[first, second] = -np.sin(angle)
    return matrix
