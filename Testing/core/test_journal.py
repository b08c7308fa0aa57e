"""Journals: what was written comes back; what was torn is dropped; windows do not meet."""

import os
import signal
import stat
import subprocess
import sys
import time

import numpy as np
import pytest

from SegmentationAILib.core.errors import FileFormatError
from SegmentationAILib.core.journal import (
    MAGIC,
    Journal,
    Record,
    abandoned_journals,
    read_journal,
)
from SegmentationAILib.core.mask_history import NO_MASK, PlacedMask, box_of, decoded, encoded
from SegmentationAILib.core.volume import Box

RECORDS = [
    Record("node", {"name": "Leber — ü", "n": [1, 2, 3]}),
    Record("voxels", {}, bytes(range(256))),
    Record("empty"),
]


def test_records_come_back_in_order_and_byte_for_byte(tmp_path):
    journal = Journal(tmp_path / "journals")
    journal.append(RECORDS[:1])
    journal.append(RECORDS[1:])
    assert read_journal(journal.path) == (RECORDS, ())
    assert journal.path.stat().st_size == journal.size_bytes


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
def test_only_the_owner_can_read_a_journal(tmp_path):
    journal = Journal(tmp_path / "journals")
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700
    journal.replace(RECORDS)
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600


def test_a_journal_cut_at_any_byte_keeps_every_record_before_the_cut(tmp_path):
    journal = Journal(tmp_path)
    ends = [journal.size_bytes]
    for record in RECORDS:
        journal.append([record])
        ends.append(journal.size_bytes)
    content = journal.path.read_bytes()
    torn = tmp_path / "torn.journal"
    for length in range(len(content)):
        torn.write_bytes(content[:length])
        records, notes = read_journal(torn)
        complete = sum(end <= length for end in ends[1:])
        assert records == RECORDS[:complete]
        assert bool(notes) == (length not in ends)


def test_a_flipped_bit_anywhere_in_a_record_is_noticed(tmp_path):
    journal = Journal(tmp_path)
    journal.append(RECORDS)
    content = journal.path.read_bytes()
    flipped = tmp_path / "flipped.journal"
    for position in range(len(MAGIC), len(content), 7):
        changed = bytearray(content)
        changed[position] ^= 4
        flipped.write_bytes(changed)
        records, notes = read_journal(flipped)
        assert records == RECORDS[: len(records)]
        assert len(records) < len(RECORDS)
        assert notes


def test_another_file_is_refused_by_name(tmp_path):
    other = tmp_path / "x.journal"
    other.write_bytes(b"PK\x03\x04 something else entirely")
    with pytest.raises(FileFormatError, match=r"x\.journal"):
        read_journal(other)


def test_a_full_disk_costs_one_write_and_no_record_before_or_after(tmp_path, monkeypatch):
    journal = Journal(tmp_path)
    journal.append(RECORDS[:1])
    real = os.write

    def half_then_full(handle, content):
        monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        return real(handle, bytes(content)[: len(content) // 2])

    monkeypatch.setattr(os, "write", half_then_full)
    with pytest.raises(OSError, match="full"):
        journal.append(RECORDS[1:2])
    monkeypatch.setattr(os, "write", real)
    journal.append(RECORDS[2:])
    assert read_journal(journal.path) == ([RECORDS[0], RECORDS[2]], ())


def test_replacing_keeps_only_the_new_records_and_goes_on(tmp_path):
    journal = Journal(tmp_path)
    journal.append(RECORDS * 50)
    before = journal.size_bytes
    journal.replace(RECORDS[:1])
    journal.append(RECORDS[2:])
    assert read_journal(journal.path) == ([RECORDS[0], RECORDS[2]], ())
    assert journal.size_bytes < before / 20
    assert abandoned_journals(tmp_path) == []
    assert list(tmp_path.iterdir()) == [journal.path]


def test_two_windows_write_two_files_and_a_living_one_is_not_abandoned(tmp_path):
    first, second = Journal(tmp_path), Journal(tmp_path)
    first.append(RECORDS[:1])
    second.append(RECORDS[1:])
    assert first.path != second.path
    assert abandoned_journals(tmp_path) == []
    first.close(delete=False)
    assert abandoned_journals(tmp_path) == [first.path]
    assert read_journal(first.path)[0] == RECORDS[:1]
    second.close()
    assert abandoned_journals(tmp_path) == [first.path]
    assert not second.path.exists()


def test_no_journal_is_abandoned_where_there_is_no_folder(tmp_path):
    assert abandoned_journals(tmp_path / "none") == []


WRITER = """
import sys
from pathlib import Path
from SegmentationAILib.core.journal import Journal, Record
journal = Journal(Path(sys.argv[1]))
number = 0
while True:
    journal.append([Record("n", {"number": number}, bytes([number % 256]) * (number % 97 * 4000))])
    number += 1
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
    if number % 40 == 0:
        journal.replace([Record("n", {"number": number - 1}, b"")])
"""


def test_a_process_killed_while_it_writes_loses_nothing_that_had_returned(tmp_path):
    rng = np.random.default_rng(5)
    for kill in range(5):
        folder = tmp_path / str(kill)
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True
        ) as child:
            lines = [child.stdout.readline()]
            time.sleep(rng.uniform(0.02, 0.15))
            os.kill(child.pid, signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
            lines += child.stdout.read().splitlines()
        returned = max(int(line) for line in lines if line.strip())
        (path,) = abandoned_journals(folder)
        numbers = [record.facts["number"] for record in read_journal(path)[0]]
        assert numbers[-1] >= returned - 1
        assert numbers == list(range(numbers[0], numbers[-1] + 1))


def a_mask(seed, shape=(9, 7, 5), start=(-2, 3, 1)):
    return PlacedMask(start, np.random.default_rng(seed).random(shape) > 0.8)


@pytest.mark.parametrize("mask", [a_mask(1), NO_MASK, a_mask(2, (1, 1, 1))])
def test_a_mask_comes_back_at_its_place(mask):
    place, content = encoded(mask)
    back = decoded(place, content)
    box = Box((-5, -5, -5), (15, 15, 15))
    np.testing.assert_array_equal(back.within(box), mask.within(box))


def test_a_difference_turns_one_mask_into_another_wherever_they_lie():
    old, new = a_mask(1), a_mask(2, (5, 6, 9), (4, -3, 0))
    box = Box((-5, -5, -5), (15, 15, 15))
    difference = PlacedMask(box.start_ijk, old.within(box) ^ new.within(box))
    place, content = encoded(difference)
    changed = old.changed_by(decoded(place, content))
    np.testing.assert_array_equal(changed.within(box), new.within(box))


def test_a_brush_stroke_is_small_in_the_journal():
    stroke = np.zeros((512, 512, 100), bool, order="F")
    stroke[200:220, 300:320, 50] = True
    place, content = encoded(PlacedMask((0, 0, 0), stroke))
    assert place == [200, 300, 50, 20, 20, 1]
    assert len(content) < 60


def test_a_mask_of_another_size_than_it_says_is_refused():
    _, content = encoded(a_mask(1))
    for place in ([0, 0, 0, 2, 2, 2], [0, 0, 0, 900, 900, 900], [0, 0, 0, -1, 1, 1], [1, 2]):
        with pytest.raises(FileFormatError):
            decoded(place, content)


def test_the_box_of_nothing_is_empty():
    assert box_of(np.zeros((3, 4, 5), bool)).is_empty
