"""Trainings in the worker: cases, plan, curves, pause, kill, and what becomes of the network."""

import io
import json
import os
import shutil
import signal
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image
from training_sets import sphere_case, write_spheres

from SegmentationAILib.core.errors import Cancelled, SegmentationAIError
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.learn import default_plan
from SegmentationAILib.learn.case_reader import read_case
from SegmentationAILib.learn.dataset import read_dataset
from SegmentationAILib.learn.networks_compared import NetworksCompared, compared_from_json
from SegmentationAILib.learn.training_events import EpochDone, SampleDrawn, StepDone
from SegmentationAILib.networks.expected_shapes import check_architecture
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.store import NetworkStore
from SegmentationAILib.networks.weights import sha256_of
from SegmentationAILib.worker.client import CollectedScan, LocalWorker, TrainAsked, WorkerError
from SegmentationAILib.worker.frame import chunks_of_frame, frame_of_bytes
from SegmentationAILib.worker.history import RemainingTime
from SegmentationAILib.worker.train_work import Trainings
from SegmentationAILib.worker.trained_network import write_comparison
from SegmentationAILib.worker.training_story import MOST_POINTS, TrainingStory, shortened
from SegmentationAILib.worker.wire_train import frame_of_training, train_answer_of_frame

# The plumbing is tested here, what is learned in Testing/learn.
SHORT = {"epochs": 2}


class ACall:
    """What the work sees of a served call."""

    def __init__(self, owner="me", on_progress=lambda event: None):
        self.owner, self.is_canceled = owner, False
        self.remaining, self.events = RemainingTime(), []
        self._on_progress = on_progress

    def expect(self, seconds):
        self.remaining = RemainingTime(seconds)

    def post(self, event):
        self.events.append(event)
        self._on_progress(event)

    def progress(self):
        return Progress(lambda fraction, sentence: None)


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    """Plans of few small steps; the worker's own process keeps its rules."""
    monkeypatch.setattr(default_plan, "STEP_VOXELS", {False: 10_000, True: 10_000})
    monkeypatch.setattr(default_plan, "STEPS_PER_EPOCH", 6)


@pytest.fixture
def a_home_with_spheres(a_home):
    write_spheres(a_home / "spheres", 6)
    return a_home


@pytest.fixture(scope="module")
def a_finished_training(tmp_path_factory):
    """A data folder with the training ``ball``, what it told, and how it ended."""
    home = tmp_path_factory.mktemp("home")
    write_spheres(home / "spheres", 6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGMENTATIONAI_HOME", str(home))
        patch.setattr(default_plan, "STEP_VOXELS", {False: 10_000, True: 10_000})
        patch.setattr(default_plan, "STEPS_PER_EPOCH", 6)
        trainings, call = Trainings(), ACall()
        values = {"data": str(home / "spheres"), **SHORT}
        ask(trainings, "plan", values=values)
        facts = ask(trainings, "start", values=values, call=call).facts
        picture = ask(trainings, "sample").picture
    return SimpleNamespace(home=home, call=call, facts=facts, values=values, picture=picture)


@pytest.fixture
def a_trained_home(a_finished_training, a_home):
    """A copy of it, with an installed network ``old`` that is nearly the same."""
    shutil.copytree(a_finished_training.home, a_home, dirs_exist_ok=True)
    folder = a_home / "old"
    shutil.copytree(a_home / "trainings" / "ball", folder)
    weights = folder / "weights.safetensors"
    tensors = {k: v + np.float32(1e-4) if v.dtype == np.float32 else v
               for k, v in safetensors.numpy.load_file(weights).items()}  # fmt: skip
    safetensors.numpy.save_file(tensors, weights)
    card = json.loads((folder / "card.json").read_text())
    card |= {"sha256": sha256_of(weights), "size_bytes": weights.stat().st_size}
    (folder / "card.json").write_text(json.dumps(card))
    install(NetworkStore(), InstallRequest(str(folder), "old"), check_architecture)
    return a_home


def ask(trainings, action, name="ball", values=None, cases=(), call=None):
    frame = frame_of_training(TrainAsked(action, name, values or {}, cases))
    sent = frame_of_bytes(b"".join(chunks_of_frame(frame)))
    answer = trainings.do(sent, call or ACall())
    return train_answer_of_frame(frame_of_bytes(b"".join(chunks_of_frame(answer))))


def test_cases_of_a_scene_become_a_data_set_voxel_for_voxel(a_home):
    cases = tuple(CollectedScan(f"case-{n}", *sphere_case(n)) for n in (1, 2, 3))
    ask(Trainings(), "collect", values={"kind": "MR"}, cases=cases)
    ask(Trainings(), "collect", values={"kind": "CT"}, cases=cases[:2])
    found = read_dataset(a_home / "training-data" / "ball")
    assert (found.modality, [case.id for case in found.cases]) == ("CT", ["case-1", "case-2"])
    back = read_case(found, found.cases[1])
    np.testing.assert_array_equal(back.volume.voxels, cases[1].volume.voxels)
    np.testing.assert_allclose(back.volume.affine, cases[1].volume.affine, atol=1e-4)
    core = next(label for label in back.labelmap.labels if label.name == "Core")
    np.testing.assert_array_equal(back.labelmap.mask(core), cases[1].labelmap.layers[0] == 3)


def test_a_plan_names_its_time_memory_and_who_is_held_out(a_home_with_spheres):
    facts = ask(Trainings(), "plan", values={"data": str(a_home_with_spheres / "spheres")}).facts
    assert facts["refused"] == ""
    assert "Shell, Core" in facts["plan"]
    assert "MiB" in facts["plan"]
    assert facts["seconds"] > 0
    assert facts["memory_mib"] > 0
    assert (facts["learned"], len(facts["held_out"])) == (5, 1)
    assert [case["findings"] for case in facts["cases"]] == [[]] * 6
    assert not facts["can_resume"]


def test_a_case_that_would_spoil_the_network_is_named_shown_and_can_be_left_out(
    a_home_with_spheres,
):
    folder = a_home_with_spheres / "spheres"
    for part in ("imagesTr", "labelsTr"):
        twin = (folder / part / "case_2.nii.gz").read_bytes()
        (folder / part / "case_5.nii.gz").write_bytes(twin)
    trainings = Trainings()
    facts = ask(trainings, "plan", values={"data": str(folder)}).facts
    (found,) = [case for case in facts["cases"] if case["findings"]]
    assert found["id"] == "case_5"
    assert found["findings"][0]["severity"] == "refuse"
    assert "case_2" in facts["refused"]
    picture = Image.open(io.BytesIO(ask(trainings, "picture", values={"case": "case_5"}).picture))
    assert picture.format == "PNG"
    assert picture.width > 900
    with pytest.raises(SegmentationAIError, match="case_2"):
        ask(trainings, "start", values={"data": str(folder), **SHORT})
    chosen = {"data": str(folder), "left_out": ["case_5"]}
    facts = ask(trainings, "plan", values=chosen).facts
    assert facts["refused"] == ""
    assert facts["learned"] + len(facts["held_out"]) == 5


def test_a_name_that_a_network_has_already_is_refused_before_anything_is_learned(
    a_home_with_spheres,
):
    values = {"data": str(a_home_with_spheres / "spheres")}
    facts = ask(Trainings(), "plan", "brain-any-contrast", values).facts
    assert "choose another name" in facts["refused"]
    with pytest.raises(SegmentationAIError):
        ask(Trainings(), "plan", "../elsewhere", values)


def test_a_training_streams_curves_and_a_sample_and_ends_with_a_card(a_finished_training):
    events, facts = a_finished_training.call.events, a_finished_training.facts
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions)
    steps = [event.facts["step"] for event in events]
    assert (steps[0], steps[-1], facts["steps"]) == (0, 12, 12)
    assert [step for step, _ in facts["losses"]] == list(range(1, 13))
    assert facts["losses"][-1][1] < facts["losses"][0][1]
    assert [step for step, _ in facts["dice"]] == [6, 12]
    result = facts["result"]
    assert (result["cases"], result["hold_out"], result["steps"]) == (5, 1, 12)
    assert [name for name, _ in result["structures"]] == ["Shell", "Core"]
    assert 0 <= result["trained_mean"] <= 1
    assert result["base_mean"] is None
    assert "no earlier network" in result["verdict"]
    assert min(Image.open(io.BytesIO(a_finished_training.picture)).size) >= 100


def test_a_finished_network_is_installed_when_it_is_kept_and_its_folder_can_go(
    a_trained_home, a_finished_training
):
    trainings = Trainings()
    facts = ask(trainings, "plan", values=a_finished_training.values).facts
    assert facts["can_resume"]
    assert facts["result"]["id"] == "ball"
    assert ask(trainings, "keep").facts["id"] == "ball"
    with pytest.raises(SegmentationAIError):
        ask(trainings, "keep")
    again = {**a_finished_training.values, "resume": True}
    facts = ask(trainings, "start", values=again).facts
    assert [step for step, _ in facts["losses"]] == list(range(1, 13))
    assert facts["result"]["trained_mean"] == a_finished_training.facts["result"]["trained_mean"]
    assert ask(trainings, "sample").picture == a_finished_training.picture
    ask(trainings, "discard")
    assert not (a_trained_home / "trainings" / "ball").exists()
    assert NetworkStore().find("ball").read_weights()
    with pytest.raises(SegmentationAIError, match="not come to its end"):
        ask(trainings, "keep")


def test_a_pause_holds_the_training_until_it_goes_on_and_stop_leaves_a_folder_to_go_on_with(
    a_home_with_spheres,
):
    trainings, values = Trainings(), {"data": str(a_home_with_spheres / "spheres"), "minutes": 60}
    reached, held = threading.Event(), []

    def look(event):
        if event.facts["step"] >= 2 and not reached.is_set():
            ask(trainings, "pause")
            reached.set()
        held.append(event.sentence)

    call = ACall(on_progress=look)
    ended = []

    def train():
        try:
            ask(trainings, "start", values=values, call=call)
        except Cancelled:
            ended.append("canceled")

    thread = threading.Thread(target=train)
    thread.start()
    assert reached.wait(60)
    deadline = time.monotonic() + 20
    while held[-1] != "Paused" and time.monotonic() < deadline:
        time.sleep(0.02)
    count = len(held)
    time.sleep(0.5)
    assert (len(held), held[-1]) == (count, "Paused")
    with pytest.raises(WorkerError, match="does not run"):
        ask(trainings, "go on", call=ACall("somebody else"))
    with pytest.raises(SegmentationAIError, match="under way"):
        ask(trainings, "discard")
    ask(trainings, "go on")
    while len(held) < count + 3:
        time.sleep(0.02)
        assert time.monotonic() < deadline
    ask(trainings, "stop")
    thread.join(30)
    assert ended == ["canceled"]
    facts = ask(trainings, "plan", values=values).facts
    assert facts["can_resume"]
    assert "result" not in facts
    before = ask(trainings, "start", values={**values, "minutes": 0.001, "resume": True}).facts
    assert before["step"] >= 2
    assert before["losses"][0][0] == 1


def a_comparison(scores, *, sha256="", can_replace=True):
    sha256 = sha256 or NetworkStore().find("old").card.sha256
    return NetworksCompared("old", sha256, ("Shell", "Core"), scores, can_replace)


@pytest.mark.parametrize(
    ("scores", "changes", "match"),
    [
        ({"a": (0.9, 0.8), "b": (0.7, 0.7)}, {}, "the better one stays"),
        ({"a": (0.5, 0.8)}, {"sha256": "0" * 64}, "was exchanged since"),
        ({"a": (0.5, 0.8)}, {"can_replace": False}, "does not know all"),
    ],
)
def test_a_network_is_not_replaced_by_a_worse_or_an_unlike_one(
    a_trained_home, scores, changes, match
):
    before = NetworkStore().find("old").card.sha256
    write_comparison(a_trained_home / "trainings" / "ball", a_comparison(scores, **changes))
    with pytest.raises(SegmentationAIError, match=match):
        ask(Trainings(), "keep", values={"replaces": True})
    assert NetworkStore().find("old").card.sha256 == before


def test_a_better_network_takes_the_place_of_its_base_which_can_come_back(a_trained_home):
    folder = a_trained_home / "trainings" / "ball"
    before = NetworkStore().find("old").card.sha256
    new = json.loads((folder / "card.json").read_text())["sha256"]
    write_comparison(folder, a_comparison({"a": (0.5, 0.8)}))
    assert ask(Trainings(), "keep", values={"replaces": True}).facts["versions"] == 1
    assert NetworkStore().find("old").card.sha256 == new != before
    assert ask(Trainings(), "roll back", values={"id": "old"}).facts["versions"] == 0
    assert NetworkStore().find("old").card.sha256 == before
    with pytest.raises(SegmentationAIError, match="none to go back to"):
        ask(Trainings(), "roll back", values={"id": "old"})


@pytest.mark.slow
def test_a_network_that_starts_from_another_is_held_against_it_on_the_held_out_scans(
    a_trained_home, a_finished_training
):
    trainings = Trainings()
    facts = ask(trainings, "start", "new", {**a_finished_training.values, "base": "old"}).facts
    result = facts["result"]
    assert (result["base"], result["can_replace"]) == ("old", True)
    ((case, before, after),) = result["compared"]
    assert case == ask(trainings, "plan", "x", a_finished_training.values).facts["held_out"][0]
    # ``old`` is ``ball`` but for a ten-thousandth, whose own score stands in its result.
    own = a_finished_training.facts["result"]["trained_mean"]
    assert before == pytest.approx(own, abs=0.02)
    assert result["compared_structures"] == ["Shell", "Core"]
    word = "Better" if after > before + 0.0005 else "as good" if after >= before else "worse"
    assert word.lower() in result["verdict"].lower()


def test_words_of_a_comparison_count_better_alike_and_worse():
    cases = {"a": (0.5, 0.6), "b": (0.7, 0.7002), "case_12": (0.8, 0.7), "d": (0.1, 0.9)}
    found = NetworksCompared("old", "0" * 64, ("Liver",), cases, True)
    assert found.words() == "Better on 2 of 4, as good on 1, worse on case_12."
    assert found.base_mean == pytest.approx(0.525)
    assert compared_from_json(json.loads(json.dumps(found.to_json()))) == found
    nothing = NetworksCompared("", "", (), {}, False)
    assert "not known" in nothing.words()


@pytest.mark.parametrize(
    "change", [{"cases": {"a": [2.0, 0.1]}}, {"cases": []}, {"base": 3}, {"can_replace": "yes"}]
)
def test_a_damaged_comparison_is_refused(change):
    good = NetworksCompared("old", "0" * 64, ("Liver",), {"a": (0.5, None)}, True).to_json()
    with pytest.raises(SegmentationAIError, match="damaged"):
        compared_from_json({**good, **change})


def test_curves_stay_short_whatever_the_length_of_the_training(tmp_path):
    story = TrainingStory(tmp_path, ["Liver"], 1000)
    for step in range(1, 1001):
        story.hear(StepDone(step, 1 + step // 50, 1.0 / step, 0.01))
        if step % 50 == 0:
            story.hear(EpochDone(step // 50, step, 0.1, (step / 1000,), step / 1000, True, 1.0))
    facts = story.facts()
    assert len(facts["losses"]) <= MOST_POINTS
    assert facts["losses"][-1][0] == 1000
    assert facts["dice"][-1] == [1000, 1.0]
    assert facts["structures"] == [["Liver", 1.0]]
    assert len(json.dumps(facts)) < 16_000
    # A step that is taken once more, after the loss was no number, stands once in the curve.
    story.hear(StepDone(990, 20, 0.5, 0.005))
    assert story.facts()["step"] == 990
    assert shortened([]) == []
    assert story.picture() == b""
    story.hear(SampleDrawn(2, "case", np.full((4, 6, 3), 9, np.uint8)))
    assert np.asarray(Image.open(io.BytesIO(story.picture()))).shape == (4, 6, 3)


@pytest.mark.parametrize(
    ("values", "match"),
    [({"minutes": -1}, "minutes"), ({"freeze": "all"}, "none of"), ({"left_out": "a"}, "list"),
     ({"data": 5}, "text"), ({"epochs": 1.5}, "whole number")],
)  # fmt: skip
def test_values_that_are_none_are_refused(a_home, values, match):
    with pytest.raises(WorkerError, match=match):
        ask(Trainings(), "plan", values=values)


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_the_call_and_the_folder_goes_on(
    a_home_with_spheres, monkeypatch
):
    worker = LocalWorker(home=a_home_with_spheres)
    values = {"data": str(a_home_with_spheres / "spheres"), "minutes": 60}
    try:
        call = worker.train(TrainAsked("start", "ball", values))
        deadline = time.monotonic() + 90
        while (call.last_event.facts or {}).get("step", 0) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        # The networks of other calls answer meanwhile.
        assert worker.networks().result(20)
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(WorkerError):
            call.result(20)
        facts = worker.train(TrainAsked("plan", "ball", values)).result(90).facts
        assert facts["can_resume"]
        again = {**values, "minutes": 0.02, "resume": True}
        found = worker.train(TrainAsked("start", "ball", again)).result(90).facts
        assert found["result"]["trained_mean"] is not None
    finally:
        worker.close()


def test_a_server_keeps_no_scans_of_a_training(a_remote_worker):
    with pytest.raises(WorkerError, match="not on a server"):
        a_remote_worker.train(TrainAsked("plan", "ball")).result(60)
