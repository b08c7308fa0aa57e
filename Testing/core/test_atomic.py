"""A file appears whole or not at all; cases 25 and 56 of the list of bad input."""

import errno
import os
import stat
import subprocess
import sys

import pytest

from SegmentationAILib.core import atomic
from SegmentationAILib.core.atomic import whole_file, whole_files
from SegmentationAILib.core.errors import Cancelled, SegmentationAIError


@pytest.fixture
def a_previous_file(tmp_path):
    path = tmp_path / "result.nii.gz"
    path.write_bytes(b"previous")
    return path


def only(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_finished_file_takes_the_place_of_the_previous_one(a_previous_file):
    with whole_file(a_previous_file) as temporary:
        assert temporary.parent == a_previous_file.parent
        assert temporary.name.endswith(".nii.gz")
        temporary.write_bytes(b"new")
        assert a_previous_file.read_bytes() == b"previous"
    assert a_previous_file.read_bytes() == b"new"
    assert only(a_previous_file.parent) == ["result.nii.gz"]


@pytest.mark.parametrize("error", [ValueError, Cancelled, KeyboardInterrupt, MemoryError])
def test_any_error_leaves_the_previous_file_and_nothing_else(a_previous_file, error):
    def write_half_of_it():
        with whole_file(a_previous_file) as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        write_half_of_it()
    assert a_previous_file.read_bytes() == b"previous"
    assert only(a_previous_file.parent) == ["result.nii.gz"]


@pytest.mark.parametrize("nth", range(1, 6))
def test_a_full_disk_at_any_write_leaves_the_previous_file(a_previous_file, nth, monkeypatch):
    """Case 56, with the system's error at the n-th write, at the flush or at the rename."""
    calls = iter(range(1, 10))

    def fails_at_nth(call):
        def failing(*arguments, **options):
            if next(calls) == nth:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return call(*arguments, **options)

        return failing

    monkeypatch.setattr(atomic.os, "fsync", fails_at_nth(os.fsync))
    monkeypatch.setattr(atomic.Path, "replace", fails_at_nth(atomic.Path.replace))

    def write_three_blocks():
        with whole_file(a_previous_file) as temporary, temporary.open("wb") as file:
            for _ in range(3):
                fails_at_nth(file.write)(b"block")

    with pytest.raises(SegmentationAIError, match=r"result\.nii\.gz.*no space left.*free some"):
        write_three_blocks()
    assert a_previous_file.read_bytes() == b"previous"
    assert only(a_previous_file.parent) == ["result.nii.gz"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a Linux device")  # noqa: PTH110
def test_a_disk_that_is_really_full_is_named(tmp_path):
    """Writes to /dev/full fail as on a full disk; the temporary file is a link to it."""

    def write_to_the_full_device():
        with whole_file(tmp_path / "x.nii") as temporary, open("/dev/full", "wb", 0) as full:  # noqa: PTH123
            full.write(b"x")
            temporary.write_bytes(b"x")

    with pytest.raises(SegmentationAIError, match="no space left"):
        write_to_the_full_device()
    assert only(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_read_only_folder_is_refused_before_any_work(tmp_path):
    """Run as a user without privileges, for whom alone permissions hold."""
    folder = tmp_path / "locked"
    folder.mkdir()
    (folder / "x.nii").write_bytes(b"previous")
    folder.chmod(0o555)
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from SegmentationAILib.core.atomic import whole_file\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "try:\n"
        "    with whole_file(Path(sys.argv[1])): print('worked')\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    library = next(p for p in map(str, sys.path) if p.endswith("SegmentationAI"))
    for parent in [tmp_path, *tmp_path.parents[:3]]:
        if parent.owner() == folder.owner():
            parent.chmod(parent.stat().st_mode | stat.S_IXOTH)
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder / "x.nii"), library],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "SegmentationAIError" in done.stdout, done.stderr
    assert "you may not write there" in done.stdout
    folder.chmod(0o755)
    assert (folder / "x.nii").read_bytes() == b"previous"
    assert only(folder) == ["x.nii"]


def test_a_missing_folder_is_named(tmp_path):
    with (
        pytest.raises(SegmentationAIError, match="its folder is not there"),
        whole_file(tmp_path / "nowhere" / "x.nii"),
    ):
        pass


def test_a_name_that_is_too_long_is_refused(tmp_path):
    def write_it():
        with whole_file(tmp_path / ("n" * 300 + ".nii")) as temporary:
            temporary.write_bytes(b"x")

    with pytest.raises(SegmentationAIError, match="too long"):
        write_it()
    assert only(tmp_path) == []


def test_a_name_of_the_longest_length_is_written(tmp_path):
    path = tmp_path / ("n" * 248 + ".nii.gz")
    with whole_file(path) as temporary:
        temporary.write_bytes(b"x")
    assert only(tmp_path) == [path.name]


def test_a_folder_a_pipe_and_a_link_to_itself_are_refused(tmp_path):
    (tmp_path / "folder.nii").mkdir()
    os.mkfifo(tmp_path / "pipe.nii")
    (tmp_path / "loop.nii").symlink_to(tmp_path / "loop.nii")
    for name in ("folder.nii", "pipe.nii", "loop.nii"):
        with (
            pytest.raises(SegmentationAIError, match=f"{name} was not written"),
            whole_file(tmp_path / name),
        ):
            pass
    assert only(tmp_path) == ["folder.nii", "loop.nii", "pipe.nii"]


def test_a_link_keeps_being_a_link_and_its_file_is_replaced(a_previous_file, tmp_path):
    link = tmp_path / "link.nii.gz"
    link.symlink_to(a_previous_file)
    with whole_file(link) as temporary:
        temporary.write_bytes(b"new")
    assert link.is_symlink()
    assert a_previous_file.read_bytes() == b"new"


def test_permissions_of_the_previous_file_are_kept(a_previous_file):
    a_previous_file.chmod(0o640)
    with whole_file(a_previous_file) as temporary:
        temporary.write_bytes(b"new")
    assert stat.S_IMODE(a_previous_file.stat().st_mode) == 0o640


def windows_error(number):
    error = PermissionError(errno.EACCES, "locked")
    error.winerror = number
    return error


def test_a_file_that_windows_locks_for_a_moment_is_replaced(a_previous_file, monkeypatch):
    replace, failures = atomic.Path.replace, [windows_error(32), windows_error(5)]

    def locked_at_first(path, target):
        if failures:
            raise failures.pop()
        return replace(path, target)

    monkeypatch.setattr(atomic.Path, "replace", locked_at_first)
    with whole_file(a_previous_file) as temporary:
        temporary.write_bytes(b"new")
    assert a_previous_file.read_bytes() == b"new"


def test_a_file_that_windows_locks_for_good_stays_as_it_was(a_previous_file, monkeypatch):
    pauses = []

    def always_locked(path, target):
        raise windows_error(32)

    monkeypatch.setattr(atomic.Path, "replace", always_locked)
    monkeypatch.setattr(atomic.time, "sleep", pauses.append)

    def write_it():
        with whole_file(a_previous_file) as temporary:
            temporary.write_bytes(b"new")

    with pytest.raises(SegmentationAIError, match="you may not write there"):
        write_it()
    assert 1.0 < sum(pauses) < 3.0
    assert a_previous_file.read_bytes() == b"previous"
    assert only(a_previous_file.parent) == ["result.nii.gz"]


def test_two_files_appear_together_or_not_at_all(tmp_path, monkeypatch):
    paths = [tmp_path / "x.nii", tmp_path / "x.labels.json"]
    for path in paths:
        path.write_bytes(b"previous")

    def write_one_and_fail():
        with whole_files(paths) as (first, _):
            first.write_bytes(b"new")
            raise OSError(errno.ENOSPC, "full")

    with pytest.raises(SegmentationAIError, match="no space left"):
        write_one_and_fail()
    assert [path.read_bytes() for path in paths] == [b"previous"] * 2
    with whole_files(paths) as temporaries:
        for temporary in temporaries:
            temporary.write_bytes(b"new")
    assert [path.read_bytes() for path in paths] == [b"new"] * 2
    assert only(tmp_path) == ["x.labels.json", "x.nii"]


def test_a_process_that_is_killed_while_writing_leaves_the_previous_file(a_previous_file):
    script = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from SegmentationAILib.core.atomic import whole_file\n"
        "import os, signal\n"
        "with whole_file(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    library = next(p for p in map(str, sys.path) if p.endswith("SegmentationAI"))
    done = subprocess.run(
        [sys.executable, "-c", script, str(a_previous_file), library], check=False
    )
    assert done.returncode == -9
    assert a_previous_file.read_bytes() == b"previous"
