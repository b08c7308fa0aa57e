"""DICOM series: right Hounsfield units at the right places, or a refusal by name."""

import os
import shutil
import sys

import numpy as np
import pydicom
import pytest
from dicom_files import expected_affine, image, save, series, stored_voxels
from pydicom.uid import RLELossless

from SegmentationAILib.core.child_reader import read_in_child
from SegmentationAILib.core.errors import FileFormatError, GeometryError
from SegmentationAILib.core.formats import dicom, nifti
from SegmentationAILib.core.formats.dicom_series import load


@pytest.fixture
def a_series():
    return series(stored_voxels())


def test_a_series_comes_through_the_child_in_hounsfield_units(tmp_path, a_series):
    volume = dicom.read(save(a_series, tmp_path / "a séries"))
    assert volume.voxels.dtype == np.int16
    assert np.array_equal(volume.voxels[0], stored_voxels().astype(int) - 1024)
    np.testing.assert_allclose(volume.affine, expected_affine(), atol=1e-9)
    assert volume.notes == ()


def test_what_no_image_is_is_left_out_and_said(tmp_path, a_series):
    folder = save(a_series, tmp_path / "series")
    (folder / "readme.txt").write_text("hello")
    (folder / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM../../etc/passwd")
    (folder / "deeper").mkdir()
    report = image(stored_voxels()[..., 0], (0, 0, 0))
    del report.PixelData
    report.save_as(folder / "report.dcm", enforce_file_format=True)
    volume = load(folder)
    assert np.array_equal(volume.voxels[0], stored_voxels().astype(int) - 1024)
    assert volume.notes == (
        "Files of the folder that are no DICOM files and were left out: 1.",
        "DICOM files of the folder that hold no image and were left out: 1.",
    )


@pytest.mark.parametrize(
    ("changes", "dtype", "expected"),
    [
        ({"RescaleSlope": None, "RescaleIntercept": None}, np.int16, 4000.0),
        ({"RescaleSlope": 2, "RescaleIntercept": -10}, np.int16, 7990.0),
        ({"RescaleSlope": 20}, np.int32, 78976.0),
        ({"RescaleSlope": "0.25", "RescaleIntercept": "1"}, np.float32, 1001.0),
        ({"BitsStored": 16, "HighBit": 15, "PixelRepresentation": 1}, np.int16, 2976.0),
        ({"PixelRepresentation": 1}, np.int16, 4000.0 - 4096 - 1024),
    ],
)
def test_stored_values_are_rescaled_exactly(tmp_path, changes, dtype, expected):
    pixels = np.full((6, 5), 4000, np.uint16)
    volume = load(save([image(pixels, (0, 0, 0), **changes)], tmp_path / "s"))
    assert volume.voxels.dtype == dtype
    assert (volume.voxels == expected).all()


def test_overlays_in_unused_bits_do_not_become_intensities(tmp_path):
    pixels = np.full((6, 5), 4000 | 0xF000, np.uint16)
    assert (load(save([image(pixels, (0, 0, 0))], tmp_path / "s")).voxels == 2976).all()


def test_slices_with_slopes_of_their_own_are_scaled_each(tmp_path, a_series):
    for at, dataset in enumerate(a_series):
        dataset.RescaleSlope, dataset.RescaleIntercept = 0.5 * (at + 1), 0
    volume = load(save(a_series, tmp_path / "s"))
    expected = stored_voxels() * (0.5 * np.arange(1, 5))
    assert np.array_equal(volume.voxels[0], expected.astype(np.float32))


def test_one_image_is_as_thick_as_it_says(tmp_path, a_series):
    volume = load(save(a_series[:1], tmp_path / "s"))
    np.testing.assert_allclose(volume.affine, expected_affine(), atol=1e-9)
    a_series[1].SliceThickness = 0
    with pytest.raises(GeometryError, match="spacing of 0 mm"):
        load(save(a_series[1:2], tmp_path / "t"))


def test_lossless_run_lengths_give_the_same_voxels(tmp_path, a_series):
    for dataset in a_series:
        dataset.compress(RLELossless)
    volume = load(save(a_series, tmp_path / "s"))
    assert np.array_equal(volume.voxels[0], stored_voxels().astype(int) - 1024)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"NumberOfFrames": 3}, "3 frames in one image"),
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, "pixels of kind RGB"),
        ({"BitsAllocated": 64}, "12 of 64 bits"),
        ({"HighBit": 15}, "up to bit 15"),
        ({"PixelData": b"12"}, "has 2 bytes of pixels, and 60"),
        ({"PixelSpacing": None}, "PixelSpacing is absent"),
        ({"ImagePositionPatient": None}, "ImagePositionPatient is absent"),
        ({"ImageOrientationPatient": [1, 0, 0]}, "ImageOrientationPatient is absent or not 6"),
        ({"RescaleSlope": 0}, "rescaled by 0"),
        ({"Rows": 6000, "Columns": 6000}, "bytes of pixels"),
    ],
)
def test_images_of_another_kind_are_refused_by_name(tmp_path, changes, sentence):
    folder = save([image(stored_voxels()[..., 0], (0, 0, 0), **changes)], tmp_path / "series 1")
    with pytest.raises(FileFormatError, match=rf"series 1 .*{sentence}"):
        load(folder)


def test_a_compression_without_a_codec_is_refused_by_its_name(tmp_path, a_series):
    for dataset in a_series:
        dataset.compress(RLELossless)
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID("1.2.840.10008.1.2.4.100")
    with pytest.raises(FileFormatError, match="is compressed as MPEG2"):
        load(save(a_series, tmp_path / "s"))


def test_messages_of_the_child_reach_the_person_without_the_patients_name(tmp_path, a_series):
    other = image(stored_voxels()[..., 0], (0, 0, 0), SeriesInstanceUID="1.2", Modality="MR")
    with pytest.raises(FileFormatError) as refusal:
        dicom.read(save([*a_series, other], tmp_path / "s"))
    assert str(refusal.value) == (
        "s holds 2 series: CT series 3 (images: 4), MR series 3 (images: 1); one was expected: "
        "put each series into a folder of its own."
    )


@pytest.mark.parametrize("name", ["missing", "file"])
def test_what_is_no_folder_is_refused(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileFormatError, match=rf"^{name} is not a folder"):
        dicom.read(tmp_path / name)


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match="no DICOM images"):
        load(tmp_path)


def test_a_damaged_file_is_refused_by_its_own_name(tmp_path, a_series):
    folder = save(a_series, tmp_path / "s")
    (folder / "bad.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\x02\0\0\0UL\x04\0\xff\xff")
    with pytest.raises(FileFormatError, match=r"bad\.dcm|ended unexpectedly|damaged"):
        load(folder)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("os.kill(os.getpid(), 11)", r"ended unexpectedly \(code -11\)"),
        ("time.sleep(60)", "took longer than 2 s"),
        ("raise KeyError('Secret^Name')", r"reading it failed \(KeyError\)"),
        ("return bytearray(1 << 32)", "takes more memory"),
        ("os.write(1, b'x' * 100); os._exit(0)", r"ended unexpectedly \(code 0\)"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX systems")
def test_the_parent_outlives_its_child(tmp_path, monkeypatch, body, sentence):
    root = tmp_path / "root"
    package = root / "SegmentationAILib" / "core"
    source = os.path.dirname(os.path.dirname(dicom.__file__))  # noqa: PTH120
    shutil.copytree(source, package, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "SegmentationAILib" / "__init__.py").write_text("")
    reader = f"import os, time\n\ndef load(path):\n    {body}\n"
    (package / "formats" / "dicom_series.py").write_text(reader)
    monkeypatch.setattr(
        "SegmentationAILib.core.child_reader.__file__", str(package / "child_reader.py")
    )
    # Leaves 1.2 GiB: the 4 GiB of one reader above would be lent by this system without a limit.
    monkeypatch.setattr("SegmentationAILib.core.child_reader.memory_budget_bytes", lambda: 10**8)
    with pytest.raises(Exception, match=rf"^scan .*{sentence}"):
        read_in_child("dicom_series", tmp_path / "scan", 2.0 if "sleep" in body else 60.0)


def test_real_ct_lies_where_its_labels_lie(the_data):
    """The labels are of another orientation: their corners have to fall on ours."""
    pytest.importorskip("PIL", reason="the series is compressed as JPEG 2000")
    folder = the_data / "ct-dicom" / "series"
    volume, labels = dicom.read(folder), nifti.read(the_data / "ct-dicom" / "labels.nii.gz")
    assert volume.voxels.shape[1:] == (512, 512, 20)
    ours = volume.affine @ [0, 511, 0, 1]  # the labels' rows run the other way
    np.testing.assert_allclose(ours, labels.affine @ [0, 0, 0, 1], atol=1e-3)
    ours = volume.affine @ [511, 0, 19, 1]
    np.testing.assert_allclose(ours, labels.affine @ [511, 511, 19, 1], atol=1e-3)
    files = [pydicom.dcmread(path) for path in folder.iterdir()]
    files.sort(key=lambda f: float(f.ImagePositionPatient[2]))
    middle = files[10].pixel_array.T.astype(int) - 1024
    assert np.array_equal(volume.voxels[0, :, :, 10], middle)


def test_real_abdomen_has_air_at_minus_thousand(the_data):
    folder = the_data / "ct-abdomen-dicom" / "series"
    volume = dicom.read(folder)
    assert volume.voxels.shape == (1, 512, 512, 41)
    assert volume.spacing == pytest.approx((0.796875, 0.796875, 5.0))
    files = sorted(folder.iterdir())
    files = [pydicom.dcmread(files[at]) for at in (0, -1)]
    for dataset in files:
        k = round((float(dataset.ImagePositionPatient[2]) - volume.affine[2, 3]) / 5.0)
        expected = dataset.pixel_array.T * int(dataset.RescaleSlope) + int(dataset.RescaleIntercept)
        assert np.array_equal(volume.voxels[0, :, :, k], expected)
    air = volume.voxels[0, 200:300, 5:15, 20]
    assert -1010 < np.median(air) < -960
