import numpy as np
import pytest

from SegmentationAILib.core.windows import axis_importance, plan_windows


def cover_count(windows):
    """How many windows contain each voxel, counted one by one."""
    count = np.zeros(windows.volume_shape, int)
    for index in np.ndindex(*[len(starts) for starts in windows.starts]):
        count[windows.inside(windows.start(index)).slices] += 1
    return count


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("extra", [-1, 0, 1])
@pytest.mark.parametrize("patch", [5, 8])
def test_every_voxel_is_covered_around_multiples_of_the_stride(overlap, extra, patch):
    stride = max(1, int(patch * (1 - overlap)))
    shape = (patch + 3 * stride + extra, patch + extra, patch + stride + extra)
    windows = plan_windows(shape, (patch, patch, patch), overlap)
    assert cover_count(windows).min() >= 1


@pytest.mark.parametrize("shape", [(20, 13, 9), (7, 31, 8), (3, 3, 40), (1, 1, 1)])
@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.5, 0.75])
def test_weights_of_all_windows_add_up_to_one_at_every_voxel(shape, overlap):
    windows = plan_windows(shape, (8, 6, 9), overlap)
    total = np.zeros(shape)
    for index in np.ndindex(*[len(starts) for starts in windows.starts]):
        start = windows.start(index)
        x, y, z = (windows.weights[a][index[a]][windows.within(start)[a]] for a in range(3))
        total[windows.inside(start).slices] += np.einsum("x,y,z->xyz", x, y, z)
    np.testing.assert_allclose(total, 1.0, atol=1e-6)


def test_windows_stay_inside_a_grid_that_is_larger_than_the_patch():
    windows = plan_windows((50, 41, 33), (16, 16, 16), 0.5)
    for starts, n in zip(windows.starts, (50, 41, 33), strict=True):
        assert starts[0] == 0
        assert starts[-1] + 16 == n


def test_neighbors_share_at_least_the_overlap_that_was_asked_for():
    windows = plan_windows((97, 64, 65), (32, 32, 32), 0.5)
    for starts in windows.starts:
        assert max(np.diff(starts)) <= 16


def test_a_grid_smaller_than_the_patch_gets_one_window_with_half_of_the_padding_before_it():
    windows = plan_windows((31, 16, 5), (32, 32, 32), 0.5)
    assert windows.count == 1
    assert windows.starts == ((0,), (-8,), (-13,))


def test_a_network_without_a_patch_sees_the_whole_grid_at_once():
    windows = plan_windows((31, 16, 5), None, 0.5)
    assert windows.count == 1
    assert windows.inside(windows.start((0, 0, 0))).shape == (31, 16, 5)


def test_window_counts_are_those_of_nnunet_and_monai():
    # 256 x 256 x 128 with 96^3 patches: 5 x 5 x 2 windows at 0.5, 4 x 4 x 2 at 0.25.
    assert plan_windows((256, 256, 128), (96, 96, 96), 0.5).count == 50
    assert plan_windows((256, 256, 128), (96, 96, 96), 0.25).count == 32


@pytest.mark.parametrize(
    ("shape", "patch", "axis"),
    [((30, 40, 90), 16, 2), ((90, 30, 40), 16, 0), ((30, 90, 40), 16, 1), ((64, 64, 64), 16, 0)],
)
def test_slabs_run_along_the_axis_with_the_smallest_cross_section(shape, patch, axis):
    assert plan_windows(shape, (patch, patch, patch)).slab_axis == axis


def test_placement_beyond_two_to_the_31_voxels_does_not_overflow():
    shape = (2000, 1500, 1200)
    windows = plan_windows(shape, (128, 128, 128), 0.5)
    assert np.prod(shape, dtype=object) > 2**31
    for starts, n in zip(windows.starts, shape, strict=True):
        assert starts[-1] + 128 == n
    assert windows.slab_axis == 0


@pytest.mark.parametrize("overlap", [-0.1, 1.0, float("nan")])
def test_an_overlap_out_of_range_is_refused(overlap):
    with pytest.raises(ValueError, match="overlap"):
        plan_windows((10, 10, 10), (4, 4, 4), overlap)


def test_an_empty_axis_is_refused():
    with pytest.raises(ValueError, match="cannot place"):
        plan_windows((10, 0, 10), (4, 4, 4))


def test_nnunets_windows_have_its_peak_its_steps_and_weights_that_add_up_to_one():
    # Its compute_steps_for_sliding_window((97, 40, 57), (33, 64, 28), 0.5), computed with it.
    windows = plan_windows((97, 40, 57), (33, 64, 28), 0.5, "nnunet")
    assert windows.starts == ((0, 16, 32, 48, 64), (-12,), (0, 10, 19, 29))
    importance = axis_importance(28, "nnunet")
    assert importance.argmax() == 14
    np.testing.assert_allclose(importance[0], np.exp(-0.5 * (14 / 3.5) ** 2))
    total = np.zeros(97)
    for start, weights in zip(windows.starts[0], windows.weights[0], strict=True):
        total[start : start + 33] += weights
    np.testing.assert_allclose(total, 1, atol=1e-6)
