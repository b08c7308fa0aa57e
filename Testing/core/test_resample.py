"""Resampling against scipy in float64, and against functions of position that are known."""

import numpy as np
import pytest
import scipy.ndimage as ndi

from SegmentationAILib.core.cubic import cubic_into, cubic_matrix
from SegmentationAILib.core.errors import GeometryError
from SegmentationAILib.core.resample import resample_to_grid, resample_to_shape
from SegmentationAILib.core.volume import Grid, Volume

from phantoms import SPHERE_CENTER_RAS, grid_around, sphere_mask

RNG = np.random.default_rng(3)


def resized(voxels: np.ndarray, shape, order: int) -> np.ndarray:
    """What skimage.transform.resize(mode="edge", anti_aliasing=False) calls, and its clip."""
    zoom = [new / old for new, old in zip(shape, voxels.shape, strict=True)]
    big = ndi.zoom(voxels.astype(np.float64), zoom, order=order, mode="nearest", grid_mode=True)
    return big.clip(voxels.min(), voxels.max())


@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((31, 20, 17), (44, 13, 17)),
        ((150, 9, 12), (140, 20, 5)),
        ((9, 160, 11), (9, 201, 30)),
        ((12, 9, 200), (30, 9, 71)),
        ((1, 40, 33), (3, 21, 35)),
        ((20, 1, 1), (25, 1, 4)),
        ((2, 3, 4), (1, 1, 1)),
    ],
)
def test_resampling_equals_zoom_in_double_precision_and_a_clip(order, shape, wanted):
    channels = (RNG.normal(size=(2, *shape)) * [[[[300]]], [[[7]]]] + 40).astype(np.float32)
    ours = resample_to_shape(channels, wanted, order)
    assert ours.shape == (2, *wanted)
    # torch places linear samples in single precision, hence the wider bound.
    bound = {0: 0.0, 1: 3e-4, 3: 2e-5}[order]
    for one, channel in zip(ours, channels, strict=True):
        expected = resized(channel, wanted, order)
        np.testing.assert_allclose(one, expected, rtol=1e-5, atol=bound * channel.std())


def test_cubic_resampling_stays_within_a_hundred_thousandth_of_the_standard_deviation():
    voxels = ndi.gaussian_filter(RNG.normal(size=(70, 96, 128)), 1.0).astype(np.float32) * 300
    ours = resample_to_shape(voxels[None], (90, 77, 150), 3)[0]
    assert np.abs(ours - resized(voxels, (90, 77, 150), 3)).max() < 1e-5 * voxels.std()


def test_many_planes_give_the_same_as_few(monkeypatch):
    voxels = RNG.normal(size=(1, 40, 30, 20)).astype(np.float32)
    whole = resample_to_shape(voxels, (33, 41, 27), 3)
    monkeypatch.setattr("SegmentationAILib.core.cubic.CHUNK_VOXELS", 3000)
    monkeypatch.setattr("SegmentationAILib.core.cubic.READ_PLANES", 3)
    np.testing.assert_allclose(resample_to_shape(voxels, (33, 41, 27), 3), whole, atol=1e-5)


@pytest.mark.parametrize("wanted", [(300, 5, 7), (67, 5, 7), (200, 5, 7), (2, 5, 7)])
def test_each_plane_is_asked_for_once_in_order_and_counts_for_the_range(wanted):
    """Reduced a hundredfold most planes are skipped, and the clip still knows their extremes."""
    voxels = RNG.normal(size=(200, 6, 8)).astype(np.float32)
    voxels[13, 2, 3], voxels[171, 4, 5] = -50, 60
    asked = []

    def planes(start, stop):
        asked.extend(range(start, stop))
        return voxels[start:stop].copy()

    ours = np.empty(wanted, np.float32)
    cubic_into(ours, voxels.shape, planes)
    assert asked == list(range(200))
    np.testing.assert_allclose(ours, resized(voxels, wanted, 3), atol=2e-4)


@pytest.mark.parametrize("order", [0, 1, 3])
def test_flipping_before_or_after_gives_the_same(order):
    voxels = RNG.normal(size=(1, 23, 17, 11)).astype(np.float32)
    # Odd factors leave no output voxel exactly between two input voxels, where nearest may tie.
    wanted = (15, 29, 7)
    flipped = resample_to_shape(voxels[:, ::-1, :, ::-1], wanted, order)[:, ::-1, :, ::-1]
    np.testing.assert_allclose(flipped, resample_to_shape(voxels, wanted, order), atol=2e-5)


@pytest.mark.parametrize("order", [1, 3])
def test_a_ramp_stays_a_ramp_away_from_the_edges(order):
    ramp = np.broadcast_to(np.arange(60, dtype=np.float32)[None, :, None, None], (1, 60, 5, 6))
    ours = resample_to_shape(ramp, (100, 5, 6), order)[0, :, 2, 3]
    expected = (np.arange(100) + 0.5) * 0.6 - 0.5
    np.testing.assert_allclose(ours[20:80], expected[20:80], atol=1e-4)


def test_cubic_resampling_does_not_leave_the_range_of_its_channel():
    step = np.zeros((1, 30, 6, 6), np.float32)
    step[:, 15:] = 1
    ours = resample_to_shape(step, (80, 6, 6), 3)
    assert ours.min() == 0
    assert ours.max() == 1


@pytest.mark.parametrize(("length", "size"), [(7, 20), (40, 13), (1, 5), (64, 64)])
def test_rows_of_the_cubic_matrix_sum_to_one(length, size):
    np.testing.assert_allclose(cubic_matrix(length, size).sum(axis=1), 1, atol=1e-12)


def test_input_is_not_changed_and_not_shared():
    voxels = RNG.normal(size=(1, 8, 9, 10)).astype(np.float32)
    kept = voxels.copy()
    voxels.setflags(write=False)
    same = resample_to_shape(voxels, (8, 9, 10), 3)
    same += 1
    resample_to_shape(voxels, (9, 8, 7), 3)
    np.testing.assert_array_equal(voxels, kept)


def test_anything_but_four_dimensional_float32_is_refused():
    with pytest.raises(ValueError, match="float32"):
        resample_to_shape(np.zeros((1, 4, 4, 4)), (5, 5, 5), 3)
    with pytest.raises(ValueError, match="order 2"):
        resample_to_shape(np.zeros((1, 4, 4, 4), np.float32), (5, 5, 5), 2)
    with pytest.raises(GeometryError, match="empty"):
        resample_to_shape(np.zeros((1, 4, 4, 4), np.float32), (5, 0, 5), 1)


def linear_in_space(grid: Grid) -> np.ndarray:
    ras = grid.ras_from_ijk(np.indices(grid.shape).reshape(3, -1).T)
    return (ras @ [0.7, -1.1, 0.4] + 12).reshape(grid.shape)


def sheared(grid: Grid) -> Grid:
    affine = grid.affine.copy()
    affine[:3, 2] += 0.3 * affine[:3, 0]
    return Grid(grid.shape, affine)


@pytest.mark.parametrize("order", [1, 3])
def test_a_function_linear_in_space_survives_between_oblique_and_sheared_grids(order):
    source = sheared(grid_around((5, 3, -2), shape=(40, 44, 30)))
    target = grid_around(
        (6, 2, -3), (9, 8, 7), spacing=(1.5, 0.7, 1.1), degrees=(-30, 12, 5), flips=(1, -1, 1)
    )
    volume = Volume(linear_in_space(source)[None].astype(np.float32), source.affine)
    ours = resample_to_grid(volume, target, order)
    np.testing.assert_allclose(ours.voxels[0], linear_in_space(target), atol=1e-3)
    assert ours.grid.matches(target)


@pytest.mark.parametrize("order", [1, 3])
def test_resampling_onto_a_grid_equals_interpolation_at_its_points(order):
    source = grid_around((0, 0, 0), shape=(20, 17, 12))
    target = grid_around((1, 2, 0.5), shape=(6, 5, 4), degrees=(3, -20, 40), flips=(1, 1, -1))
    voxels = RNG.normal(size=source.shape).astype(np.float32)
    ours = resample_to_grid(Volume(voxels[None], source.affine), target, order).voxels[0]
    points = source.ijk_from_ras(target.ras_from_ijk(np.indices(target.shape).reshape(3, -1).T))
    expected = ndi.map_coordinates(voxels.astype(float), points.T, order=order, mode="mirror")
    expected = expected.reshape(target.shape).clip(voxels.min(), voxels.max())
    np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_every_channel_and_a_left_handed_grid_keep_their_places():
    target = grid_around(SPHERE_CENTER_RAS, (40, 50, 36), flips=(1, -1, 1), degrees=(4, 5, 6))
    source = grid_around(SPHERE_CENTER_RAS)
    masks = [sphere_mask(source), ~sphere_mask(source)]
    volume = Volume(np.stack(masks).astype(np.int16) * 100, source.affine)
    ours = resample_to_grid(volume, target, 1, fill=0)
    for channel, mask in zip(ours.voxels, [sphere_mask(target), ~sphere_mask(target)], strict=True):
        inside = resample_to_grid(Volume(np.ones((1, *source.shape)), source.affine), target, 0, 0)
        known = inside.voxels[0] > 0
        assert np.mean((channel > 50)[known] == mask[known]) > 0.985


def test_nearest_keeps_dtype_and_values_and_fills_outside():
    source = Grid((3, 4, 5), np.diag([2.0, 2, 2, 1]))
    labels = RNG.integers(1, 400, (1, 3, 4, 5)).astype(np.uint16)
    moved = source.affine.copy()
    moved[0, 3] = 2.0
    ours = resample_to_grid(Volume(labels, source.affine), Grid((3, 4, 5), moved), 0, fill=0)
    assert ours.voxels.dtype == np.uint16
    np.testing.assert_array_equal(ours.voxels[0, :2], labels[0, 1:])
    assert not ours.voxels[0, 2].any()


def test_a_mask_of_bool_stays_bool():
    source = Grid((4, 4, 4), np.eye(4))
    mask = RNG.random((1, 4, 4, 4)) > 0.5
    ours = resample_to_grid(Volume(mask, source.affine), source, 0, fill=0)
    assert ours.voxels.dtype == np.bool_
    np.testing.assert_array_equal(ours.voxels, mask)


def test_outside_is_the_lowest_value_unless_told():
    volume = Volume(np.full((1, 3, 3, 3), 7, np.int16), np.eye(4))
    volume.voxels[0, 1, 1, 1] = -1024
    far = np.eye(4)
    far[:3, 3] = 50
    assert (resample_to_grid(volume, Grid((2, 2, 2), far)).voxels == -1024).all()
    assert (resample_to_grid(volume, Grid((2, 2, 2), far), fill=3).voxels == 3).all()


@pytest.mark.parametrize("shape", [(1, 9, 9), (9, 2, 9), (1, 1, 1), (3, 3, 9)])
def test_thin_volumes_reach_half_a_voxel_with_every_order(shape):
    volume = Volume(np.full((1, *shape), 5, np.float32), np.eye(4))
    fine = np.diag([0.25, 1, 1, 1])
    fine[0, 3] = -0.875
    for order in (0, 1, 3):
        ours = resample_to_grid(volume, Grid((4 * shape[0] + 4, *shape[1:]), fine), order, fill=0)
        expected = np.zeros(4 * shape[0] + 4)
        # Centers at -0.875, -0.625, -0.375, ...: those within half a voxel of the first and last.
        expected[2 : 2 + 4 * shape[0]] = 5
        np.testing.assert_allclose(ours.voxels[0, :, 0, 0], expected, atol=1e-5)


def test_voxels_that_are_no_number_do_not_spread():
    voxels = np.ones((1, 8, 8, 8), np.float32)
    voxels[0, 4, 4, 4] = np.nan
    ours = resample_to_grid(Volume(voxels, np.eye(4)), Grid((8, 8, 8), np.eye(4)), 3, fill=0)
    assert np.isfinite(ours.voxels).all()
    np.testing.assert_allclose(ours.voxels[0, 4, 4, 4], 0, atol=1e-5)
    np.testing.assert_allclose(ours.voxels[0, 0, 0, 0], 1, atol=1e-2)
    assert any("1 voxels" in note for note in ours.notes)


def test_a_volume_without_a_number_is_refused():
    volume = Volume(np.full((1, 2, 2, 2), np.nan, np.float32), np.eye(4))
    with pytest.raises(GeometryError, match="No voxel"):
        resample_to_grid(volume, volume.grid)
