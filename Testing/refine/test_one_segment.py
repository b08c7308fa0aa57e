"""One segment out and back in; the others keep every voxel and every row."""

import numpy as np
import pytest

from SegmentationAILib.core.errors import GeometryError, SegmentationAIError
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.volume import Grid
from SegmentationAILib.refine.one_segment import new_segment, segment_in, segment_named

SHAPE = (6, 5, 4)


@pytest.fixture
def a_labelmap(an_affine):
    lower, upper = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    lower[:2], lower[2:4], upper[1:3, :2] = 1, 255, 4
    rows = (Label(1, "liver"), Label(255, "spleen"), Label(4, "tumor", layer=1))
    return Labelmap((lower, upper), rows, an_affine)


def test_another_mask_changes_its_own_voxels_and_no_others(a_labelmap):
    found = segment_named(a_labelmap, "liver")
    mask = np.zeros(SHAPE, bool)
    mask[0, 1:], mask[4] = True, True
    after = found.with_mask(mask, "net", "abc")
    assert np.array_equal(after.mask(after.labels[0]), mask)
    for before, row in zip(a_labelmap.labels[1:], after.labels[1:], strict=True):
        assert row == before
        assert np.array_equal(after.mask(row), a_labelmap.mask(before))
    provenance = after.labels[0].provenance
    assert (provenance.origin, provenance.network, provenance.weights_sha256) == (
        "corrected", "net", "abc",
    )  # fmt: skip


def test_all_other_segments_are_locked(a_labelmap):
    found = segment_named(a_labelmap, "liver")
    spleen, tumor = (a_labelmap.mask(row) for row in a_labelmap.labels[1:])
    assert np.array_equal(found.others, spleen | tumor)


def test_a_name_that_is_not_there_is_a_new_segment_of_a_value_that_fits(a_labelmap):
    found = segment_in(a_labelmap, a_labelmap.grid, "kidney")
    assert not found.mask.any()
    assert found.label.value == 256
    mask = np.zeros(SHAPE, bool)
    mask[5] = True
    after = found.with_mask(mask)
    assert np.array_equal(after.mask(after.labels[-1]), mask)
    assert (after.layers[0][2:4] == 255).all()


def test_the_only_segment_needs_no_name_and_of_several_one_has_to_be_named(a_labelmap):
    with pytest.raises(SegmentationAIError, match="name one of liver, spleen, tumor"):
        segment_named(a_labelmap, None)
    one = new_segment(Grid(SHAPE, np.eye(4)), "x")
    assert segment_named(one.labelmap, None).label.name == "x"


def test_another_grid_is_refused(a_labelmap):
    affine = a_labelmap.affine.copy()
    affine[0, 3] += 1
    with pytest.raises(GeometryError, match="same grid"):
        segment_in(a_labelmap, Grid(SHAPE, affine), "liver")
