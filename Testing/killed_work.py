"""Work in a process of its own that is killed, opened again and taken to its end.

The work is a script with `work(root, say)`, which does what is not done yet, and `content(study)`,
in which two runs have to agree. With a number it kills itself at that write: a flush, a rename, or
a statement of the index, before or after it.
"""

import itertools
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from forked_run import ForkedRun

from SegmentationAILib.learn.study.index import INDEX
from SegmentationAILib.learn.study.study import open_study

TESTING = Path(__file__).parent


class Undisturbed:
    """One run to its end: how long it took, how often it wrote, what it made."""

    def __init__(self, script, folder):
        started = time.monotonic()
        lines = started_run(script, folder).stdout.read().splitlines()
        self.seconds = time.monotonic() - started
        self.writes = int(lines[-1].split()[1])
        self.content = script.content(open_study(folder / "study"))


def started_run(script, folder, *arguments):
    """Start the script's work in a folder; where it says so, in a fork of this process."""
    if getattr(script, "IS_FORKED", False):
        words = [script.__file__, folder, *arguments]
        home = {"SEGMENTATIONAI_HOME": str(folder / "home")}
        return ForkedRun(lambda: main(script.work), words, home)
    paths = [str(TESTING), str(TESTING.parent / "SegmentationAI")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "SEGMENTATIONAI_HOME": str(folder / "home"),
    }
    words = [sys.executable, script.__file__, str(folder), *map(str, arguments)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)


def copied(sources, folder):
    """Give each run folders of its own."""
    return Path(shutil.copytree(sources, folder))


def kills(script, sources, tmp_path, the_end, count, seed, quiet_share=0.25):
    """Kill `count` runs, half of them inside a write, and check what each leaves.

    `quiet_share` of a run is Python's start, in which nothing can be lost.
    """
    rng = np.random.default_rng(seed)
    for number in range(count // 2):
        at = int(rng.integers(the_end.writes))
        print(f"kill {number} at write {at} of {the_end.writes}")
        folder = copied(sources, tmp_path / f"write {number}")
        child = started_run(script, folder, at)
        lines = child.stdout.read().splitlines()
        assert child.wait() == -signal.SIGKILL, f"write {at} was never reached"
        check_after_kill(script, folder, lines, the_end)
    for number in range(count - count // 2):
        at = float(rng.uniform(quiet_share, 1.0)) * the_end.seconds
        print(f"kill {number} after {at:.3f} s of {the_end.seconds:.3f}")
        folder = copied(sources, tmp_path / f"moment {number}")
        child = started_run(script, folder)
        time.sleep(at)
        child.kill()
        lines = child.stdout.read().splitlines()
        child.wait()
        check_after_kill(script, folder, lines, the_end)


def check_after_kill(script, folder, lines, the_end):
    """What had been said is there; then the work goes on to the undisturbed end."""
    if "init" in lines:
        assert (folder / "study" / INDEX).exists()
    if (folder / "study" / INDEX).exists():
        # Reads every version and checks every hash.
        found = script.content(open_study(folder / "study"))
        for line in lines:
            what, *rest = line.split(" ")
            if what == "version":
                assert (" ".join(rest[:-1]), int(rest[-1])) in found, line
            if what == "iteration":
                assert (int(rest[0]), True) in [row[:2] for row in found["iterations"]]
        for key, value in found.items():
            if isinstance(key, tuple):
                assert the_end.content[key] == value
    script.check_export(folder)
    if getattr(script, "IS_RESUMED_ALIKE", False):
        # With other threads than before, a training ends in other last bits.
        with started_run(script, folder) as again:
            again.stdout.read()
        assert again.returncode == 0
    else:
        script.work(folder)
    assert script.content(open_study(folder / "study")) == the_end.content
    script.check_export(folder, whole=True)
    assert not [p for p in folder.rglob("*") if p.name.startswith((".segmentationai", ".staging"))]


def count_writes(at_write):
    """Call `at_write` before and after each flush, rename and statement of the index."""

    def watched(function):
        def call(*arguments, **named):
            at_write()
            result = function(*arguments, **named)
            at_write()
            return result

        return call

    class Watched(sqlite3.Connection):
        execute = watched(sqlite3.Connection.execute)
        commit = watched(sqlite3.Connection.commit)

    connect = sqlite3.connect
    sqlite3.connect = lambda *a, **k: connect(*a, **{"factory": Watched, **k})
    for owner, name in ((os, "fsync"), (Path, "replace"), (Path, "rename"), (Path, "unlink")):
        setattr(owner, name, watched(getattr(owner, name)))


def main(work):
    """Run the work of a script in the folder that its first word names."""
    kill_at = int(sys.argv[2]) if len(sys.argv) > 2 else None
    numbers = itertools.count()

    def at_write():
        if next(numbers) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def say(what):
        sys.stdout.write(f"{what}\n")
        sys.stdout.flush()

    count_writes(at_write)
    work(Path(sys.argv[1]), say)
    say(f"writes {next(numbers)}")
