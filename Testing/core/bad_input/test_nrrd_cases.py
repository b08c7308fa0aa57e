"""Cases 20 to 22 and others of the list of bad input, for NRRD; each with its harmless twin."""

import gzip
import os
import time
import zlib

import numpy as np
import psutil
import pytest

from SegmentationAILib.core.errors import FileFormatError, GeometryError, SegmentationAIError
from SegmentationAILib.core.files import read_volume

SPACE = "space: left-posterior-superior"
DIRECTIONS = "space directions: (1,0,0) (0,1,0) (0,0,1)"
ORIGIN = "space origin: (0,0,0)"
HARMLESS = (
    f"type: uint8\ndimension: 3\n{SPACE}\nsizes: 4 4 4\n{DIRECTIONS}\n{ORIGIN}\nencoding: raw"
)
VOXELS = bytes(range(64))
DETACHED = HARMLESS + "\ndata file: "


def a_file(path, fields, data=VOXELS):
    path.write_bytes(b"NRRD0004\n" + fields.encode() + b"\n\n" + data)
    return path


def test_the_harmless_twin_is_accepted(tmp_path):
    volume = read_volume(a_file(tmp_path / "x.nrrd", HARMLESS))
    assert volume.voxels.tobytes(order="F") == VOXELS
    np.testing.assert_array_equal(volume.affine, np.diag([-1, -1, 1, 1]))


@pytest.mark.parametrize(
    "named",
    [
        "/etc/passwd",
        "../../x",
        "..",
        ".",
        "folder/voxels.raw",
        "folder\\voxels.raw",
        "C:\\voxels.raw",
        "C:voxels.raw",
        "https://example.org/voxels.raw",
        "file:///etc/passwd",
        "x.nhdr",
        "LIST",
        "LIST 2",
        "voxels%03d.raw 1 4 1",
        "link.raw",
        "absent.raw",
        "a folder",
        "a pipe",
    ],
)
def test_case_20_a_detached_header_leads_nowhere_else(tmp_path, named):
    folder = tmp_path / "scans"
    (folder / "folder").mkdir(parents=True)
    (folder / "a folder").mkdir()
    os.mkfifo(folder / "a pipe")
    for target in (tmp_path / "x", folder / "folder" / "voxels.raw", folder / "C:voxels.raw"):
        target.write_bytes(VOXELS)
    (folder / "folder\\voxels.raw").write_bytes(VOXELS)
    (folder / "link.raw").symlink_to(tmp_path / "x")
    path = a_file(folder / "x.nhdr", DETACHED + named, b"")
    start = time.perf_counter()
    with pytest.raises(FileFormatError):
        read_volume(path)
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize(
    "named", ["voxels.raw", "my voxels.raw", "-voxels.raw", "50%.raw", "é.raw"]
)
def test_case_20_a_plain_name_beside_the_header_is_read(tmp_path, named):
    (tmp_path / named).write_bytes(VOXELS)
    volume = read_volume(a_file(tmp_path / "x.nhdr", DETACHED + named, b""))
    assert volume.voxels.tobytes(order="F") == VOXELS


def test_case_21_a_huge_claim_is_refused_before_anything_is_allocated(tmp_path):
    fields = HARMLESS.replace("uint8", "float").replace("4 4 4", "40000 40000 40000")
    before = psutil.Process().memory_info().rss
    with pytest.raises(SegmentationAIError, match=r"x\.nrrd"):
        read_volume(a_file(tmp_path / "x.nrrd", fields + "\nendian: little"))
    assert psutil.Process().memory_info().rss - before < 50e6


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(1,0,0) (0", "(nan,0,0) (0"),
        ("(1,0,0) (0", "(nan,nan,nan) (0"),
        ("(1,0,0) (0", "(inf,0,0) (0"),
        ("(1,0,0) (0", "none (0"),
        (DIRECTIONS, "space directions: (1,0,0) (0,1,0)"),
        (DIRECTIONS, "space directions: (1,0) (0,1) (0,0)"),
        (DIRECTIONS, "space directions: (1,0,0) (0,1,0) (0,0,1) (0,0,1)"),
        (DIRECTIONS, "space directions: (1,0,0) (0,1,0) (0,0,x)"),
        (DIRECTIONS, "space directions: (1,0,0) (0,1,0) 3"),
        (DIRECTIONS, "thicknesses: 1 1 1"),
        (SPACE, "space dimension: 3"),
        (SPACE, "space: scanner-xyz"),
        (SPACE, "space: left-posterior-superior-time"),
        (SPACE, "content: no space"),
        (ORIGIN, "space origin: (0,0)"),
        (ORIGIN, "space origin: (nan,0,0)"),
        (ORIGIN, "space origin: 0 0 0"),
        ("sizes: 4 4 4", "sizes: 4 4"),
        ("sizes: 4 4 4", "sizes: 4 4 4 1"),
        ("sizes: 4 4 4", "sizes: 4 4 0"),
        ("sizes: 4 4 4", "sizes: 4 4 -4"),
        ("sizes: 4 4 4", "sizes: 4 4 4.0"),
        ("sizes: 4 4 4", "sizes: 4 4 1e9"),
        ("sizes: 4 4 4", "sizes: 4294967296 4294967296 4294967297"),
        ("sizes: 4 4 4", "sizes: 4 4 5"),
        ("sizes: 4 4 4", "sizes: 4 4 3"),
        ("dimension: 3", "dimension: 2"),
        ("dimension: 3", "dimension: 16"),
        ("dimension: 3", "dimension: three"),
        ("type: uint8", "type: block\nblock size: 1"),
        ("type: uint8", "type: complex"),
        ("type: uint8", "content: no type"),
        ("type: uint8", "type: short"),
        ("encoding: raw", "encoding: ascii"),
        ("encoding: raw", "encoding: hex"),
        ("encoding: raw", "encoding: bzip2"),
        ("encoding: raw", "content: no encoding"),
        ("encoding: raw", "encoding: gzip"),
        ("encoding: raw", "encoding: raw\nbyte skip: 1"),
        ("encoding: raw", "encoding: raw\nbyte skip: -2"),
        ("encoding: raw", "encoding: raw\nbyte skip: 99999999999"),
        ("encoding: raw", "encoding: raw\nline skip: 3"),
        ("encoding: raw", "encoding: raw\nencoding: raw"),
        ("encoding: raw", "encoding: raw\nunknown field: 1"),
        ("encoding: raw", "encoding: raw\na line of nothing"),
        ("encoding: raw", 'encoding: raw\nspace units: "furlong" "mm" "mm"'),
        ("encoding: raw", "encoding: raw\nkinds: domain domain"),
        ("encoding: raw", "encoding: raw\nkinds: vector domain domain"),
    ],
)
def test_case_21_headers_that_contradict_themselves_are_refused(tmp_path, old, new):
    assert old in HARMLESS
    path = a_file(tmp_path / "x.nrrd", HARMLESS.replace(old, new, 1))
    with pytest.raises((FileFormatError, GeometryError), match=r"x\.nrrd"):
        read_volume(path)


def test_case_21_the_message_on_a_missing_space_says_what_to_write(tmp_path):
    path = a_file(tmp_path / "x.nrrd", HARMLESS.replace(SPACE + "\n", ""))
    with pytest.raises(FileFormatError, match=r"does not name its space.*left-posterior-superior"):
        read_volume(path)


@pytest.mark.parametrize(
    "directions",
    [
        "(1,0,0) (1,0,0) (0,0,1)",  # singular
        "(0,0,0) (0,1,0) (0,0,1)",  # case 18: zero spacing
        "(1e-12,0,0) (0,1,0) (0,0,1)",
        "(1e12,0,0) (0,1,0) (0,0,1)",
    ],
)
def test_directions_that_no_scan_has_are_refused(tmp_path, directions):
    fields = HARMLESS.replace(DIRECTIONS, f"space directions: {directions}")
    with pytest.raises(GeometryError, match=r"x\.nrrd"):
        read_volume(a_file(tmp_path / "x.nrrd", fields))


def test_case_22_four_components_are_four_channels_and_never_a_scalar_volume(tmp_path):
    fields = (
        f"type: uint8\ndimension: 4\n{SPACE}\nsizes: 4 4 4 4\n"
        f"space directions: none (1,0,0) (0,1,0) (0,0,1)\nkinds: vector domain domain domain\n"
        f"{ORIGIN}\nencoding: raw"
    )
    data = np.random.default_rng(0).integers(0, 255, (4, 4, 4, 4)).astype(np.uint8)
    volume = read_volume(a_file(tmp_path / "x.nrrd", fields, data.tobytes(order="F")))
    assert volume.channels == 4
    np.testing.assert_array_equal(volume.voxels, data)


@pytest.mark.parametrize("kinds", ["time domain domain domain", "complex domain domain domain"])
def test_case_22_time_and_complex_numbers_are_refused_by_name(tmp_path, kinds):
    fields = HARMLESS.replace("dimension: 3", f"dimension: 4\nkinds: {kinds}")
    fields = fields.replace("4 4 4", "1 4 4 4").replace("directions: (", "directions: none (")
    with pytest.raises(FileFormatError, match=kinds.split()[0]):
        read_volume(a_file(tmp_path / "x.nrrd", fields))


def deflated(data=VOXELS):
    return gzip.compress(data, mtime=0)


GZIP = HARMLESS.replace("raw", "gzip")


def test_the_compressed_harmless_twin_is_accepted(tmp_path):
    volume = read_volume(a_file(tmp_path / "x.nrrd", GZIP, deflated()))
    assert volume.voxels.tobytes(order="F") == VOXELS


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(VOXELS[:-1], id="raw, cut off"),
        pytest.param(VOXELS + b"\1", id="raw, more than the header tells of"),
        pytest.param(b"", id="raw, no voxels"),
    ],
)
def test_cases_1_and_6_raw_voxels_are_read_whole_or_not_at_all(tmp_path, data):
    with pytest.raises(FileFormatError, match=r"x\.nrrd"):
        read_volume(a_file(tmp_path / "x.nrrd", HARMLESS, data))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(deflated()[:-9], id="cut off in the stream"),
        pytest.param(deflated()[:-1], id="cut off in the checksum"),
        pytest.param(deflated()[:-6] + b"\0\0" + deflated()[-4:], id="bad checksum"),
        pytest.param(deflated(VOXELS[:-1]), id="one voxel short"),
        pytest.param(deflated(VOXELS + b"\1"), id="one voxel too many"),
        pytest.param(deflated() + b"more", id="bytes behind the stream"),
        pytest.param(zlib.compress(VOXELS), id="zlib and not gzip"),
        pytest.param(VOXELS, id="not compressed at all"),
    ],
)
def test_cases_2_to_6_compressed_voxels_are_read_whole_or_not_at_all(tmp_path, data):
    with pytest.raises(FileFormatError, match=r"x\.nrrd"):
        read_volume(a_file(tmp_path / "x.nrrd", GZIP, data))


def test_case_4_one_flipped_bit_is_never_data(tmp_path):
    rng = np.random.default_rng(4)
    good = deflated(rng.bytes(4096))
    fields = GZIP.replace("4 4 4", "16 16 16")
    path = tmp_path / "x.nrrd"
    read_volume(a_file(path, fields, good))
    for at in rng.integers(10, len(good) - 4, 40):
        flipped = bytearray(good)
        flipped[at] ^= 1 << int(rng.integers(8))
        with pytest.raises(FileFormatError):
            read_volume(a_file(path, fields, bytes(flipped)))


def test_case_6_two_members_of_gzip_are_read_whole(tmp_path):
    data = deflated(VOXELS[:30]) + deflated(VOXELS[30:])
    volume = read_volume(a_file(tmp_path / "x.nrrd", GZIP, data))
    assert volume.voxels.tobytes(order="F") == VOXELS


def test_a_header_without_end_is_refused_in_bounded_memory(tmp_path):
    path = tmp_path / "x.nrrd"
    path.write_bytes(b"NRRD0004\n" + b"# long\n" * 3_000_000)
    start = time.perf_counter()
    with pytest.raises(FileFormatError, match="header of more than 16 MiB"):
        read_volume(path)
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize(
    "start", [b"NRRD0006\n", b"NRRD00040\n", b"NRRD\n", b"nrrd0004\n", b"\n\n"]
)
def test_other_first_lines_are_refused(tmp_path, start):
    path = tmp_path / "x.nrrd"
    path.write_bytes(start + HARMLESS.encode() + b"\n\n" + VOXELS)
    with pytest.raises(FileFormatError, match=r"x\.nrrd"):
        read_volume(path)


def test_random_damage_is_refused_or_read_and_never_crashes(tmp_path):
    """A small fuzz of headers: bytes changed, doubled, taken out; the full counts run elsewhere."""
    rng = np.random.default_rng(20)
    whole = b"NRRD0004\n" + GZIP.encode() + b"\n\n" + deflated()
    path = tmp_path / "x.nrrd"
    outcomes = {"read": 0, "refused": 0}
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(len(damaged)))
            choice = int(rng.integers(3))
            if choice == 0:
                damaged[at] = int(rng.integers(256))
            elif choice == 1:
                del damaged[at : at + int(rng.integers(1, 9))]
            else:
                damaged[at:at] = damaged[at : at + int(rng.integers(1, 30))]
        path.write_bytes(damaged or b"x")
        try:
            volume = read_volume(path)
        except SegmentationAIError:
            outcomes["refused"] += 1
        else:
            outcomes["read"] += 1
            assert volume.voxels.tobytes(order="F") == VOXELS
    assert outcomes["refused"] > 100
