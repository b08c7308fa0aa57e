"""Oblique, anisotropic scans with known truth and as much noise as makes single voxels useless."""

from dataclasses import dataclass

import numpy as np
import pytest

from SegmentationAILib.core.volume import Box, Grid
from SegmentationAILib.learn.weak_labels.seeds import Seeds

from phantoms import SPHERE_CENTER_RAS, SPHERE_RADIUS_MM, grid_around, sphere_mask


@dataclass(frozen=True)
class Scan:
    voxels: np.ndarray
    truth: np.ndarray
    grid: Grid

    @property
    def spacing(self):
        return self.grid.spacing

    def ball(self, radius_mm, offset=(0.0, 0.0, 0.0)):
        return sphere_mask(self.grid, SPHERE_CENTER_RAS + np.array(offset), radius_mm)

    def dice(self, mask):
        return 2.0 * (mask & self.truth).sum() / (mask.sum() + self.truth.sum())


def scan_of(bright, dark, noise, seed=11):
    grid = grid_around(SPHERE_CENTER_RAS)
    truth = sphere_mask(grid, radius_mm=SPHERE_RADIUS_MM)
    rng = np.random.default_rng(seed)
    voxels = np.where(truth, bright, dark) + rng.normal(0.0, noise, grid.shape)
    return Scan(voxels.astype(np.float32), truth, grid)


@pytest.fixture(scope="session")
def a_clear_scan():
    """A ball of 300 on -50, noise 8."""
    return scan_of(300.0, -50.0, 8.0)


@pytest.fixture(scope="session")
def a_noisy_scan():
    """A ball of 300 on -50, noise 150: one voxel in eight is on the wrong side of the middle.

    Cut to a box in which the ball is a third.
    """
    scan = scan_of(300.0, -50.0, 150.0)
    box = Box((10, 12, 9), (50, 40, 25))
    cut = (array[box.slices] for array in (scan.voxels, scan.truth))
    return Scan(*cut, scan.grid.cropped(box))


@pytest.fixture(scope="session")
def some_seeds(a_clear_scan):
    """A small ball in the middle, and everything beyond 22 mm."""
    return Seeds(a_clear_scan.ball(3.0), ~a_clear_scan.ball(22.0))
