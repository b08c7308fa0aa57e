"""NIfTI against nibabel, SimpleITK and bytes made by hand."""

import nibabel
import numpy as np
import pytest
import SimpleITK
from foreign_files import gzipped, nifti_bytes, some_voxels

from SegmentationAILib.core import admission
from SegmentationAILib.core.errors import FileFormatError, GeometryError, MemoryBudgetError
from SegmentationAILib.core.formats import nifti
from SegmentationAILib.core.formats.nifti_place import quaternion_of
from SegmentationAILib.core.volume import Volume

from phantoms import grid_around, oblique_affine, rotation

RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read(tmp_path, content: bytes, name="scan.nii") -> Volume:
    (tmp_path / name).write_bytes(content)
    return nifti.read(tmp_path / name)


def affine_of(image: SimpleITK.Image) -> np.ndarray:
    lps = np.eye(4)
    lps[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    lps[:3, 3] = image.GetOrigin()
    return RAS_FROM_LPS @ lps


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
@pytest.mark.parametrize("flips", [(-1, -1, 1), (1, 1, 1), (1, -1, 1), (-1, 1, -1)])
def test_two_other_readers_find_what_was_written(tmp_path, a_sphere_volume, name, flips):
    grid = grid_around((12.0, -7.0, 20.0), flips=flips)
    nifti.write(Volume(a_sphere_volume.voxels, grid.affine), tmp_path / name)
    image = nibabel.load(tmp_path / name)
    assert np.array_equal(np.asarray(image.dataobj), a_sphere_volume.voxels[0])
    for affine in (image.get_sform(), image.get_qform()):
        np.testing.assert_allclose(affine, grid.affine, atol=1e-5)
    other = SimpleITK.ReadImage(str(tmp_path / name))
    assert np.array_equal(SimpleITK.GetArrayFromImage(other).T, a_sphere_volume.voxels[0])
    np.testing.assert_allclose(affine_of(other), grid.affine, atol=1e-5)
    back = nifti.read(tmp_path / name)
    assert back.voxels.dtype == np.int16
    assert back.notes == ()
    assert np.array_equal(back.voxels, a_sphere_volume.voxels)
    np.testing.assert_allclose(back.affine, grid.affine, atol=1e-5)


@pytest.mark.parametrize(
    "dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "f2", "?"]
)
def test_every_dtype_comes_back_with_its_values(tmp_path, dtype):
    voxels = np.arange(60).reshape(1, 5, 4, 3).astype(dtype)
    nifti.write(Volume(voxels, oblique_affine()), tmp_path / "a.nii.gz")
    back = nifti.read(tmp_path / "a.nii.gz").voxels
    assert np.array_equal(back, voxels)
    assert back.dtype == {"?": np.uint8, "f2": np.float32}.get(dtype, np.dtype(dtype))
    assert np.array_equal(np.asarray(nibabel.load(tmp_path / "a.nii.gz").dataobj), voxels[0])


def test_channels_are_vector_components_to_other_readers(tmp_path):
    voxels = np.random.default_rng(5).normal(size=(2, 5, 4, 3)).astype(np.float32)
    nifti.write(Volume(voxels, oblique_affine()), tmp_path / "a.nii")
    image = SimpleITK.ReadImage(str(tmp_path / "a.nii"))
    assert image.GetNumberOfComponentsPerPixel() == 2
    assert np.array_equal(SimpleITK.GetArrayFromImage(image).transpose(3, 2, 1, 0), voxels)
    assert np.array_equal(nifti.read(tmp_path / "a.nii").voxels, voxels)


def test_time_points_become_channels(tmp_path):
    series = some_voxels((5, 4, 3, 7))
    nibabel.save(nibabel.Nifti1Image(series, oblique_affine()), tmp_path / "a.nii")
    assert np.array_equal(nifti.read(tmp_path / "a.nii").voxels, np.moveaxis(series, -1, 0))


def test_a_sheet_has_one_slice(tmp_path):
    volume = read(tmp_path, nifti_bytes(some_voxels((5, 4)), pixdim=(1, 1, 1, 0, 0, 0, 0, 0)))
    assert volume.voxels.shape == (1, 5, 4, 1)
    assert np.array_equal(volume.voxels[0, :, :, 0], some_voxels((5, 4)))


def test_an_axis_past_16_bits_is_written_as_nifti_2(tmp_path):
    voxels = np.arange(40_000, dtype=np.int32).reshape(1, 40_000, 1, 1)
    nifti.write(Volume(voxels, oblique_affine()), tmp_path / "a.nii")
    image = nibabel.load(tmp_path / "a.nii")
    assert isinstance(image, nibabel.Nifti2Image)
    assert np.array_equal(np.asarray(image.dataobj), voxels[0])
    np.testing.assert_allclose(image.affine, oblique_affine(), atol=1e-12)
    np.testing.assert_allclose(image.get_qform(), oblique_affine(), atol=1e-9)
    assert np.array_equal(nifti.read(tmp_path / "a.nii").voxels, voxels)


@pytest.mark.parametrize(("slope", "inter"), [(0.5, -1024.0), (2.0, 0.0), (1.0, 3.0)])
def test_stored_values_are_scaled_as_nibabel_scales_them(tmp_path, slope, inter):
    volume = read(tmp_path, nifti_bytes(slope=slope, inter=inter))
    assert volume.voxels.dtype == np.float32
    assert np.array_equal(volume.voxels[0], some_voxels() * slope + inter)
    assert np.array_equal(volume.voxels[0], nibabel.load(tmp_path / "scan.nii").get_fdata())


def test_wide_integers_are_scaled_without_losing_digits(tmp_path):
    voxels = np.array([[[2**30 + 1]]], np.int32)
    assert read(tmp_path, nifti_bytes(voxels, slope=0.5)).voxels[0, 0, 0, 0] == 2**29 + 0.5


def test_memory_is_judged_by_what_scaled_values_take(tmp_path, monkeypatch):
    voxels = some_voxels((20, 20, 20), "u1")
    monkeypatch.setattr(admission, "memory_budget_bytes", lambda: 5 * voxels.size - 1)
    assert read(tmp_path, nifti_bytes(voxels)).voxels.dtype == np.uint8
    with pytest.raises(MemoryBudgetError, match="20 x 20 x 20 x 1 voxels"):
        read(tmp_path, nifti_bytes(voxels, slope=2.0))


def test_micrometers_and_meters_become_millimeters(tmp_path):
    micrometers = (500.0, 0, 0, 1000, 0, 700.0, 0, 0, 0, 0, 900.0, 0)
    volume = read(tmp_path, nifti_bytes(srow=micrometers, pixdim=(500.0,) * 8, units=3))
    assert volume.spacing == pytest.approx((0.5, 0.7, 0.9))
    assert volume.affine[0, 3] == pytest.approx(1.0)
    assert "micrometers" in volume.notes[0]
    meters = tuple(v / 1e6 for v in micrometers)
    volume = read(tmp_path, nifti_bytes(srow=meters, pixdim=(5e-4,) * 8, units=1))
    assert volume.spacing == pytest.approx((0.5, 0.7, 0.9))


def test_without_a_place_the_axes_lie_as_in_slicer(tmp_path):
    volume = read(tmp_path, nifti_bytes(sform_code=0, pixdim=(1, 0.5, 0.6, 0.7, 1, 1, 1, 1)))
    expected = affine_of(SimpleITK.ReadImage(str(tmp_path / "scan.nii")))
    np.testing.assert_allclose(volume.affine, expected, atol=1e-6)
    assert "does not say where" in volume.notes[0]


def test_the_quaternion_of_any_rotation_gives_the_rotation_back(tmp_path):
    for degrees in [(0, 0, 0), (180, 0, 0), (0, 180, 0), (0, 0, 180), (170, -85, 60), (17, -9, 25)]:
        expected = np.eye(4)
        expected[:3, :3] = rotation(*degrees)
        quatern = quaternion_of(expected[:3, :3])
        volume = read(tmp_path, nifti_bytes(sform_code=0, qform_code=1, quatern=quatern))
        np.testing.assert_allclose(volume.affine, expected, atol=1e-6)
        np.testing.assert_allclose(nibabel.load(tmp_path / "scan.nii").affine, expected, atol=1e-6)


def test_a_quaternion_that_is_no_rotation_is_refused(tmp_path):
    for quatern in ((0.9, 0.9, 0), (np.nan, 0, 0)):
        with pytest.raises(GeometryError, match=r"scan.nii has a rotation \(qform\)"):
            read(tmp_path, nifti_bytes(sform_code=0, qform_code=1, quatern=quatern))


def test_an_invalid_qform_beside_a_good_sform_is_said(tmp_path):
    volume = read(tmp_path, nifti_bytes(qform_code=1, quatern=(2, 0, 0)))
    assert volume.notes == ("The qform of the header is not valid; the sform was used.",)


def test_extensions_are_skipped(tmp_path):
    plain = nifti_bytes(vox_offset=384.0)
    volume = read(tmp_path, plain[:352] + b"e" * 32 + plain[352:])
    assert np.array_equal(volume.voxels[0], some_voxels())


def test_content_decides_against_the_name_and_that_is_said(tmp_path):
    for name, content, word in (
        ("a.nii", gzipped(nifti_bytes()), "compressed"),
        ("a.nii.gz", nifti_bytes(), "not compressed"),
    ):
        volume = read(tmp_path, content, name)
        assert np.array_equal(volume.voxels[0], some_voxels())
        assert volume.notes == (f"The file is {word}, against its name; its content was read.",)


def test_a_pair_and_an_unwritable_dtype_are_refused_by_name(tmp_path):
    with pytest.raises(FileFormatError, match=r"pair \(.hdr and .img\)"):
        read(tmp_path, nifti_bytes(magic=b"ni1\0"))
    volume = Volume(np.zeros((1, 2, 2, 2), np.complex64), np.eye(4))
    with pytest.raises(FileFormatError, match="no voxels of type complex64"):
        nifti.write(volume, tmp_path / "a.nii")
    assert not (tmp_path / "a.nii").exists()


def test_real_files_are_read_as_nibabel_reads_them(the_data):
    files = [
        *(the_data / "spinal-cord").glob("*.nii.gz"),
        *sorted((the_data / "brain-label-maps").glob("*.nii.gz"))[:1],
        *sorted((the_data / "hippocampus").rglob("*.nii*"))[:4],
        the_data / "ct-dicom" / "labels.nii.gz",
    ]
    assert len(files) == 8
    for path in files:
        image, volume = nibabel.load(path), nifti.read(path)
        assert np.array_equal(volume.voxels[0], np.asanyarray(image.dataobj)), path.name
        np.testing.assert_allclose(volume.affine, image.affine, atol=1e-5)
