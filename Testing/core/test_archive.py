import stat
import zipfile

import pytest
from network_files import fingerprint, zip_of

from SegmentationAILib.core.archive import MAX_MEMBERS, extract
from SegmentationAILib.core.errors import WeightsError

GOOD = [("net/card.json", b"{}"), ("net/weights.safetensors", b"1234"), ("net/sub/a.txt", b"a")]


@pytest.fixture
def a_target(tmp_path):
    target = tmp_path / "parent" / "target"
    target.mkdir(parents=True)
    (tmp_path / "parent" / "precious").write_text("untouched")
    return target


def test_the_members_of_an_ordinary_archive_arrive_byte_for_byte(tmp_path, a_target):
    written = extract(zip_of(tmp_path / "a.zip", GOOD), a_target)
    assert [path.relative_to(a_target).as_posix() for path in written] == [n for n, _ in GOOD]
    assert [path.read_bytes() for path in written] == [data for _, data in GOOD]


def test_compressed_members_and_folder_entries_arrive(tmp_path, a_target):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("folder")
        archive.writestr("folder/zeros.bin", bytes(60_000))
        archive.writestr("Größe.txt", "ä".encode())
    extract(path, a_target)
    assert (a_target / "folder" / "zeros.bin").read_bytes() == bytes(60_000)
    assert (a_target / "Größe.txt").read_text(encoding="utf-8") == "ä"


def test_progress_ends_at_one(tmp_path, a_target):
    from SegmentationAILib.core.progress import Progress

    seen = []
    extract(zip_of(tmp_path / "a.zip", GOOD), a_target, Progress(lambda f, _: seen.append(f)))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_a_folder_that_is_not_empty_is_the_programmers_mistake(tmp_path, a_target):
    (a_target / "old").touch()
    with pytest.raises(ValueError, match="empty folder"):
        extract(zip_of(tmp_path / "a.zip", GOOD), a_target)


@pytest.mark.parametrize(
    "name",
    [
        "a/b\x00.txt", "a\n.txt", "C:/x", "c:x", "\\\\server\\x", "a\\..\\b", "./a", "a//b",
        "nul", "COM1.txt", "a.", "b ", "x" * 201, "\u202egpj.exe", "/", "",
    ],
)  # fmt: skip
def test_names_that_mean_another_place_or_thing_are_refused(tmp_path, a_target, name):
    path = tmp_path / "a.zip"
    placeholder = "n" * max(1, len(name.encode()))
    zip_of(path, [*GOOD, (placeholder, b"x")])
    path.write_bytes(path.read_bytes().replace(placeholder.encode(), name.encode() or b"/"))
    if any(ord(letter) > 127 for letter in name):
        zip_of(path, [*GOOD, (name, b"x")])
    with pytest.raises(WeightsError):
        extract(path, a_target)
    assert not list(a_target.iterdir())


def test_an_encrypted_member_is_refused(tmp_path, a_target):
    path = zip_of(tmp_path / "a.zip", [("a", b"x")])
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="encrypted"):
        extract(path, a_target)


def test_a_flipped_byte_inside_a_member_is_seen(tmp_path, a_target):
    path = zip_of(tmp_path / "a.zip", [("a", b"abcdefgh")])
    path.write_bytes(path.read_bytes().replace(b"abcdefgh", b"abcdefgi"))
    with pytest.raises(WeightsError, match="damaged"):
        extract(path, a_target)


def test_a_file_that_is_also_a_folder_is_refused(tmp_path, a_target):
    path = zip_of(tmp_path / "a.zip", [("a", b"x"), ("A/b", b"y")])
    with pytest.raises(WeightsError, match="both file and folder"):
        extract(path, a_target)
    assert not list(a_target.iterdir())


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_are_refused(tmp_path, a_target, kind):
    member = zipfile.ZipInfo("link")
    member.external_attr = (kind | 0o777) << 16
    before = fingerprint(tmp_path / "parent")
    with pytest.raises(WeightsError, match="link or a device"):
        extract(zip_of(tmp_path / "a.zip", [*GOOD, (member, b"/etc")]), a_target)
    assert fingerprint(tmp_path / "parent") == before


def test_as_many_members_as_allowed_are_unpacked(tmp_path, a_target):
    members = [(f"{n}", b"") for n in range(MAX_MEMBERS)]
    assert len(extract(zip_of(tmp_path / "a.zip", members), a_target)) == MAX_MEMBERS
