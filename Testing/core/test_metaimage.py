"""MetaImage against SimpleITK and bytes made by hand."""

import numpy as np
import pytest
import SimpleITK
from foreign_files import metaimage_bytes, some_voxels

from SegmentationAILib.core.errors import FileFormatError, GeometryError
from SegmentationAILib.core.formats import metaimage
from SegmentationAILib.core.volume import Volume

from phantoms import grid_around, oblique_affine

RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read(tmp_path, content: bytes) -> Volume:
    (tmp_path / "scan.mha").write_bytes(content)
    return metaimage.read(tmp_path / "scan.mha")


def affine_of(image: SimpleITK.Image) -> np.ndarray:
    lps = np.eye(4)
    lps[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    lps[:3, 3] = image.GetOrigin()
    return RAS_FROM_LPS @ lps


def itk_image(volume: Volume) -> SimpleITK.Image:
    image = SimpleITK.GetImageFromArray(volume.voxels.transpose(3, 2, 1, 0), isVector=True)
    lps = RAS_FROM_LPS @ volume.affine
    image.SetSpacing(volume.spacing)
    image.SetOrigin(lps[:3, 3])
    image.SetDirection((lps[:3, :3] / np.array(volume.spacing)).ravel())
    return image


@pytest.mark.parametrize("flips", [(-1, -1, 1), (1, 1, 1), (1, -1, 1)])
def test_simpleitk_finds_what_was_written(tmp_path, a_sphere_volume, flips):
    grid = grid_around((12.0, -7.0, 20.0), flips=flips)
    metaimage.write(Volume(a_sphere_volume.voxels, grid.affine), tmp_path / "a.mha")
    image = SimpleITK.ReadImage(str(tmp_path / "a.mha"))
    assert np.array_equal(SimpleITK.GetArrayFromImage(image).T, a_sphere_volume.voxels[0])
    np.testing.assert_allclose(affine_of(image), grid.affine, atol=1e-12)
    back = metaimage.read(tmp_path / "a.mha")
    assert np.array_equal(back.voxels, a_sphere_volume.voxels)
    np.testing.assert_allclose(back.affine, grid.affine, atol=1e-12)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_simpleitk_wrote_is_read(tmp_path, compressed, channels):
    voxels = some_voxels((channels, 6, 5, 4), "f4")
    volume = Volume(voxels, oblique_affine())
    SimpleITK.WriteImage(itk_image(volume), str(tmp_path / "a.mha"), compressed)
    back = metaimage.read(tmp_path / "a.mha")
    assert np.array_equal(back.voxels, voxels)
    np.testing.assert_allclose(back.affine, volume.affine, atol=1e-9)


@pytest.mark.parametrize(
    "dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "f2", "?"]
)
def test_every_dtype_and_two_channels_come_back(tmp_path, dtype):
    voxels = np.arange(120).reshape(2, 5, 4, 3).astype(dtype)
    metaimage.write(Volume(voxels, oblique_affine()), tmp_path / "a.mha")
    back = metaimage.read(tmp_path / "a.mha").voxels
    assert np.array_equal(back, voxels)
    assert back.dtype == {"?": np.uint8, "f2": np.float32}.get(dtype, np.dtype(dtype))
    image = SimpleITK.ReadImage(str(tmp_path / "a.mha"))
    assert np.array_equal(SimpleITK.GetArrayFromImage(image).transpose(3, 2, 1, 0), voxels)


@pytest.mark.parametrize("compressed", [False, True])
def test_both_byte_orders_give_the_same_voxels(tmp_path, compressed):
    for big in (False, True):
        volume = read(tmp_path, metaimage_bytes(big=big, compressed=compressed))
        assert np.array_equal(volume.voxels[0], some_voxels())
        assert volume.voxels.dtype.isnative


def test_rows_of_the_matrix_are_the_directions_of_the_axes(tmp_path):
    content = metaimage_bytes(
        TransformMatrix="0 1 0 0 0 1 1 0 0", Offset="10 20 30", ElementSpacing="2 3 4"
    )
    expected = np.array([[0, 0, -4, -10], [-2, 0, 0, -20], [0, 3, 0, 30], [0, 0, 0, 1]])
    assert np.array_equal(read(tmp_path, content).affine, expected)
    np.testing.assert_allclose(affine_of(SimpleITK.ReadImage(str(tmp_path / "scan.mha"))), expected)


def test_time_becomes_channels_and_a_sheet_has_one_slice(tmp_path):
    series = some_voxels((5, 4, 3, 2))
    matrix = " ".join(str(int(v)) for v in np.eye(4).ravel())
    changes = {"TransformMatrix": matrix, "Offset": "0 0 0 0", "ElementSpacing": "1 1 1 1"}
    volume = read(tmp_path, metaimage_bytes(series, CenterOfRotation=None, **changes))
    assert np.array_equal(volume.voxels, np.moveaxis(series, -1, 0))
    sheet = {"TransformMatrix": "0 1 1 0", "Offset": "7 8", "ElementSpacing": "2 3"}
    volume = read(tmp_path, metaimage_bytes(some_voxels((5, 4)), CenterOfRotation=None, **sheet))
    assert volume.voxels.shape == (1, 5, 4, 1)
    assert volume.affine[:3, :2].tolist() == [[0, -3], [-2, 0], [0, 0]]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"ObjectType": "Tube"}, "ObjectType is 'Tube'"),
        ({"ElementDataFile": "LIST"}, "ElementDataFile is 'LIST'"),
        ({"ElementDataFile": "/etc/passwd"}, "ElementDataFile is '/etc/passwd'"),
        ({"BinaryData": "False"}, "BinaryData is 'False'"),
        ({"HeaderSize": "10"}, "HeaderSize is '10.0'"),
        ({"ElementType": "MET_UCHAR_ARRAY"}, "ElementType is 'MET_UCHAR_ARRAY'"),
        ({"ElementType": None}, "ElementType is 'absent'"),
        ({"DimSize": "5 4"}, "DimSize is '5 4'"),
        ({"DimSize": "5 4 2.5"}, "DimSize is '2.5'"),
        ({"DimSize": "5 4 -3"}, "DimSize is '-3.0'"),
        ({"NDims": "11"}, "NDims is '11'"),
        ({"CompressedData": "maybe"}, "CompressedData is 'maybe'"),
        ({"ElementToIntensityFunctionSlope": "2"}, "Slope is '2.0'"),
        ({"DistanceUnits": "um"}, "DistanceUnits is 'um'"),
        ({"Offset": "0 0 x"}, "Offset is '0 0 x'"),
        ({"Comment": "a\nOffset = 1 1 1"}, "header is 'Offset = 1 1 1'"),
    ],
)
def test_a_header_that_says_something_else_is_refused_by_the_key(tmp_path, changes, found):
    with pytest.raises(FileFormatError, match=rf"scan\.mha cannot be read: .*{found}"):
        read(tmp_path, metaimage_bytes(**changes))


def test_a_header_without_an_end_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match="no line ElementDataFile"):
        read(tmp_path, b"a" * 100_000)
    with pytest.raises(GeometryError, match="not finite"):
        read(tmp_path, metaimage_bytes(Offset="0 nan 0"))


def test_a_dtype_that_the_format_lacks_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match="no voxels of type complex64"):
        metaimage.write(Volume(np.zeros((1, 2, 2, 2), np.complex64), np.eye(4)), tmp_path / "a.mha")
