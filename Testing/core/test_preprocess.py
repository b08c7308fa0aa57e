"""What a network gets lies where it should, by position in space."""

import numpy as np
import pytest
import scipy.ndimage as ndi

from SegmentationAILib.core.errors import Cancelled, GeometryError
from SegmentationAILib.core.intensity import IntensityRule
from SegmentationAILib.core.preprocess import InputRules, Prepared, prepare
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.core.volume import Box, Grid, Volume

from phantoms import SPHERE_CENTER_RAS, SPHERE_RADIUS_MM, grid_around, sphere_mask

GRIDS = {
    "right-handed": grid_around(SPHERE_CENTER_RAS, (50, 44, 30)),
    "left-handed": grid_around(SPHERE_CENTER_RAS, (44, 40, 34), flips=(1, -1, 1)),
    "axes in another order": Grid(
        (30, 50, 44), grid_around(SPHERE_CENTER_RAS, (50, 44, 30)).affine[:, [2, 0, 1, 3]]
    ),
}


def linear_in_space(grid: Grid) -> Volume:
    ras = grid.ras_from_ijk(np.indices(grid.shape).reshape(3, -1).T)
    values = ras @ [0.7, -1.1, 0.4] + 300
    return Volume(values.reshape(1, *grid.shape).astype(np.float32), grid.affine)


def soft_sphere(grid: Grid, radius_mm=SPHERE_RADIUS_MM, blur_mm=2.0) -> np.ndarray:
    """1 inside, 0 outside, one half at the radius; smooth enough for linear interpolation."""
    ras = grid.ras_from_ijk(np.indices(grid.shape).reshape(3, -1).T)
    distance = np.linalg.norm(ras - SPHERE_CENTER_RAS, axis=1).reshape(grid.shape)
    return 1 / (1 + np.exp((distance - radius_mm) / (blur_mm / 2)))


def brought_back(prepared: Prepared, channel: int = 0) -> np.ndarray:
    """The prepared array at the source voxels, by the axis map alone; NaN where not covered."""
    axes = prepared.axis_map
    places = np.meshgrid(*axes.coordinates, indexing="ij")
    voxels = ndi.map_coordinates(
        prepared.array[channel].astype(float), places, order=1, mode="nearest"
    )
    for place, size in zip(places, axes.network_shape, strict=True):
        voxels[(place < -0.5) | (place > size - 0.5)] = np.nan
    return voxels.transpose(np.argsort(axes.source_axis))


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize(
    "rules",
    [
        InputRules(),
        InputRules("LIA", (1.0, 1.0, 1.0), multiple_of=16),
        InputRules("RAS", (2.0, 0.8, 1.7), order=1),
        InputRules("SPL", (1.5, 1.5, 1.5), size=(64, 40, 80)),
        InputRules("ASR", size=(20, 100, 30)),
    ],
    ids=str,
)
def test_a_network_that_returns_its_input_gives_each_voxel_its_own_intensity(name, rules):
    volume = linear_in_space(GRIDS[name])
    prepared = prepare(volume, rules)
    back = brought_back(prepared)
    assert back.shape == volume.grid.shape
    box = prepared.axis_map.source_box
    covered = np.zeros(back.shape, bool)
    covered[box.slices] = True
    np.testing.assert_array_equal(np.isfinite(back), covered)
    # Splines bend near the edge of the volume; a ramp is kept exactly away from it.
    inside = np.zeros(back.shape, bool)
    inside[6:-6, 6:-6, 6:-6] = True
    keep = inside & ndi.binary_erosion(covered, iterations=2)
    assert keep.sum() > 300
    np.testing.assert_allclose(back[keep], volume.voxels[0][keep], atol=0.05)


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("code", ["LIA", "RAS", "PSR"])
def test_the_center_of_a_sphere_comes_back_within_a_tenth_of_a_voxel(name, code):
    grid = GRIDS[name]
    volume = Volume(soft_sphere(grid)[None].astype(np.float32) * 500 - 50, grid.affine)
    rules = InputRules(code, (1.0, 1.0, 1.0), IntensityRule("minmax"), multiple_of=16)
    found = brought_back(prepare(volume, rules)) > 0.5
    center = grid.ras_from_ijk(np.argwhere(found).mean(axis=0)[None])[0]
    assert np.linalg.norm(center - SPHERE_CENTER_RAS) < 0.1 * min(grid.spacing)
    truth = sphere_mask(grid)
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.99


def test_network_axes_point_along_the_code_in_space():
    # Brightest towards the patient's left, which LIA has as its first axis.
    grid = GRIDS["axes in another order"]
    ras = grid.ras_from_ijk(np.indices(grid.shape).reshape(3, -1).T)
    volume = Volume(-ras[:, 0].reshape(1, *grid.shape).astype(np.float32), grid.affine)
    array = prepare(volume, InputRules("LIA", (1.0, 1.0, 1.0))).array[0]
    gradient = [float(np.diff(array, axis=axis).mean()) for axis in range(3)]
    assert gradient[0] > 0.5
    assert gradient[0] == max(np.abs(gradient))


def test_spacing_and_padding_give_the_shape_of_the_formula():
    grid = grid_around((0, 0, 0), (50, 44, 30))  # 0.9 x 1.3 x 2.5 mm
    volume = linear_in_space(grid)
    # Its axes point left, posterior, superior: LIA takes them as 0, 2, 1.
    prepared = prepare(volume, InputRules("LIA", (1.0, 1.0, 1.0), multiple_of=32))
    assert prepared.axis_map.source_axis == (0, 2, 1)
    # 45, 75 and 57.2 mm, each up to a multiple of 32.
    assert prepared.array.shape == (1, 64, 96, 64)


def test_a_fixed_matrix_is_centered_on_the_volume_and_padded_with_background():
    volume = linear_in_space(GRIDS["right-handed"])
    prepared = prepare(
        volume, InputRules("LIA", (1, 1, 1), IntensityRule("zscore"), size=(96,) * 3)
    )
    assert prepared.array.shape == (1, 96, 96, 96)
    assert (prepared.array[0, 0] == np.float32(prepared.background[0])).all()
    for axis, along in enumerate(prepared.axis_map.coordinates):
        assert (along[0] + along[-1]) / 2 == pytest.approx(47.5, abs=0.51), axis


def test_a_roi_sees_its_surroundings_and_labels_only_itself():
    volume = linear_in_space(GRIDS["right-handed"])
    box = Box((2, 4, 8), (16, 20, 20))
    rules = InputRules("RAS", (0.8, 0.8, 0.8), IntensityRule("zscore"), multiple_of=8)
    part, whole = prepare(volume, rules, box), prepare(volume, rules)
    assert part.axis_map.source_box == box
    assert part.array.size < 0.6 * whole.array.size
    back, expected = brought_back(part), brought_back(whole)
    assert np.isnan(back).sum() == back.size - np.prod(box.shape)
    np.testing.assert_allclose(back[box.slices], expected[box.slices], atol=0.02)


def test_a_roi_leaves_a_fixed_matrix_as_it_is():
    volume = linear_in_space(GRIDS["left-handed"])
    rules = InputRules("LIA", (1, 1, 1), size=(64, 64, 64))
    part = prepare(volume, rules, Box((3, 4, 5), (20, 20, 20)))
    np.testing.assert_array_equal(part.array, prepare(volume, rules).array)
    assert part.axis_map.source_box == Box((3, 4, 5), (20, 20, 20))


def test_a_roi_beside_the_volume_is_refused():
    with pytest.raises(GeometryError, match="holds no voxel of the volume"):
        prepare(linear_in_space(GRIDS["left-handed"]), InputRules(), Box((90, 0, 0), (99, 9, 9)))


@pytest.mark.parametrize(("air", "body"), [(-1000, 40), (0, 400)])
def test_the_body_is_found_in_noise_beside_specks(air, body):
    rng = np.random.default_rng(4)
    grid = Grid((80, 70, 40), np.diag([2.0, 2.0, 3.0, 1]))
    voxels = rng.normal(air, 12, grid.shape)
    voxels[30:50, 25:45, 12:28] = rng.normal(body, 30, (20, 20, 16))
    voxels[3, 3, 3] = voxels[75, 60, 38] = body  # specks of noise, wires
    volume = Volume(voxels[None].astype(np.int16), grid.affine)
    prepared = prepare(volume, InputRules(crop_to_body=True))
    # 10 mm are 5 voxels in plane and 4 across.
    assert prepared.axis_map.source_box == Box((25, 20, 8), (55, 50, 32))
    assert any("Cropped to the body" in note for note in prepared.notes)
    np.testing.assert_array_equal(prepared.array[0], volume.voxels[0, 25:55, 20:50, 8:32])


def test_each_channel_is_normalized_by_itself():
    rng = np.random.default_rng(2)
    voxels = rng.normal(size=(2, 20, 18, 16)) * [[[[50]]], [[[3]]]] + [[[[900]]], [[[-7]]]]
    rules = InputRules(channels=("T1", "FLAIR"), intensity=IntensityRule("zscore"))
    array = prepare(Volume(voxels, np.eye(4)), rules).array
    np.testing.assert_allclose(array.mean(axis=(1, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(array.std(axis=(1, 2, 3)), 1, atol=1e-4)


def test_cubic_input_equals_zoom_of_the_normalized_volume():
    rng = np.random.default_rng(9)
    voxels = rng.normal(100, 30, (24, 20, 15))
    volume = Volume(voxels[None], np.diag([1.0, 1.5, 2.0, 1]))
    array = prepare(volume, InputRules(None, (0.8, 1, 1), IntensityRule("zscore"))).array[0]
    normal = (voxels - voxels.mean()) / voxels.std()
    shape = (30, 30, 30)
    zoom = [n / o for n, o in zip(shape, voxels.shape, strict=True)]
    expected = ndi.zoom(normal, zoom, order=3, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(array, expected.clip(normal.min(), normal.max()), atol=1e-4)


def test_the_volume_is_not_changed_and_may_be_read_only():
    volume = linear_in_space(GRIDS["left-handed"])
    kept = volume.voxels.copy()
    volume.voxels.setflags(write=False)
    prepare(volume, InputRules("LIA", (1.5, 1.5, 1.5), IntensityRule("percentile")))
    np.testing.assert_array_equal(volume.voxels, kept)


def test_progress_that_raises_ends_the_preparation():
    def stop(fraction: float, sentence: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        prepare(linear_in_space(GRIDS["left-handed"]), InputRules(), progress=Progress(stop))


@pytest.mark.parametrize(
    "numbers",
    [{"spacing_mm": (1, 0, 1)}, {"multiple_of": 0}, {"size": (0, 4, 4)}, {"channels": ()}],
)
def test_rules_that_cannot_be_are_refused(numbers):
    with pytest.raises(ValueError, match=r"spacing|grid|channel"):
        InputRules(**numbers)
