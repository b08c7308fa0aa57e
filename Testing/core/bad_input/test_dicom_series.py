"""Case 26: DICOM series whose slices do not make one even, straight stack."""

import numpy as np
import pytest
from dicom_files import (
    ORIGIN_LPS,
    ROTATION,
    SPACING,
    expected_affine,
    image,
    save,
    series,
    stored_voxels,
)
from scipy import ndimage

from SegmentationAILib.core.admission import is_sheared
from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.files import read_volume
from SegmentationAILib.core.formats.dicom_series import load

VOXELS = stored_voxels((7, 6, 9))


def refusal(images, folder) -> str:
    with pytest.raises(SegmentationAIError) as error:
        load(save(images, folder))
    assert str(error.value).startswith("series ")
    return str(error.value)


def test_case_26_the_twin_is_read(tmp_path):
    """Case 26, twin: an even, straight, oblique stack in files of any order, through the door."""
    volume = read_volume(save(series(VOXELS), tmp_path / "series"))
    assert np.array_equal(volume.voxels[0], VOXELS.astype(int) - 1024)
    np.testing.assert_allclose(volume.affine, expected_affine(), atol=1e-9)
    assert volume.notes == ()


@pytest.mark.parametrize(
    ("lost", "count"), [([1], 1), ([4], 1), ([7], 1), ([3, 4], 2), ([2, 6], 2)]
)
def test_case_26_a_missing_slice_is_refused_and_placed(tmp_path, lost, count):
    """Case 26: the message says how many are missing, and where the first is."""
    images = [s for at, s in enumerate(series(VOXELS)) if at not in lost]
    sentence = refusal(images, tmp_path / "series")
    assert (
        f"has missing slices ({len(lost)}): between slices {lost[0]} and {lost[0] + 1}" in sentence
    )
    assert "mm instead of 2.5 mm" in sentence


def test_case_26_a_duplicate_slice_is_taken_once_and_said(tmp_path):
    """Case 26: the same pixels at the same place; other pixels at one place are refused."""
    images = series(VOXELS)
    again = image(VOXELS[..., 4], images[4].ImagePositionPatient)
    volume = load(save([*images, again], tmp_path / "series"))
    assert np.array_equal(volume.voxels[0], VOXELS.astype(int) - 1024)
    assert volume.notes == (
        "Images that were there twice, with the same pixels, and were taken once: 1.",
    )
    other = image(VOXELS[..., 5], images[4].ImagePositionPatient)
    assert "several different images at one place" in refusal([*images, other], tmp_path / "series")


def test_case_26_mixed_orientations_are_refused(tmp_path):
    """Case 26: a localizer among the slices."""
    across = image(
        VOXELS[..., 0],
        ORIGIN_LPS,
        ImageOrientationPatient=[*ROTATION[:, 1], *ROTATION[:, 2]],
    )
    assert "mixed orientations (1 of 10" in refusal([*series(VOXELS), across], tmp_path / "series")


def test_case_26_mixed_sizes_and_pixel_spacings_are_refused(tmp_path):
    """Case 26: neither fits one grid."""
    small = image(VOXELS[:5, ..., 0], ORIGIN_LPS + 100 * ROTATION[:, 2])
    assert "images of 2 sizes" in refusal([*series(VOXELS), small], tmp_path / "series")
    coarse = series(VOXELS)
    (tmp_path / "deeper").mkdir()
    coarse[3].PixelSpacing = [2, 2]
    assert "2 pixel spacings" in refusal(coarse, tmp_path / "deeper" / "series")


def at_distances(places_mm):
    return [
        image(VOXELS[..., k], ORIGIN_LPS + place * ROTATION[:, 2])
        for k, place in enumerate(places_mm)
    ]


def test_case_26_variable_spacing_is_refused_and_rounding_is_not(tmp_path):
    """Case 26: 2.5 mm, then 3.4 mm. Twin: positions of 0.625 mm rounded to one digit."""
    places = [0, 2.5, 5, 7.5, 10, 13.4, 16.8, 20.2, 23.6]
    sentence = refusal(at_distances(places), tmp_path / "series")
    assert "varying distances, 2.5 to 3.4 mm" in sentence
    rounded = [round(0.625 * k, 1) for k in range(9)]
    volume = load(save(at_distances(rounded), tmp_path / "twin"))
    assert volume.spacing[2] == pytest.approx(0.625, abs=0.01)
    assert "differ by up to" in volume.notes[0]


def test_case_26_slices_shifted_sideways_are_refused(tmp_path):
    """Case 26: one slice off the line by more than a pixel."""
    images = series(VOXELS)
    shifted = np.array(images[4].ImagePositionPatient, float) + 2 * ROTATION[:, 0]
    images[4].ImagePositionPatient = list(shifted)
    assert "shifted sideways by up to 2 mm" in refusal(images, tmp_path / "series")


def test_case_26_a_tilted_gantry_is_straightened_and_said(tmp_path):
    """Case 26: slices slip by tan(20 degrees); values lie where they lay, by interpolation."""
    step = SPACING[2] * (ROTATION[:, 2] + np.tan(np.radians(20)) * ROTATION[:, 1])
    smooth = ndimage.gaussian_filter(stored_voxels((12, 14, 9)).astype(float), 2) * 8
    smooth = np.clip(smooth - smooth.min(), 0, 4095).astype(np.uint16)
    volume = read_volume(save(series(smooth, step), tmp_path / "series"))
    assert not is_sheared(volume.affine)
    assert volume.spacing == pytest.approx((0.8, 1.1, 2.5))
    assert "20 degrees away from right angles" in volume.notes[-1]
    ijk = np.indices(volume.grid.shape).reshape(3, -1).T.astype(float)
    sheared = expected_affine(step)
    at = np.linalg.solve(sheared[:3, :3], (volume.grid.ras_from_ijk(ijk) - sheared[:3, 3]).T)
    limit = np.array(smooth.shape)[:, None] - 1
    inside = ((at >= 0) & (at <= limit)).all(axis=0)
    expected = ndimage.map_coordinates(smooth.astype(float) - 1024, at, order=1)
    assert inside.sum() > 1000
    difference = volume.voxels[0].ravel()[inside] - expected[inside]
    assert np.abs(difference).max() <= 0.51


def test_case_26_several_series_are_refused_with_a_list(tmp_path):
    """Case 26: never the first or the largest of them."""
    others = series(VOXELS[..., :3])
    for dataset in others:
        dataset.SeriesInstanceUID, dataset.SeriesNumber, dataset.Modality = "1.2.3", 7, "PT"
    sentence = refusal([*series(VOXELS), *others], tmp_path / "series")
    assert "holds 2 series: CT series 3 (images: 9), PT series 7 (images: 3)" in sentence
