"""A worker as a real child: labels, a queue, and real kills (53), hangs (54), cancels (55)."""

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from SegmentationAILib.core.errors import Cancelled, GeometryError, WeightsError
from SegmentationAILib.worker import dialogue
from SegmentationAILib.worker.client import LocalWorker, WorkerError, WorkerPython

from phantoms import sphere_volume

ROOT = Path(__file__).resolve().parents[2]
CONTROL_SECONDS, FREE_SECONDS, CLEAN_SECONDS = 0.5, 3.0, 5.0


def labels_of(result):
    (layer,) = result.labelmap.layers
    return layer


def started(worker, seconds=60.0):
    """A run of the slow network that has begun, and the events so far."""
    events = []
    call = worker.segment(sphere_volume(), None, "slow", None, events.append)
    deadline = time.monotonic() + seconds
    while not any(e.sentence.startswith("Patch 2") for e in events) and not call.is_finished:
        assert time.monotonic() < deadline, events
        time.sleep(0.01)
    return call, events


def is_clean(nothing_is_left):
    deadline = time.monotonic() + CLEAN_SECONDS
    while nothing_is_left() and time.monotonic() < deadline:
        time.sleep(0.02)
    return not nothing_is_left()


def test_labels_report_and_progress_are_those_of_a_run_in_this_process(
    a_worker, the_answer, nothing_is_left
):
    volume, events = sphere_volume(), []
    result = a_worker.segment(volume, {}, "threshold", {"uncertainty": True}, events.append).result(
        60
    )
    np.testing.assert_array_equal(labels_of(result), labels_of(the_answer))
    assert result.labelmap.grid.matches(volume.grid)
    sphere, never = result.labelmap.labels
    assert (sphere.name, sphere.value, never.value) == ("Sphere", 7, 300)
    assert sphere.provenance.network == "threshold"
    assert result.uncertainty.grid.matches(volume.grid)
    assert result.report["labels"][0]["voxels"] == (labels_of(result) == 7).sum()
    assert set(result.report["seconds"]) == {
        "read", "prepare", "network", "labels", "write", "total"
    }  # fmt: skip
    fractions = [e.fraction for e in events if e.kind in ("progress", "done")]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert any(e.sentence.startswith("Patch") for e in events)
    assert [e.kind for e in events if e.is_final] == ["done"]
    assert is_clean(nothing_is_left)


def test_the_token_is_neither_on_the_command_line_nor_in_the_environment(a_worker):
    a_worker.health()
    process = psutil.Process(a_worker.pid)
    token = a_worker._process.token
    assert len(token) >= 32
    words = itertools.chain(process.cmdline(), process.environ().values())
    assert not any(token in word for word in words)


def test_the_second_run_knows_its_time_from_the_first(a_worker):
    run = ("threshold", {"overlap": 0.3})
    a_worker.segment(sphere_volume(), None, *run).result(60)
    events = []
    a_worker.segment(sphere_volume(), None, *run, events.append).result(60)
    # A quick run may deliver its first fractions together; the first that comes knows the time.
    first = next(e for e in events if e.kind == "progress" and e.fraction > 0.03)
    assert first.seconds_left is not None
    assert 0 <= first.seconds_left < 60


def test_errors_keep_their_kind_and_the_worker_lives_on(a_worker):
    before = a_worker.pid
    with pytest.raises(WeightsError, match="There is no network absent"):
        a_worker.segment(sphere_volume(), None, "absent").result(60)
    roi = {"roi_ras": (900,) * 6}
    with pytest.raises(GeometryError, match="lies beside the volume"):
        a_worker.segment(sphere_volume(), None, "threshold", roi).result(60)
    for options in ({"colour": 1}, {"mirror": "yes"}, {"structures": [5]}, {"roi_ras": [1, 2]}):
        with pytest.raises(WorkerError):
            a_worker.segment(sphere_volume(), None, "threshold", options).result(60)
    assert a_worker.pid == before


def test_networks_and_the_device_are_listed_while_a_run_goes_on(a_worker):
    call, _ = started(a_worker)
    assert {"threshold", "slow"} <= {n["id"] for n in a_worker.networks().result(20)}
    assert a_worker.device("cpu").result(20)["device"] == "cpu"
    assert a_worker.health()["load"]["running"] == 1
    assert not call.is_finished
    call.cancel()
    assert call.wait_until_released(FREE_SECONDS)


def test_a_second_run_waits_for_the_first_and_is_told_so(a_worker, the_answer):
    first, _ = started(a_worker)
    events = []
    second = a_worker.segment(sphere_volume(), None, "threshold", None, events.append)
    time.sleep(0.5)
    assert not second.is_finished
    assert any(e.sentence == "Waiting for 1 other call to finish" for e in events)
    first.cancel()
    np.testing.assert_array_equal(labels_of(second.result(60)), labels_of(the_answer))


def canceled_after(worker, seconds, nothing_is_left):
    """Cancel a run after some time and hold every promise of case 55 against the clock."""
    call = worker.segment(sphere_volume(), None, "slow")
    time.sleep(seconds)
    before = time.monotonic()
    call.cancel()
    with pytest.raises(Cancelled):
        call.result(CONTROL_SECONDS)
    assert time.monotonic() - before < CONTROL_SECONDS
    assert call.wait_until_released(FREE_SECONDS - (time.monotonic() - before))
    assert is_clean(nothing_is_left)


def test_a_cancel_gives_control_back_and_frees_the_worker(a_worker, the_answer, nothing_is_left):
    started(a_worker)[0].cancel()
    for seconds in (0.0, 0.02, 0.4):
        canceled_after(a_worker, seconds, nothing_is_left)
    result = a_worker.segment(sphere_volume(), None, "threshold").result(60)
    np.testing.assert_array_equal(labels_of(result), labels_of(the_answer))


@pytest.mark.slow
def test_twenty_cancels_at_random_times_leave_no_memory_behind(a_worker, nothing_is_left):
    chance = random.Random(55)
    started(a_worker)[0].cancel()
    a_worker.segment(sphere_volume(), None, "threshold").result(60)
    process = psutil.Process(a_worker.pid)
    before = process.memory_info().rss
    for _ in range(20):
        canceled_after(a_worker, chance.uniform(0, 2), nothing_is_left)
    # A run of short patches is canceled without ending the worker.
    assert process.is_running()
    assert process.memory_info().rss - before < 50 << 20


def killed_after(worker, seconds, nothing_is_left, the_answer):
    """Kill the worker after some time into a run and hold case 53 against what is left.

    A second run waits at that time: it goes to the next worker.
    """
    call, _ = started(worker)
    waiting = worker.segment(sphere_volume(), None, "threshold")
    time.sleep(seconds)
    pid = worker.pid
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerError, match=r"ended from outside \(SIGKILL\).*next one"):
        call.result(CLEAN_SECONDS)
    assert call.wait_until_released(CLEAN_SECONDS)
    np.testing.assert_array_equal(labels_of(waiting.result(60)), labels_of(the_answer))
    assert is_clean(nothing_is_left)
    assert worker.pid != pid


def test_a_killed_worker_costs_the_run_that_it_did_and_no_other(
    a_worker, nothing_is_left, the_answer
):
    killed_after(a_worker, 0.3, nothing_is_left, the_answer)


@pytest.mark.slow
def test_twenty_kills_at_random_times_cost_one_run_each(a_worker, nothing_is_left, the_answer):
    chance = random.Random(53)
    for _ in range(20):
        killed_after(a_worker, chance.uniform(0.2, 1), nothing_is_left, the_answer)


@pytest.mark.slow
def test_kills_before_a_run_begins_leave_nothing_and_the_run_goes_on(
    a_worker, nothing_is_left, the_answer
):
    chance = random.Random(54)
    for _ in range(10):
        a_worker.health()
        call = a_worker.segment(sphere_volume(), None, "threshold")
        time.sleep(chance.uniform(0, 0.05))
        os.kill(a_worker.pid, signal.SIGKILL)
        try:
            labels = labels_of(call.result(60))
        except WorkerError:
            labels = labels_of(a_worker.segment(sphere_volume(), None, "threshold").result(60))
        np.testing.assert_array_equal(labels, labels_of(the_answer))
        assert is_clean(nothing_is_left)


@pytest.mark.parametrize(
    "silence", [1.6, pytest.param(dialogue.SILENT_SECONDS, marks=pytest.mark.slow)]
)
def test_a_worker_that_hangs_is_reported_and_a_cancel_ends_it(
    a_worker, silence, nothing_is_left, monkeypatch
):
    monkeypatch.setattr(dialogue, "SILENT_SECONDS", silence)
    call, events = started(a_worker)
    pid = a_worker.pid
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + silence + 1.0
    while not any(e.kind == "silent" for e in events) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [e.kind for e in events].count("silent") == 1
    before = time.monotonic()
    call.cancel()
    with pytest.raises(Cancelled):
        call.result(0)
    assert time.monotonic() - before < CONTROL_SECONDS
    assert call.wait_until_released(FREE_SECONDS)
    assert not psutil.pid_exists(pid)
    assert is_clean(nothing_is_left)


def test_the_worker_ends_with_its_host_and_leaves_nothing(the_home):
    program = (
        "import sys, time, pathlib\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from phantoms import sphere_volume\n"
        "from SegmentationAILib.worker.client import LocalWorker\n"
        "worker = LocalWorker(home=pathlib.Path(sys.argv[1]))\n"
        "worker.health()\n"
        "call = worker.segment(sphere_volume(), None, 'slow')\n"
        "print(worker.pid, worker._exchange.folder, flush=True)\n"
        "call.wait()\n"
    )
    words = [sys.executable, "-c", program, str(the_home), str(ROOT / "Testing")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as host:
        pid, folder = host.stdout.readline().split()
        assert Path(folder).is_dir()
        host.kill()
    child, gone = int(pid), time.monotonic() + CLEAN_SECONDS
    while (psutil.pid_exists(child) or Path(folder).exists()) and time.monotonic() < gone:
        time.sleep(0.02)
    assert not psutil.pid_exists(child)
    assert not Path(folder).exists()


def test_a_python_that_cannot_run_the_worker_is_said_in_a_sentence(tmp_path):
    with_none = LocalWorker(WorkerPython(tmp_path / "python"), tmp_path)
    with pytest.raises(WorkerError, match="could not be started"):
        with_none.segment(sphere_volume(), None, "threshold").result(20)
    (tmp_path / "fastapi.py").write_text("raise ImportError('broken on purpose')")
    broken = LocalWorker(WorkerPython(paths=(tmp_path,)), tmp_path)
    with pytest.raises(WorkerError, match=r"could not be started.*broken on purpose"):
        broken.networks().result(20)
    for worker in (with_none, broken):
        worker.close()
        with pytest.raises(WorkerError, match="closed"):
            worker.networks().result(5)
