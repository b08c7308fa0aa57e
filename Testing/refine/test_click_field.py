import numpy as np
import pytest

from SegmentationAILib.core.volume import Grid
from SegmentationAILib.refine.click_field import Field, doubled

from phantoms import oblique_affine

GRID = Grid((61, 47, 20), oblique_affine((1.0, 1.0, 4.0)))


def a_field(level=2):
    """Probabilities along I, in cells of 4 x 4 x 1 voxels (the slices are thick)."""
    probabilities = np.linspace(0, 1, 14, dtype=np.float32)[:, None, None] * np.ones(
        (14, 9, 12), np.float32
    )
    active = np.zeros((14, 9, 12), dtype=bool)
    active[5:12, 3:8, 4:9] = True
    return Field(GRID, level, (2, 3, 5), probabilities, active)


def test_a_ramp_stays_a_ramp_when_cells_are_halved():
    ramp = np.arange(8, dtype=np.float32)[None, :, None] * np.ones((3, 8, 2), np.float32)
    halved = doubled(ramp, 1)
    assert halved.shape == (3, 16, 2)
    assert halved[0, 1:-1, 0] == pytest.approx(np.arange(14) / 2 + 0.25)


def test_finer_fields_cover_the_same_voxels_down_to_voxels():
    field = a_field()
    box = field.region.box
    assert box.start_ijk == (8, 12, 5)
    assert box.stop_ijk == (61, 47, 17)
    while field.level:
        field = field.finer()
        assert field.region.box == box
        assert field.region.shape == field.probabilities.shape == field.active.shape
    # Cells 5 to 12 from lattice 2, four voxels each, start at voxel 28: 20 into the box.
    assert field.active[:, 14, 6].nonzero()[0].tolist() == list(range(20, 48))


def test_a_cropped_field_keeps_every_active_cell_where_it_was():
    field = a_field()
    cut = field.cropped(margin=1)
    assert cut.first == (6, 5, 8)
    assert cut.active.sum() == field.active.sum()
    assert cut.probabilities.shape == (9, 7, 7)
    offset = np.subtract(cut.first, field.first)
    assert cut.probabilities[0, 0, 0] == field.probabilities[tuple(offset)]


def test_where_a_field_is_not_active_the_mask_stands():
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[:, 20:, :] = True
    over = a_field().over(mask)
    assert np.array_equal(over.probabilities[over.active], a_field().probabilities[over.active])
    assert (over.probabilities[0, 2:, 0] == 1).all()
    assert (over.probabilities[0, :2, 0] == 0).all()
