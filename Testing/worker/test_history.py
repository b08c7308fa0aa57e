"""Expected times from this machine's own history."""

import pytest

from SegmentationAILib.scene.network_facts import history_of
from SegmentationAILib.worker import history
from SegmentationAILib.worker.history import RemainingTime, RunHistory, name_of_run

RUN = name_of_run("net", "cpu", "")


def test_a_run_takes_as_long_per_voxel_as_the_runs_before(tmp_path):
    past = RunHistory(tmp_path)
    assert past.expected_seconds(RUN, 1e6) is None
    for seconds in (9.0, 10.0, 500.0):
        past.add(RUN, 1e6, seconds)
    assert RunHistory(tmp_path).expected_seconds(RUN, 3e6) == pytest.approx(30.0)
    assert past.expected_seconds(name_of_run("net", "cuda", ""), 1e6) is None
    assert past.seconds_per_million_voxels("net") == {"cpu": pytest.approx(10.0)}
    assert past.seconds_per_million_voxels("other") == {}


def test_the_runs_nearest_in_size_decide_and_the_file_stays_short(tmp_path):
    past = RunHistory(tmp_path)
    for _ in range(30):
        past.add(RUN, 1e8, 1e4)
    for _ in range(5):
        past.add(RUN, 1e6, 1.0)
    assert past.expected_seconds(RUN, 2e6) == pytest.approx(2.0)
    assert past.path.stat().st_size < 4000
    assert past.path.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"runs": 3}', '{"runs": {"a": [[1]]}}'])
def test_a_damaged_history_begins_anew(text, tmp_path):
    past = RunHistory(tmp_path)
    past.add(RUN, 1e6, 4.0)
    past.path.write_text(text)
    assert past.expected_seconds(RUN, 1e6) is None
    past.add(RUN, 1e6, 4.0)
    assert past.expected_seconds(RUN, 1e6) == pytest.approx(4.0)


def test_the_time_left_goes_from_the_history_to_the_runs_own_speed(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(history.time, "monotonic", lambda: now[0])
    known, unknown = RemainingTime(40.0, 100.0), RemainingTime(None, 100.0)
    assert known.left(0.0) == 40.0
    assert unknown.left(0.01) is None
    now[0] += 10.0  # a quarter of the work in 10 s: 30 s are left by either count
    assert known.left(0.25) == pytest.approx(30.0)
    assert unknown.left(0.25) == pytest.approx(30.0)
    now[0] += 60.0  # it takes longer than ever before: never below zero
    assert known.left(0.5) == pytest.approx(0.5 * 0 + 0.5 * 70, abs=0.1)
    assert known.left(1.0) == 0.0


def test_the_memory_of_a_run_is_kept_where_it_is_known(tmp_path):
    past = RunHistory(tmp_path)
    past.add(RUN, 1e6, 4.0)
    past.add(RUN, 1e6, 4.0, 5_000)
    assert history_of(tmp_path)[RUN] == [(1e6, 4.0), (1e6, 4.0, 5000.0)]
    assert past.expected_seconds(RUN, 1e6) == pytest.approx(4.0)
