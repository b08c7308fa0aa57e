"""Case 44: archives that want out of their folder, with their harmless twin."""

import json
import stat
import struct
import time
import zipfile
from pathlib import Path

import pytest
from network_files import (
    fingerprint,
    tiny_card,
    tiny_weights,
    whole_safetensors,
    zip_of,
)

from SegmentationAILib.core.archive import extract
from SegmentationAILib.core.errors import WeightsError

SECONDS_TO_REFUSE = 2.0


WHOLE = whole_safetensors(tiny_weights())


def link(name, to):
    member = zipfile.ZipInfo(name)
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member, to.encode()


HOSTILE_MEMBERS = {
    "parent folder": [("../evil", b"x")],
    "parent folder inside": [("a/../../evil", b"x")],
    "absolute": [("/tmp/segmentationai-evil", b"x")],
    "windows": [("..\\evil", b"x")],
    "link, then a file through it": [link("door", ".."), ("door/evil", b"x")],
    "doubled": [("a", b"1"), ("a", b"2")],
    "case clash": [("Card.json", b"1"), ("card.json", b"2")],
    "unicode clash": [("caf\u00e9", b"1"), ("cafe\u0301", b"2")],
}


def archive_of_many_members(path, count):
    """Made by hand: the library takes six seconds to write so many."""
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 0, 0, 33, 0, 0, 0, 1, 0) + b"a"
    entries = [
        struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 0, 0, 33, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0)
        + b"%06d" % number
        for number in range(count)
    ]
    directory = b"".join(entries)
    shown = min(count, 0xFFFF)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, shown, shown, len(directory), len(local), 0)
    path.write_bytes(local + directory + end)
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", HOSTILE_MEMBERS)
def test_case_44_nothing_is_written_when_a_member_wants_out(tmp_path, name):
    target = tmp_path / "parent" / "target"
    target.mkdir(parents=True)
    path = zip_of(tmp_path / "evil.zip", [("good", b"x"), *HOSTILE_MEMBERS[name]])
    before = fingerprint(tmp_path)
    start = time.monotonic()
    with pytest.raises(WeightsError, match=r"evil\.zip"):
        extract(path, target)
    assert time.monotonic() - start < SECONDS_TO_REFUSE
    assert fingerprint(tmp_path) == before
    assert not Path("/tmp/segmentationai-evil").exists()


def test_case_44_a_hundred_thousand_members_are_refused_at_once(tmp_path):
    (tmp_path / "target").mkdir()
    path = archive_of_many_members(tmp_path / "many.zip", 100_000)
    start = time.monotonic()
    with pytest.raises(WeightsError, match="members"):
        extract(path, tmp_path / "target")
    assert time.monotonic() - start < SECONDS_TO_REFUSE
    assert not list((tmp_path / "target").iterdir())


def test_case_44_a_member_that_inflates_a_thousandfold_is_refused(tmp_path):
    (tmp_path / "target").mkdir()
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(10_000_000))
    with pytest.raises(WeightsError, match="inflate to 10000000"):
        extract(tmp_path / "bomb.zip", tmp_path / "target")
    assert not list((tmp_path / "target").iterdir())


def test_case_44_a_member_that_lies_about_its_size_is_refused(tmp_path):
    (tmp_path / "target").mkdir()
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(10_000_000))
    small, large = (n.to_bytes(4, "little") for n in (1000, 10_000_000))
    data = (tmp_path / "bomb.zip").read_bytes().replace(large, small)
    (tmp_path / "bomb.zip").write_bytes(data)
    with pytest.raises(WeightsError, match="damaged"):
        extract(tmp_path / "bomb.zip", tmp_path / "target")
    assert sum(p.stat().st_size for p in (tmp_path / "target").iterdir()) <= 1000


def test_case_44_twin_an_exported_network_is_unpacked(tmp_path):
    (tmp_path / "target").mkdir()
    files = {"card.json": json.dumps(tiny_card()).encode(), "weights.safetensors": WHOLE}
    extract(zip_of(tmp_path / "net.zip", files.items()), tmp_path / "target")
    assert {p.name: p.read_bytes() for p in (tmp_path / "target").iterdir()} == files
