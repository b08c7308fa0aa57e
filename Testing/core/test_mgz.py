"""FreeSurfer's format against nibabel and bytes made by hand."""

import gzip

import nibabel
import numpy as np
import pytest
from foreign_files import mgh_bytes, some_voxels

from SegmentationAILib.core.errors import FileFormatError, GeometryError
from SegmentationAILib.core.formats import mgz
from SegmentationAILib.core.volume import Volume

from phantoms import grid_around, oblique_affine


def read(tmp_path, content: bytes, name="scan.mgz") -> Volume:
    (tmp_path / name).write_bytes(content)
    return mgz.read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.mgz", "a.mgh"])
@pytest.mark.parametrize("flips", [(-1, -1, 1), (1, 1, 1), (1, -1, 1)])
def test_nibabel_finds_what_was_written(tmp_path, a_sphere_volume, name, flips):
    grid = grid_around((12.0, -7.0, 20.0), flips=flips)
    mgz.write(Volume(a_sphere_volume.voxels, grid.affine), tmp_path / name)
    image = nibabel.load(tmp_path / name)
    assert np.array_equal(np.asarray(image.dataobj), a_sphere_volume.voxels[0])
    np.testing.assert_allclose(image.affine, grid.affine, atol=1e-4)
    back = mgz.read(tmp_path / name)
    assert back.voxels.dtype == np.int16
    assert np.array_equal(back.voxels, a_sphere_volume.voxels)
    np.testing.assert_allclose(back.affine, grid.affine, atol=1e-4)


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "f4"])
def test_what_nibabel_wrote_is_read(tmp_path, dtype):
    voxels = some_voxels((6, 5, 4, 2), dtype)
    nibabel.save(nibabel.MGHImage(voxels, oblique_affine()), tmp_path / "a.mgz")
    back = mgz.read(tmp_path / "a.mgz")
    assert np.array_equal(back.voxels, np.moveaxis(voxels, -1, 0))
    assert back.voxels.dtype == np.dtype(dtype)
    np.testing.assert_allclose(back.affine, oblique_affine(), atol=1e-4)


@pytest.mark.parametrize(
    ("values", "dtype", "written"),
    [
        ([0, 1], "?", np.uint8),
        ([0, 255], "u2", np.uint8),
        ([-5, 255], "i4", np.int32),
        ([0, 40_000], "u2", np.int32),
        ([-5, 300], "i8", np.int16),
        ([0.5, np.nan], "f8", np.float32),
        ([0.5, 2.0], "f2", np.float32),
    ],
)
def test_values_are_kept_in_a_type_that_the_format_has(tmp_path, values, dtype, written):
    voxels = np.array(values, dtype).reshape(1, 2, 1, 1)
    mgz.write(Volume(voxels, oblique_affine()), tmp_path / "a.mgz")
    back = mgz.read(tmp_path / "a.mgz").voxels
    assert back.dtype == written
    assert np.array_equal(back, voxels, equal_nan=voxels.dtype.kind == "f")


@pytest.mark.parametrize(("values", "dtype"), [([0, 2**31], "u4"), ([0.1, 1], "f8"), ([1j], "c8")])
def test_values_that_would_change_are_refused(tmp_path, values, dtype):
    voxels = np.array(values, dtype).reshape(1, -1, 1, 1)
    with pytest.raises(FileFormatError, match="do not fit the 32 bits"):
        mgz.write(Volume(voxels, oblique_affine()), tmp_path / "a.mgz")
    assert not (tmp_path / "a.mgz").exists()


def test_tags_behind_the_voxels_are_left_alone(tmp_path):
    content = mgh_bytes(tail=b"\0\0\0\x03" * 30_000)
    for stored in (content, gzip.compress(content)):
        assert np.array_equal(read(tmp_path, stored).voxels[0], some_voxels())


def test_an_unplaced_scan_is_coronal_and_that_is_said(tmp_path):
    volume = read(tmp_path, mgh_bytes(is_placed=0, spacing=(0, 0, 0)))
    assert volume.affine[:3, :3].tolist() == [[-1, 0, 0], [0, 0, 1], [0, -1, 0]]
    assert "coronal slices of 1 mm" in volume.notes[0]


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"version": 2}, FileFormatError, "no MGH file"),
        ({"code": 7}, FileFormatError, r"stores complex \(double\)"),
        ({"code": 99}, FileFormatError, "unknown type code 99"),
        ({"sizes": (5, -4, 3)}, FileFormatError, "claims sizes"),
        ({"frames": 0}, FileFormatError, "claims sizes"),
        ({"frames": 2}, FileFormatError, "claims 240 bytes"),
        ({"spacing": (1, 0, 1)}, GeometryError, "voxel spacing"),
        ({"directions": (1, 0, 0, 1, 0, 0, 0, 0, 1)}, GeometryError, "singular"),
        ({"center": (np.nan, 0, 0)}, GeometryError, "not finite"),
    ],
)
def test_a_header_that_cannot_be_true_is_refused(tmp_path, changes, error, sentence):
    with pytest.raises(error, match=rf"^scan\.mgz .*{sentence}"):
        read(tmp_path, mgh_bytes(**changes))


def test_a_short_file_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match="no MGH file"):
        read(tmp_path, b"\0\0\0\1" * 4)
    with pytest.raises(FileFormatError, match="cut off"):
        read(tmp_path, mgh_bytes()[:-1])
