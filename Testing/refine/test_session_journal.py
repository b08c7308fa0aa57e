"""A correction goes on where it was when its process was killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from SegmentationAILib.core.errors import FileFormatError, PromptError
from SegmentationAILib.core.journal import abandoned_journals
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.refine.session import RefineSession

from phantoms import SPHERE_CENTER_RAS, sphere_volume

CENTER = np.array(SPHERE_CENTER_RAS)


def copied(session, folder):
    """The journal as a killed process would leave it."""
    path = folder / "left.journal"
    path.write_bytes(session.journal_path.read_bytes())
    return path


def worked_on(folder):
    session = RefineSession(sphere_volume(), journal_folder=folder)
    session.add_point(CENTER)
    session.add_scribble(
        [CENTER + np.array([20, 0, 0]), CENTER + np.array([22, 4, 0])], 2.0, positive=False
    )
    session.set_mask(session.mask)
    session.add_point(CENTER + np.array([5, 0, 0]))
    session.mode = "add only"
    session.undo()
    return session


def test_mask_prompts_rules_undo_and_redo_come_back(tmp_path):
    session = worked_on(tmp_path / "a")
    path = copied(session, tmp_path)
    restored = RefineSession.restore(path, sphere_volume())
    assert not path.exists()
    assert np.array_equal(restored.mask, session.mask)
    assert restored.prompts == session.prompts
    assert restored.mode == "add only"
    for one in (session, restored):
        one.redo()
    assert np.array_equal(restored.mask, session.mask)
    for _ in range(4):
        for one in (session, restored):
            one.undo()
        assert np.array_equal(restored.mask, session.mask)
        assert restored.prompts == session.prompts
    with pytest.raises(PromptError):
        restored.undo()
    # What goes on is journaled too.
    restored.add_point(CENTER)
    again = RefineSession.restore(copied(restored, tmp_path), sphere_volume())
    assert np.array_equal(again.mask, restored.mask)


def test_another_scan_is_refused_and_the_journal_stays(tmp_path):
    path = copied(worked_on(tmp_path / "a"), tmp_path)
    other = sphere_volume()
    changed = other.voxels.copy()
    changed[0, 3, 3, 3] += 1
    moved = other.affine.copy()
    moved[0, 3] += 0.5
    for volume in (Volume(changed, other.affine), Volume(other.voxels, moved)):
        with pytest.raises(FileFormatError, match="another scan"):
            RefineSession.restore(path, volume)
    assert path.exists()


def test_the_order_of_the_voxels_in_memory_does_not_make_another_scan(tmp_path):
    path = copied(worked_on(tmp_path / "a"), tmp_path)
    volume = sphere_volume()
    RefineSession.restore(path, Volume(np.asfortranarray(volume.voxels), volume.affine)).close()


def test_a_journal_cut_anywhere_restores_what_was_whole_or_is_refused(tmp_path):
    session = worked_on(tmp_path / "a")
    content = session.journal_path.read_bytes()
    path = tmp_path / "cut.journal"
    for length in range(0, len(content), max(1, len(content) // 40)):
        path.write_bytes(content[:length])
        try:
            restored = RefineSession.restore(path, sphere_volume())
        except FileFormatError:
            continue
        assert len(restored.prompts) <= 2
        restored.close()


def test_a_closed_session_leaves_nothing(tmp_path):
    session = worked_on(tmp_path / "a")
    session.close()
    assert list((tmp_path / "a").iterdir()) == []


def test_a_session_that_was_killed_is_found_and_goes_on(tmp_path):
    code = (
        "import sys, time\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        "from pathlib import Path\n"
        "from phantoms import SPHERE_CENTER_RAS, sphere_volume\n"
        "from SegmentationAILib.refine.session import RefineSession\n"
        "session = RefineSession(sphere_volume(), journal_folder=Path(sys.argv[1]))\n"
        "session.add_point(SPHERE_CENTER_RAS)\n"
        "print(session.mask.sum(), flush=True)\n"
        "time.sleep(600)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    voxels = int(child.stdout.readline())
    assert abandoned_journals(tmp_path) == []
    if os.name == "nt":
        child.kill()
    else:
        os.kill(child.pid, signal.SIGKILL)
    child.wait()
    deadline = time.monotonic() + 5
    while not abandoned_journals(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    (path,) = abandoned_journals(tmp_path)
    restored = RefineSession.restore(path, sphere_volume())
    assert restored.mask.sum() == voxels > 0
