import numpy as np
import pytest

from SegmentationAILib.core.volume import Grid
from SegmentationAILib.learn.brain_structures import STRUCTURES
from SegmentationAILib.learn.procedural_head import head_phantom, phantom_grid, structure_labels

from phantoms import grid_around


@pytest.fixture(scope="module")
def a_phantom():
    """A crop about the deep structures, oblique and anisotropic."""
    return head_phantom(grid=grid_around((0.0, 0.0, -10.0), (80, 70, 44), spacing=(1.1, 1.4, 2.1)))


def value_at(labelmap, ras):
    i, j, k = np.rint(labelmap.grid.ijk_from_ras(np.array([ras], float))[0]).astype(int)
    return labelmap.layers[0][i, j, k]


@pytest.mark.parametrize("side", [-1, 1])
def test_labels_lie_in_ras_on_an_oblique_grid(a_phantom, side):
    labelmap = a_phantom[1]
    places = {17: (27, -5, -20), 18: (23, 16, -22), 10: (11, -2, 4), 16: (0, -8, -36)}
    found = {value: value_at(labelmap, (side * r, a, s)) for value, (r, a, s) in places.items()}
    right = {17: 53, 18: 54, 10: 49, 16: 16}
    assert found == ({value: value for value in places} if side < 0 else right)


@pytest.mark.parametrize("value", [18, 54])
def test_an_amygdalas_volume_is_that_of_its_ellipsoid(a_phantom, value):
    labelmap = a_phantom[1]
    volume_ml = np.count_nonzero(labelmap.layers[0] == value) * labelmap.grid.voxel_volume_ml
    assert volume_ml == pytest.approx(4 / 3 * np.pi * 8 * 7 * 8 / 1000, rel=0.04)


def test_the_contrast_is_that_of_t1(a_phantom):
    volume, labelmap = a_phantom
    white, cortex, fluid = (
        volume.voxels[0][labelmap.layers[0] == value].mean() for value in (2, 3, 4)
    )
    assert white > 1.2 * cortex > 1.2 * 1.5 * fluid


def test_the_same_arguments_give_the_same_voxels(a_phantom):
    again = head_phantom(grid=a_phantom[0].grid)
    np.testing.assert_array_equal(again[0].voxels, a_phantom[0].voxels)
    other = head_phantom(grid=a_phantom[0].grid, seed=1)
    assert not np.array_equal(other[0].voxels, a_phantom[0].voxels)
    np.testing.assert_array_equal(other[1].layers[0], a_phantom[1].layers[0])


def test_the_default_grid_holds_the_whole_brain():
    grid = phantom_grid()
    directions = np.random.default_rng(0).standard_normal((500, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    # the hull of the hemispheres, and the lower end of the brain stem
    surface = np.vstack([directions * (67, 86, 59) + (0, 0, 12), [[0, -18, -82]]])
    ijk = grid.ijk_from_ras(surface)
    assert (ijk > 0).all()
    assert (ijk < np.array(grid.shape) - 1).all()
    axes = grid.affine[:3, :3] / grid.spacing
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    assert np.abs(axes).max() < 0.9999


def test_the_label_table_is_the_networks_without_what_the_formula_lacks():
    labels = structure_labels()
    assert [label.value for label in labels] == [s.value for s in STRUCTURES]
    small = head_phantom(grid=Grid((3, 4, 5), np.diag([30.0, 30.0, 30.0, 1.0])))[1]
    assert small.labels == tuple(label for label in labels if label.value not in (26, 58))
