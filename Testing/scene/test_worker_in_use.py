"""Settings, deletions and bundles end the worker; they wait for what is under way in it."""

import pytest

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.panel_logic import ScenePanelLogic
from SegmentationAILib.scene.panel_new_study import StudyWanted
from SegmentationAILib.scene.study_link import INDEX
from SegmentationAILib.scene.ticker import PlainTicker
from SegmentationAILib.scene.worker_setup import WorkerSetup
from SegmentationAILib.worker.client import Call, StudyAnswer

LISTED = {
    "set_aside": 0, "cases": [], "base": "brain", "iterations": [], "current": 0,
    "unfinished": None, "reviews": [],
    "cost": {"learned": 1, "predicted": 1, "seconds": None, "epochs": None},
}  # fmt: skip


class StudyWorker:
    """Lists a study, and does nothing of what else it is asked until the test says so."""

    def __init__(self):
        self.calls = {}

    def study(self, asked):
        call = Call()
        if asked.action == "list":
            call.finish(StudyAnswer(LISTED))
        else:
            self.calls[asked.action] = call
        return call

    def close(self):
        """There is no process."""


@pytest.fixture
def a_panel(a_home):
    worker, ticker = StudyWorker(), PlainTicker()
    panel = ScenePanelLogic(
        headless_slicer().scene, WorkerSetup(worker=worker), ticker, lambda uid, tag: ""
    )
    panel.worker, panel.ticker = worker, ticker
    yield panel
    panel.close()


def turned(panel):
    for _ in range(5):
        panel.ticker.turn()


def test_settings_wait_for_the_relabelling_loop(a_panel, tmp_path):
    (tmp_path / INDEX).touch()
    a_panel.open_study(tmp_path, lambda *_: None, lambda _: None)
    turned(a_panel)
    a_panel.propose(1, 2, lambda *_: None, lambda _: None)
    turned(a_panel)
    assert a_panel.is_proposing()
    refuses_until(a_panel, "run")


def test_settings_wait_for_a_study_that_is_being_made(a_panel, tmp_path):
    wanted = StudyWanted(str(tmp_path), "otsu", "brain", 0.0, "", str(tmp_path), "study")
    a_panel.make_study(wanted, lambda *_: None, lambda _: None)
    refuses_until(a_panel, "make")


def refuses_until(panel, action):
    settings = panel.settings()
    with pytest.raises(SegmentationAIError, match="is running; wait until it is done"):
        panel.change_settings(settings)
    panel.worker.calls[action].finish(error=SegmentationAIError("It could not be done."))
    turned(panel)
    assert "next run" in panel.change_settings(settings)
