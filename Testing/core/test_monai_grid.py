"""MONAI's own ``Spacing`` makes the same grids."""

import numpy as np
import pytest
from monai.data import MetaTensor
from monai.transforms import Spacing

from SegmentationAILib.core.monai_grid import resampled_grid

from phantoms import oblique_affine

CASES = {
    "finer and coarser": ((31, 37, 17), (0.9, 0.8, 3.1), (1.5, 1.1, 2.0)),
    "the same": ((31, 37, 17), (0.9, 0.8, 3.1), (0.9, 0.8, 3.1)),
    "near the same": ((31, 37, 17), (0.9, 0.8, 3.1), (0.9004, 0.8, 3.1)),
    "one voxel": ((31, 1, 17), (0.9, 0.8, 3.1), (2.0, 2.0, 2.0)),
    "many voxels of one": ((9, 8, 5), (0.9, 0.8, 3.1), (0.3, 0.31, 0.32)),
}


@pytest.mark.parametrize("name", CASES)
def test_grids_are_those_of_monais_spacing(name):
    shape, before, after = CASES[name]
    affine = oblique_affine() @ np.diag([*before, 1.0])
    affine[:3, :3] /= np.linalg.norm(oblique_affine()[:3, :3], axis=0)
    volume = MetaTensor(np.zeros((1, *shape), np.float32), affine=affine)
    theirs = Spacing(after, dtype=np.float64)(volume)
    grid = resampled_grid(affine, shape, after)
    placed = affine @ np.diag([*grid.ratio, 1.0])
    placed[:3, 3] = affine[:3, :3] @ grid.shift + affine[:3, 3]
    assert grid.shape == tuple(theirs.shape[1:])
    np.testing.assert_allclose(placed, theirs.affine.numpy(), atol=1e-3)
