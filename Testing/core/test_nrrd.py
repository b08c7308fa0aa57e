"""NRRD: headers of every version and custom, voxels and geometry to the last bit."""

import gzip
import struct

import numpy as np
import pytest
import SimpleITK

from SegmentationAILib.core.errors import FileFormatError
from SegmentationAILib.core.formats import nrrd
from SegmentationAILib.core.volume import Volume

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
TYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
TYPES += ["float32", "float64"]
NRRD_TYPE = {"int8": "signed char", "uint8": "uchar", "int16": "short", "uint16": "ushort"}
NRRD_TYPE |= {"int32": "int", "uint32": "uint", "int64": "longlong", "uint64": "uint64_t"}
NRRD_TYPE |= {"float32": "float", "float64": "double"}
PLACE = (
    "space: left-posterior-superior\n"
    "space directions: (2,0,0) (0,3,0) (0,0,4)\nspace origin: (10,20,30)\n"
)
AFFINE = np.array([[-2, 0, 0, -10], [0, -3, 0, -20], [0, 0, 4, 30], [0, 0, 0, 1.0]])


def a_file(path, fields, data, version=4, ending="\n"):
    """Write a header in the words of the format's definition, and data behind it."""
    text = f"NRRD000{version}\n# a comment: with a colon\n{fields}\n".replace("\n", ending)
    path.write_bytes(text.encode() + data)
    return path


def ramp(dtype, shape=(2, 3, 4)):
    return (np.arange(np.prod(shape)) + 1).astype(dtype).reshape(shape, order="F")


def simple(path, voxels, extra="", place=PLACE, encoding="raw", **options):
    dtype, shape = voxels.dtype, voxels.shape
    data = voxels.tobytes(order="F")
    data = gzip.compress(data) if encoding in ("gzip", "gz") else data
    endian = "big" if dtype.byteorder == ">" else "little"
    fields = (
        f"type: {NRRD_TYPE[dtype.name]}\ndimension: {len(shape)}\n{place}"
        f"sizes: {' '.join(map(str, shape))}\nendian: {endian}\nencoding: {encoding}\n{extra}"
    )
    return a_file(path, fields, data, **options)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_type_in_both_byte_orders_is_read(tmp_path, dtype, order):
    voxels = ramp(np.dtype(dtype).newbyteorder(order))
    volume = nrrd.read(simple(tmp_path / "x.nrrd", voxels))
    assert volume.voxels.dtype == np.dtype(dtype)
    assert volume.voxels.dtype.isnative
    np.testing.assert_array_equal(volume.voxels[0], voxels)
    np.testing.assert_array_equal(volume.affine, AFFINE)


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("encoding", ["raw", "gzip", "gz"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_every_version_encoding_and_line_ending_is_read(tmp_path, version, encoding, ending):
    voxels = ramp(np.int16)
    path = simple(tmp_path / "x.nrrd", voxels, encoding=encoding, version=version, ending=ending)
    np.testing.assert_array_equal(nrrd.read(path).voxels[0], voxels)


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (-1, -1, 1)),
        ("LPS", (-1, -1, 1)),
        ("right-anterior-superior", (1, 1, 1)),
        ("RAS", (1, 1, 1)),
        ("left-anterior-superior", (-1, 1, 1)),
        ("LAS", (-1, 1, 1)),
    ],
)
def test_each_anatomical_space_puts_the_patient_the_right_way(tmp_path, space, signs):
    place = PLACE.replace("left-posterior-superior", space)
    volume = nrrd.read(simple(tmp_path / "x.nrrd", ramp(np.uint8), place=place))
    expected = np.diag([*signs, 1.0]) @ LPS @ AFFINE
    np.testing.assert_array_equal(volume.affine, expected)


def test_spacings_without_directions_run_along_the_space_and_are_said(tmp_path):
    place = "space: left-posterior-superior\nspacings: 2 3 4\nspace origin: (10,20,30)\n"
    volume = nrrd.read(simple(tmp_path / "x.nrrd", ramp(np.uint8), place=place))
    np.testing.assert_array_equal(volume.affine, AFFINE)
    assert any("no directions" in note for note in volume.notes)


def test_a_missing_origin_is_zero_and_is_said(tmp_path):
    place = PLACE.split("space origin")[0]
    volume = nrrd.read(simple(tmp_path / "x.nrrd", ramp(np.uint8), place=place))
    np.testing.assert_array_equal(volume.affine[:3, 3], 0)
    assert any("no space origin" in note for note in volume.notes)


def test_micrometers_become_millimeters_and_are_said(tmp_path):
    path = simple(tmp_path / "x.nrrd", ramp(np.uint8), 'space units: "um" "um" "um"\n')
    volume = nrrd.read(path)
    np.testing.assert_allclose(volume.affine[:3], AFFINE[:3] / 1000, rtol=1e-12)
    assert any("um" in note for note in volume.notes)


def test_the_measurement_frame_and_custom_keys_change_nothing(tmp_path):
    extra = (
        "measurement frame: (0,1,0) (1,0,0) (0,0,1)\nkinds: domain domain domain\nmy key:=a: b\n"
    )
    content = nrrd.read_content(simple(tmp_path / "x.nrrd", ramp(np.uint8), extra))
    np.testing.assert_array_equal(content.affine, AFFINE)
    assert content.pairs == {"my key": "a: b"}


def test_escaped_line_breaks_and_backslashes_in_values_are_restored(tmp_path):
    path = simple(tmp_path / "x.nrrd", ramp(np.uint8), "key:=one\\ntwo \\\\n three\n")
    assert nrrd.read_content(path).pairs == {"key": "one\ntwo \\n three"}


@pytest.mark.parametrize("place_of_axis", [0, 1, 2, 3])
@pytest.mark.parametrize("kind", ["vector", "list", "RGB-color"])
def test_a_vector_axis_anywhere_becomes_channels(tmp_path, place_of_axis, kind):
    """Case 22, the accepting half: components are channels, and the pipeline counts them."""
    channels = np.stack([ramp(np.int16), -ramp(np.int16), 2 * ramp(np.int16)])
    stored = np.moveaxis(channels, 0, place_of_axis)
    directions, kinds = ["(2,0,0)", "(0,3,0)", "(0,0,4)"], ["domain"] * 3
    directions.insert(place_of_axis, "none")
    kinds.insert(place_of_axis, kind)
    place = (
        f"space: left-posterior-superior\nspace directions: {' '.join(directions)}\n"
        f"kinds: {' '.join(kinds)}\nspace origin: (10,20,30)\n"
    )
    volume = nrrd.read(simple(tmp_path / "x.nrrd", stored, place=place))
    np.testing.assert_array_equal(volume.voxels, channels)
    np.testing.assert_array_equal(volume.affine, AFFINE)


def test_a_detached_header_reads_the_file_beside_it(tmp_path):
    voxels = ramp(np.int16)
    (tmp_path / "my data.raw").write_bytes(b"12345\nskipped" + voxels.tobytes(order="F"))
    fields = "data file: my data.raw\nline skip: 1\nbyte skip: 7\n"
    path = simple(tmp_path / "x.nhdr", voxels, fields)
    np.testing.assert_array_equal(nrrd.read(path).voxels[0], voxels)


def test_a_byte_skip_of_minus_one_takes_the_end_of_the_file(tmp_path):
    voxels = ramp(np.int16)
    (tmp_path / "x.raw").write_bytes(b"any header" + voxels.tobytes(order="F"))
    path = simple(tmp_path / "x.nhdr", voxels, "datafile: x.raw\nbyte skip: -1\n")
    np.testing.assert_array_equal(nrrd.read(path).voxels[0], voxels)


@pytest.mark.parametrize("dtype", TYPES)
def test_simpleitk_reads_what_was_written(tmp_path, an_affine, dtype):
    voxels = ramp(dtype, (5, 4, 3))
    nrrd.write(Volume(voxels[None], an_affine), tmp_path / "x.nrrd")
    image = SimpleITK.ReadImage(str(tmp_path / "x.nrrd"))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image).T, voxels)
    for ijk in [(0, 0, 0), (4, 0, 0), (0, 3, 0), (4, 3, 2)]:
        expected = (LPS @ an_affine @ [*ijk, 1])[:3]
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint(ijk), expected, atol=1e-9)


def test_what_simpleitk_wrote_is_read_in_the_same_place(tmp_path, an_affine):
    voxels = ramp(np.float32, (5, 4, 3))
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(voxels.T))
    lps = LPS @ an_affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    for compressed in (True, False):
        SimpleITK.WriteImage(image, str(tmp_path / "x.nrrd"), compressed)
        volume = nrrd.read(tmp_path / "x.nrrd")
        np.testing.assert_array_equal(volume.voxels[0], voxels)
        np.testing.assert_allclose(volume.affine, an_affine, atol=1e-9)


def test_several_channels_are_a_vector_image_elsewhere(tmp_path, an_affine):
    channels = np.stack([ramp(np.int16, (5, 4, 3)), -ramp(np.int16, (5, 4, 3))])
    nrrd.write(Volume(channels, an_affine), tmp_path / "x.nrrd")
    image = SimpleITK.ReadImage(str(tmp_path / "x.nrrd"))
    assert image.GetNumberOfComponentsPerPixel() == 2
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image).T, channels)
    np.testing.assert_array_equal(nrrd.read(tmp_path / "x.nrrd").voxels, channels)


@pytest.mark.parametrize("layout", ["C", "F"])
def test_geometry_and_voxels_survive_to_the_last_bit(tmp_path, an_affine, layout):
    rng = np.random.default_rng(3)
    voxels = np.asarray(rng.normal(size=(1, 7, 5, 3)), order=layout)
    nrrd.write(Volume(voxels, an_affine), tmp_path / "x.nrrd")
    again = nrrd.read(tmp_path / "x.nrrd")
    np.testing.assert_array_equal(again.voxels, voxels)
    np.testing.assert_array_equal(again.affine, an_affine)


def test_booleans_and_half_floats_are_kept_exactly(tmp_path, an_affine):
    for dtype, kept in ((bool, np.uint8), (np.float16, np.float32)):
        voxels = (ramp(np.float32) > 3).astype(dtype)[None]
        nrrd.write(Volume(voxels, an_affine), tmp_path / "x.nrrd")
        again = nrrd.read(tmp_path / "x.nrrd").voxels
        assert again.dtype == kept
        np.testing.assert_array_equal(again, voxels)


def test_complex_voxels_are_not_written(tmp_path, an_affine):
    with pytest.raises(FileFormatError, match="complex"):
        nrrd.write(Volume(np.zeros((1, 2, 2, 2), np.complex64), an_affine), tmp_path / "x.nrrd")


def test_the_same_volume_gives_the_same_bytes(tmp_path, a_sphere_volume):
    for name in ("a.nrrd", "b.nrrd"):
        nrrd.write(a_sphere_volume, tmp_path / name)
    first = (tmp_path / "a.nrrd").read_bytes()
    assert first == (tmp_path / "b.nrrd").read_bytes()
    # RFC 1952: no time stamp in the gzip header.
    start = first.index(b"\x1f\x8b")
    assert struct.unpack_from("<I", first, start + 4) == (0,)
