"""A study and `kill -9`: it opens, no version is lost, and the work goes on to the same end.

Half of the kills fall at a known point inside a write: before or after a flush, a rename or a
statement of the index. The others fall at random moments.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import study_work
from study_files import study_folders

from SegmentationAILib.core.files import read_labelmap
from SegmentationAILib.learn.study.index import INDEX
from SegmentationAILib.learn.study.study import open_study

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
TESTING = Path(study_work.__file__).parent
CASES = 4


class Undisturbed:
    """One run to its end: how long it took, how often it wrote, what it made."""

    def __init__(self, folder):
        started = time.monotonic()
        lines = run(folder).stdout.read().splitlines()
        self.seconds = time.monotonic() - started
        self.writes = int(lines[-1].split()[1])
        self.content = study_work.content(open_study(folder / "study"))


def run(folder, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(
        [str(TESTING), str(TESTING.parent / "SegmentationAI")]
    )}  # fmt: skip
    words = [sys.executable, str(TESTING / "study_work.py"), str(folder), *map(str, arguments)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.fixture(scope="module")
def the_sources(tmp_path_factory):
    root = tmp_path_factory.mktemp("sources")
    study_folders(root, CASES)
    return root


@pytest.fixture(scope="module")
def the_end(the_sources, tmp_path_factory):
    return Undisturbed(copied(the_sources, tmp_path_factory.mktemp("end") / "run"))


def copied(sources, folder):
    return Path(shutil.copytree(sources, folder))


def check_after_kill(folder, lines, the_end):
    """What had been said is there; then the work goes on to the undisturbed end."""
    if "init" in lines:
        assert (folder / "study" / INDEX).exists()
    if (folder / "study" / INDEX).exists():
        study = open_study(folder / "study")
        found = study_work.content(study)  # reads every version and checks every hash
        for line in lines:
            what, *rest = line.split(" ")
            if what == "version":
                assert (" ".join(rest[:-1]), int(rest[-1])) in found, line
            if what == "iteration":
                assert (int(rest[0]), True) in [row[:2] for row in found["iterations"]]
        for key, value in found.items():
            if isinstance(key, tuple):
                assert the_end.content[key] == value
    if (folder / "out").exists():
        assert len(list((folder / "out").glob("*.nii.gz"))) == CASES
    study = study_work.work(folder)
    assert study_work.content(study) == the_end.content
    for name, path in ((case.id, folder / "out" / case.volume) for case in study.cases()):
        current = study.case(name).current
        voxels = the_end.content[name, current][3]
        exported = read_labelmap(path).layers[0]
        assert np.asarray(exported, np.uint8).tobytes() == voxels
    assert not [p for p in folder.rglob("*") if p.name.startswith((".segmentationai", ".staging"))]


def kill_at_write(folder, number, the_end):
    child = run(folder, number)
    lines = child.stdout.read().splitlines()
    assert child.wait() == -signal.SIGKILL, f"write {number} was never reached"
    check_after_kill(folder, lines, the_end)


def kill_at_moment(folder, seconds, the_end):
    child = run(folder)
    time.sleep(seconds)
    child.kill()
    lines = child.stdout.read().splitlines()
    child.wait()
    check_after_kill(folder, lines, the_end)


def kills(sources, tmp_path, the_end, count, seed):
    rng = np.random.default_rng(seed)
    for number in range(count // 2):
        at = int(rng.integers(the_end.writes))
        print(f"kill {number} at write {at} of {the_end.writes}")
        kill_at_write(copied(sources, tmp_path / f"write {number}"), at, the_end)
    for number in range(count - count // 2):
        # The first part of a run is Python's start, in which nothing can be lost.
        at = float(rng.uniform(0.25, 1.0)) * the_end.seconds
        print(f"kill {number} after {at:.3f} s of {the_end.seconds:.3f}")
        kill_at_moment(copied(sources, tmp_path / f"moment {number}"), at, the_end)


def test_ten_kills_lose_no_version_and_the_work_ends_the_same(the_sources, tmp_path, the_end):
    kills(the_sources, tmp_path, the_end, 10, seed=7)


@pytest.mark.slow
def test_a_hundred_kills_lose_no_version_and_the_work_ends_the_same(the_sources, tmp_path, the_end):
    kills(the_sources, tmp_path, the_end, 100, seed=72)
