"""One training as the host follows it, on a worker whose calls end when the test says so."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import slicer
from training_sets import sphere_case

from SegmentationAILib.core.errors import Cancelled, SegmentationAIError
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.placement import matrix_from_affine
from SegmentationAILib.scene.scene_cases import scene_cases
from SegmentationAILib.scene.segmentation_node import node_from_labelmap
from SegmentationAILib.scene.ticker import PlainTicker
from SegmentationAILib.scene.training import Training
from SegmentationAILib.scene.training_facts import BaseFacts, TrainingAsked
from SegmentationAILib.scene.volume_node import node_from_volume
from SegmentationAILib.worker.client import Call, Event, TrainAnswer, WorkerError

GOOD = {
    "cases": [{"id": "a", "findings": [], "has_picture": True}], "plan": "About 4 min.",
    "refused": "", "can_resume": False,
}  # fmt: skip
RESULT = {
    "id": "new", "title": "", "base": "old", "seconds": 90.0, "cases": 8, "hold_out": 1,
    "steps": 60, "structures": [], "limits": [], "compared": [["a", 0.5, 0.75]],
    "base_mean": 0.5, "trained_mean": 0.75, "verdict": "Better on 1 of 1.", "can_replace": True,
}  # fmt: skip


class AWorker:
    def __init__(self):
        self.asked, self.calls = [], []

    def train(self, asked):
        self.asked.append(asked)
        self.calls.append(Call())
        return self.calls[-1]

    def actions(self):
        return [one.action for one in self.asked]


@pytest.fixture
def a_scene():
    return headless_slicer().scene


@pytest.fixture
def a_training():
    """A training with its worker, its event loop and everything that was told."""
    worker, ticker = AWorker(), PlainTicker()
    setup = SimpleNamespace(worker=lambda: worker, is_ready=lambda: True)
    training = Training(slicer.vtkMRMLScene(), setup, ticker)
    training.worker, training.ticker, training.told = worker, ticker, []
    training.on_facts = training.told.append
    return training


def asked(cases=(), folder=Path("set")):
    start = BaseFacts("old", "", "Start from: Old", "")
    return TrainingAsked("new", folder, tuple(cases), (), "MR", start, "encoder", None)


def answer(training, facts, picture=b""):
    training.worker.calls[-1].finish(TrainAnswer(facts, picture))
    training.ticker.turn()


def planned(training, **changes):
    training.plan(asked())
    answer(training, {**GOOD, **changes})
    return training


def begun(training, **changes):
    planned(training, **changes).start()
    return training.worker.calls[-1]


def test_a_plan_that_is_refused_says_why_and_cannot_be_started(a_training):
    training = planned(a_training, plan="", refused="No case is ticked.")
    assert (training.facts.state, training.facts.sentence) == ("idle", "No case is ticked.")
    with pytest.raises(SegmentationAIError, match="Nothing is planned"):
        training.start()


def test_the_worst_finding_of_a_case_is_what_is_shown(a_training):
    row = {
        "id": "a", "has_picture": True,
        "findings": [
            {"severity": "notice", "sentence": "Large."},
            {"severity": "refuse", "sentence": "Elsewhere."},
        ],
    }  # fmt: skip
    (found,) = planned(a_training, cases=[row]).facts.cases
    assert (found.mark, found.sentence) == ("bad", "Elsewhere.")


def test_a_sample_is_fetched_once_for_each_epoch_that_drew_one(a_training):
    call = begun(a_training)
    curves = {"losses": [[1, 0.9], [2, 0.8]], "dice": [[2, 0.5]], "steps": 8, "best": 0.5}
    call.tell(Event("progress", 0.2, "Epoch 1", 30.0, {**curves, "sample": 0, "sample_case": ""}))
    a_training.ticker.turn()
    assert a_training.facts.curves.losses == ((1.0, 0.9), (2.0, 0.8))
    assert a_training.worker.actions() == ["plan", "start"]
    call.tell(Event("heartbeat", 0.2, "Epoch 1", 29.0))
    a_training.ticker.turn()
    assert a_training.facts.curves.best == 0.5, "a heartbeat tells of no curves"
    for fraction in (0.3, 0.4):
        facts = {**curves, "sample": 1, "sample_case": "a"}
        call.tell(Event("progress", fraction, "Epoch 2", 20.0, facts))
        a_training.ticker.turn()
    assert a_training.worker.actions() == ["plan", "start", "sample"]
    answer(a_training, {}, b"png")
    assert (a_training.facts.sample, a_training.facts.sample_case) == (b"png", "a")
    assert a_training.facts.state == "training"


def test_cancel_asks_the_training_to_end_after_its_step_and_twice_ends_it_at_once(a_training):
    call = begun(a_training)
    a_training.cancel()
    assert a_training.worker.actions()[-1] == "stop"
    assert (a_training.facts.state, call.canceled_at) == ("stopping", None)
    a_training.cancel()
    a_training.ticker.turn()
    assert call.canceled_at is not None
    assert (a_training.facts.state, a_training.facts.can_resume) == ("planned", True)
    a_training.start()
    assert a_training.worker.asked[-1].values["resume"] is True
    a_training.worker.calls[-1].finish(error=Cancelled())
    a_training.ticker.turn()
    a_training.start(anew=True)
    assert a_training.worker.actions()[-1] == "discard"
    answer(a_training, {"discarded": "new"})
    assert a_training.worker.actions()[-1] == "start"
    assert a_training.worker.asked[-1].values["resume"] is False


def test_a_worker_that_is_lost_is_a_sentence_and_the_training_can_go_on(a_training):
    begun(a_training).finish(error=WorkerError("The worker ended."))
    a_training.ticker.turn()
    assert a_training.facts.sentence == "The worker ended."
    assert (a_training.facts.state, a_training.facts.can_resume) == ("planned", True)


def test_pause_and_go_on_are_told_to_the_worker_and_nothing_else_begins_meanwhile(a_training):
    begun(a_training)
    a_training.pause()
    assert a_training.facts.state == "paused"
    with pytest.raises(SegmentationAIError, match="under way"):
        a_training.plan(asked())
    a_training.forget_plan()
    assert a_training.facts.plan == "About 4 min.", "a training that runs keeps its plan"
    a_training.pause()
    assert a_training.worker.actions()[-2:] == ["pause", "go on"]
    assert a_training.facts.state == "training"


def test_a_network_that_took_the_place_of_another_can_be_taken_back(a_training):
    begun(a_training)
    answer(a_training, {"sample": 0, "result": RESULT})
    assert (a_training.facts.state, a_training.facts.sentence) == ("finished", "Better on 1 of 1.")
    a_training.keep(replaces=True)
    answer(a_training, {"id": "old", "sentence": "Replaced.", "versions": 1})
    assert (a_training.facts.can_go_back, a_training.facts.trained) == ("old", None)
    planned(a_training)
    assert a_training.facts.can_go_back == "old"
    a_training.go_back()
    assert a_training.worker.asked[-1].values == {"id": "old"}
    answer(a_training, {"id": "old", "sentence": "Back.", "versions": 0})
    assert (a_training.facts.can_go_back, a_training.facts.sentence) == ("", "Back.")


def test_what_the_worker_refuses_to_keep_leaves_the_trained_network_where_it_is(a_training):
    begun(a_training)
    answer(a_training, {"sample": 0, "result": RESULT})
    a_training.keep(replaces=True)
    a_training.worker.calls[-1].finish(error=SegmentationAIError("The better one stays."))
    a_training.ticker.turn()
    assert a_training.facts.sentence == "The better one stays."
    assert a_training.facts.state == "finished"
    assert a_training.facts.trained.id == "new"


def test_cases_of_a_scene_are_scans_with_segments_under_names_fit_for_files(a_scene):
    for name in ("Knee: left/right", "Knee  left right", "No segments", "Plain"):
        volume, labelmap = sphere_case(1)
        scan = node_from_volume(volume, a_scene, name)
        if name == "No segments":
            a_scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Empty")
        elif name != "Plain":
            node_from_labelmap(labelmap, a_scene, scan, "Mine")
    cases = scene_cases(a_scene)
    assert [case.id for case in cases] == ["Knee_left_right", "Knee_left_right_2"]
    assert cases[0].title == "Knee: left/right: Mine, 2 segments"


def test_collected_cases_carry_the_scan_and_its_labels_under_parent_transforms(a_training, a_scene):
    a_training._scene = a_scene
    volume, labelmap = sphere_case(4)
    scan = node_from_volume(volume, a_scene, "Scan")
    node = node_from_labelmap(labelmap, a_scene, scan, "Mine")
    transform = a_scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    moved = np.eye(4)
    moved[:3, 3] = (5.0, -3.0, 11.0)
    transform.SetMatrixTransformToParent(matrix_from_affine(moved))
    for one in (scan, node):
        one.SetAndObserveTransformNodeID(transform.GetID())
    a_training.plan(asked(scene_cases(a_scene), folder=None))
    a_training.ticker.run_until(lambda: a_training.worker.asked)
    (sent,) = a_training.worker.asked[-1].cases
    np.testing.assert_array_equal(sent.volume.voxels, volume.voxels)
    np.testing.assert_allclose(sent.volume.affine, moved @ volume.affine)
    np.testing.assert_array_equal(sent.labelmap.layers[0], labelmap.layers[0])
    assert a_training.worker.asked[-1].values == {"kind": "MR"}
