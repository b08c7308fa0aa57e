"""A study in the worker: what comes back is what the study has, and what is stored is kept."""

import numpy as np
import pytest
from relabel_study import BASE, relabel_study, store_with_base, tools
from relabel_work import trainable_base
from study_files import LABELS, made_study, scan, shifted, study_folders, truth

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.progress import IGNORE
from SegmentationAILib.learn.relabel.loop import relabel
from SegmentationAILib.learn.relabel.settings import RelabelSettings
from SegmentationAILib.learn.study.person import Work, correct, corrected_voxels
from SegmentationAILib.learn.study.study import open_study
from SegmentationAILib.learn.study.versions import read_version
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.store import NetworkStore
from SegmentationAILib.worker.client import LocalWorker, StudyAsked, WorkerError
from SegmentationAILib.worker.frame import Frame, chunks_of_frame, frame_of_bytes
from SegmentationAILib.worker.study_work import StudyDesk
from SegmentationAILib.worker.wire_study import frame_of_study_asked, study_answer_of_frame


class AHost:
    """One window on a study; frames go through their bytes."""

    def __init__(self, study, desk=None, owner="me"):
        self.folder, self.desk, self.owner = str(study.folder), desk or StudyDesk(), owner

    def ask(self, action, labels=None, **values):
        asked = StudyAsked(action, self.folder, values, labels)
        sent = frame_of_bytes(b"".join(chunks_of_frame(frame_of_study_asked(asked))))
        frame = self.desk.do(sent, self.owner, IGNORE, takes_paths=True)
        return study_answer_of_frame(frame_of_bytes(b"".join(chunks_of_frame(frame))))

    def case(self, name):
        return next(c for c in self.ask("list").facts["cases"] if c["id"] == name)


@pytest.fixture
def the_study(tmp_path):
    return made_study(tmp_path, 3)


def painted(labels):
    layer = labels.layers[0].copy()
    layer[:3, 2:5, 1:4] = 2
    return Labelmap((layer,), labels.labels, labels.affine)


def test_a_case_comes_with_its_scan_its_labels_and_what_was_corrected(the_study):
    correct(the_study, "case 1", painted(shifted(truth(1))), Work("Anna", 5.0), 1)
    answer = AHost(the_study).ask("read", case="case 1")
    np.testing.assert_array_equal(answer.volume.voxels, scan(1).voxels)
    np.testing.assert_allclose(answer.volume.affine, scan(1).affine, atol=1e-4)
    layer = answer.labelmaps["labels"].layers[0]
    np.testing.assert_array_equal(layer, painted(shifted(truth(1))).layers[0])
    touched = answer.labelmaps["touched"].layers[0] != 0
    np.testing.assert_array_equal(touched, layer != shifted(truth(1)).layers[0])
    said = {name: answer.facts[name] for name in ("case", "state", "version", "origin", "who")}
    assert said == {"case": "case 1", "state": "corrected", "version": 2, "origin": "corrected",
                    "who": "Anna"}  # fmt: skip
    assert [row.name for row in answer.labelmaps["labels"].labels] == [x.name for x in LABELS]


def test_what_a_person_does_is_in_the_study_when_the_answer_comes(the_study):
    host = AHost(the_study)
    labels = painted(shifted(truth(0)))
    answer = host.ask("correct", labels, case="case 0", seen=1, who="Anna", seconds=40.0)
    assert answer.facts == {"version": 2, "state": "corrected", "is_merged": False}
    host.ask("spend", case="case 0", seconds=2.5)
    host.ask("accept", labels, case="case 0", seen=2, who="", seconds=1.0)
    host.ask("skip", case="case 1")
    study = open_study(the_study.folder)
    stored = read_version(study, study.current_version("case 0")).layers[0]
    np.testing.assert_array_equal(stored, labels.layers[0])
    assert corrected_voxels(study, study.versions("case 0")[1]).any()
    case = host.case("case 0")
    assert (case["state"], case["seconds_spent"], case["version"]) == ("accepted", 43.5, 3)
    assert host.case("case 1")["state"] == "skipped"
    assert host.ask("reopen", case="case 1").facts == {"state": "weak"}


def test_labels_of_another_grid_or_an_unknown_structure_are_refused_and_change_nothing(the_study):
    host, labels = AHost(the_study), truth(0)
    cut = Labelmap((labels.layers[0][1:],), labels.labels, labels.affine)
    other = labels.with_names([LABELS[0], Label(2, "Tooth")])
    for wrong in (cut, other):
        with pytest.raises(SegmentationAIError):
            host.ask("correct", wrong, case="case 0", seen=1, who="", seconds=0.0)
    assert len(the_study.versions("case 0")) == 1


def test_the_answer_says_that_a_prediction_was_put_around_what_was_stored(tmp_path):
    store = store_with_base(tmp_path / "home")
    study = relabel_study(tmp_path, store, 2)
    relabel(study, RelabelSettings(), 1, tools(store))
    host, said = AHost(study), {"case": "case 0", "who": "Anna", "seconds": 0.0}
    first = host.ask("correct", painted(shifted(truth(0))), seen=1, **said).facts
    assert first == {"version": 3, "state": "corrected", "is_merged": True}
    again = host.ask("correct", painted(shifted(truth(0))), seen=1, stored=3, **said).facts
    assert again == {"version": 4, "state": "corrected", "is_merged": True}
    touched = corrected_voxels(study, study.current_version("case 0"))
    changed = painted(shifted(truth(0))).layers[0] != shifted(truth(0)).layers[0]
    np.testing.assert_array_equal(touched, changed)


def test_what_is_refused_is_kept_where_that_is_asked_for_and_comes_with_the_case(the_study):
    host, said = AHost(the_study), {"case": "case 0", "who": "Anna", "seconds": 7.0, "seen": 1}
    correct(the_study, "case 0", shifted(truth(0), 3), Work("Ben"), 1)
    labels = painted(shifted(truth(0)))
    with pytest.raises(SegmentationAIError, match="changed by another window"):
        host.ask("correct", labels, **said)
    assert host.ask("read", case="case 0").facts["refused"] == []
    facts = host.ask("correct", labels, keeps="changed", **said).facts
    assert "changed by another window" in facts["refused"]
    (kept,) = host.ask("read", case="case 0").facts["refused"]
    assert (kept["who"], kept["version"], kept["seconds"]) == ("Anna", 1, 7.0)
    host.ask("take up", case="case 0", name=kept["name"])
    answer = host.ask("read", case="case 0")
    changed = labels.layers[0] != shifted(truth(0)).layers[0]
    expected = np.where(changed, 2, shifted(truth(0), 3).layers[0])
    np.testing.assert_array_equal(answer.labelmaps["labels"].layers[0], expected)
    assert answer.facts["refused"] == []
    tooth = labels.with_names([LABELS[0], Label(2, "Tooth")])
    with pytest.raises(SegmentationAIError, match="this study has"):
        host.ask("correct", tooth, keeps="changed", **said | {"seen": 3})
    assert (
        "Tooth" in host.ask("correct", tooth, keeps="always", **said | {"seen": 3}).facts["refused"]
    )
    (kept,) = host.ask("read", case="case 0").facts["refused"]
    host.ask("put off", case="case 0", name=kept["name"])
    assert host.ask("read", case="case 0").facts["refused"] == []
    with pytest.raises(WorkerError, match="something else"):
        host.ask("correct", labels, keeps="sometimes", **said)


def test_a_case_is_open_in_one_window_and_free_again_when_another_is_opened(the_study):
    one = AHost(the_study)
    other = AHost(the_study, one.desk, "somebody else")
    one.ask("read", case="case 0")
    one.ask("read", case="case 0")
    with pytest.raises(SegmentationAIError, match="open in another window"):
        other.ask("read", case="case 0")
    one.ask("read", case="case 1")
    other.ask("read", case="case 0")
    with pytest.raises(SegmentationAIError, match="open in another window"):
        one.ask("read", case="case 0")
    one.ask("leave")
    other.ask("read", case="case 1")


def test_a_case_that_cannot_be_read_leaves_the_one_before_open(the_study):
    host = AHost(the_study)
    other = AHost(the_study, host.desk, "somebody else")
    host.ask("read", case="case 0")
    (the_study.volume_path(the_study.case("case 1"))).unlink()
    with pytest.raises(SegmentationAIError, match="not in its folder"):
        host.ask("read", case="case 1")
    with pytest.raises(SegmentationAIError, match="open in another window"):
        other.ask("read", case="case 0")


@pytest.mark.parametrize(
    ("header", "takes_paths", "sentence"),
    [
        ({"action": "list", "study": "/s", "values": {}}, False, "server"),
        ({"action": "erase", "study": "/s", "values": {}}, True, "erase"),
        ({"action": "list", "study": "s", "values": {}}, True, "in full"),
        ({"action": "list", "study": "/s", "values": []}, True, "list"),
    ],
)
def test_calls_that_ask_nothing_of_a_study_here_are_refused(header, takes_paths, sentence):
    with pytest.raises(WorkerError, match=sentence):
        StudyDesk().do(Frame(header, {}), "me", IGNORE, takes_paths=takes_paths)


@pytest.mark.parametrize(
    ("action", "values"),
    [
        ("read", {"case": 3}),
        ("rollback", {"iteration": "1"}),
        ("spend", {"case": "case 0", "seconds": float("inf")}),
        ("rank", {"strategy": "hunch", "budget": 1, "device": "cpu"}),
        ("run", {"iterations": 1000, "epochs": 1, "device": "cpu"}),
        ("answer", {"review": 1, "item": 0, "reader": "", "answer": "both"}),
        ("export", {"output": "out", "format": ".nii.gz"}),
    ],
)
def test_values_that_no_panel_sends_are_refused(the_study, action, values):
    asked = StudyAsked(action, str(the_study.folder), values)
    with pytest.raises(WorkerError):
        StudyDesk().do(frame_of_study_asked(asked), "me", IGNORE, takes_paths=True)


@pytest.mark.slow
def test_a_worker_process_runs_an_iteration_reviews_it_rolls_it_back_and_exports(tmp_path):
    """The whole of a study on three phantoms, with a network that is really trained."""
    home = tmp_path / "home"
    store = NetworkStore(home)
    install(store, InstallRequest(str(trainable_base(tmp_path / "base"))), lambda *_: None)
    study = relabel_study(tmp_path, store, 3, hold_out=0.3)
    worker = LocalWorker(home=home)

    def ask(action, labels=None, **values):
        asked = StudyAsked(action, str(study.folder), values, labels)
        return worker.study(asked).result(120)

    try:
        before = ask("list").facts
        assert (before["base"], before["current"], before["iterations"]) == (BASE, 0, [])
        assert before["cost"] == {"learned": 2, "predicted": 3, "seconds": None, "epochs": None}
        assert ask("run", iterations=1, epochs=2, device="cpu").facts["done"] == [1]
        after = ask("list").facts
        # Two epochs teach nothing that the stop rule keeps; the iteration is known all the same.
        (row,) = after["iterations"]
        assert row["number"] == 1
        assert row["holdout_dice"] is not None
        assert after["cost"]["epochs"] == 2
        assert after["cost"]["seconds"] > 0
        review = ask("open review", iteration=1, against=0, per="slice", most=4).facts["review"]
        answers = ["left", "right", "tie", "left"]
        for done, answer in enumerate(answers):
            shown = ask("next pair", review=review, reader="Anna")
            assert (shown.facts["done"], shown.facts["total"]) == (done, 4)
            assert shown.facts["axis"] == 2
            assert set(shown.labelmaps) == {"left", "right"}
            ask("answer", review=review, reader="Anna", item=shown.facts["item"], answer=answer,
                seconds=1.0)  # fmt: skip
        assert ask("next pair", review=review, reader="Anna").facts["item"] is None
        with pytest.raises(SegmentationAIError, match="sealed"):
            ask("report", review=review)
        (tally,) = ask("close review", review=review).facts["readers"]
        assert tally["tie"]["count"] == 1
        assert tally["win"]["count"] + tally["loss"]["count"] == 3
        assert ask("rollback", iteration=0).facts == {"current": 0}
        found = ask("rank", strategy="random", budget=2, device="cpu").facts
        assert len(found["cases"]) == 2
        made = ask("export", output=str(tmp_path / "out"), format=".nii.gz")
        assert made.facts == {"files": 3, "left_out": {}}
        assert len(list((tmp_path / "out").glob("*.nii.gz"))) == 3
    finally:
        worker.close()


def test_nothing_that_a_reader_gets_tells_the_sides_apart(tmp_path):
    """The label tables, types and places of both sides are equal; nothing names the case."""
    store = store_with_base(tmp_path / "home")
    study = relabel_study(tmp_path, store, 2)
    relabel(study, RelabelSettings(), 1, tools(store))
    host = AHost(study)
    review = host.ask("open review", iteration=1, against=0, per="case", most=9).facts["review"]
    shown = host.ask("next pair", review=review, reader="Anna")
    left, right = (shown.labelmaps[side] for side in ("left", "right"))
    assert left.labels == right.labels
    assert all(row.provenance is None for row in left.labels)
    assert left.layers[0].dtype == right.layers[0].dtype
    assert left.notes == right.notes == ()
    assert set(shown.facts) == {"item", "done", "total", "axis", "place"}
    assert shown.volume.notes == ()


def test_a_study_is_made_through_the_wire_and_a_refusal_leaves_nothing(tmp_path, a_home):
    store_with_base(a_home)
    folders = study_folders(tmp_path, 3)
    values = {
        "images": str(folders["images"]), "labels": str(folders["weak"]), "references": "",
        "base": BASE, "hold_out": 0.3, "device": "cpu",
    }  # fmt: skip

    def ask(action, **changes):
        asked = StudyAsked(action, str(tmp_path / "study"), values | changes)
        frame = StudyDesk().do(frame_of_study_asked(asked), "me", IGNORE, takes_paths=True)
        return study_answer_of_frame(frame).facts

    for wrong, sentence in (
        ({"labels": str(tmp_path / "none")}, "is not a folder"),
        ({"base": "nowhere"}, "no network nowhere"),
        ({"hold_out": 0.01}, "choose another share"),
        ({"images": "images"}, "in full"),
        ({"hold_out": float("nan")}, "has to be a number"),
    ):
        with pytest.raises(SegmentationAIError, match=sentence):
            ask("make", **wrong)
        assert not (tmp_path / "study").exists()
    assert ask("make") == {"cases": 3, "held_out": 1, "failed": {}}
    assert [case.state for case in open_study(tmp_path / "study").cases()] == ["weak"] * 3
    # The network of thresholds is not trained by steps, so it is not offered.
    assert ask("bases") == {"bases": []}


def test_networks_that_can_be_trained_are_offered_as_a_base(tmp_path, a_home):
    store = NetworkStore(a_home)
    install(store, InstallRequest(str(trainable_base(tmp_path / "base"))), lambda *_: None)
    asked = StudyAsked("bases", "")
    frame = StudyDesk().do(frame_of_study_asked(asked), "me", IGNORE, takes_paths=True)
    assert study_answer_of_frame(frame).facts == {
        "bases": [{"id": BASE, "title": "Thresholds", "task": "Finds two spheres."}]
    }
