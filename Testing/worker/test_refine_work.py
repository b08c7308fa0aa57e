"""Corrections in the worker: what comes back is what a session here answers, as differences."""

import numpy as np
import pytest
from threshold_network import threshold_network_folder

from SegmentationAILib.__main__ import main
from SegmentationAILib.core.errors import PromptError, SegmentationAIError, WeightsError
from SegmentationAILib.core.progress import IGNORE
from SegmentationAILib.core.prompt_file import row_of_prompt
from SegmentationAILib.core.prompts import PointPrompt, ScribblePrompt
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.networks.store import NetworkStore
from SegmentationAILib.refine.session import RefineSession
from SegmentationAILib.worker.client import LocalWorker, RefineAsked, WorkerError
from SegmentationAILib.worker.frame import Frame, chunks_of_frame, frame_of_bytes
from SegmentationAILib.worker.refine_work import MOST_SESSIONS, RefineSessions
from SegmentationAILib.worker.wire_refine import (
    FROZEN,
    START,
    answer_of_frame,
    frame_of_asked,
    packed,
    unpacked,
)

from phantoms import SPHERE_CENTER_RAS, sphere_mask, sphere_volume


class AHost:
    """Keeps a mask by the differences alone, as the panel does; frames go through their bytes."""

    def __init__(self, volume, start=None, frozen=None, owner="me", sessions=None, **values):
        self.sessions = sessions or RefineSessions()
        self.owner = owner
        self.mask = np.zeros(volume.grid.shape, bool) if start is None else start.copy()
        masks = {n: m for n, m in ((START, start), (FROZEN, frozen)) if m is not None}
        self.session = ""
        opened = self.ask("open", values, volume, masks)
        self.session = opened.session

    def ask(self, action, values=None, volume=None, masks=None):
        asked = RefineAsked(action, self.session, values or {}, volume, masks or {})
        sent = frame_of_bytes(b"".join(chunks_of_frame(frame_of_asked(asked))))
        frame = self.sessions.do(sent, self.owner, IGNORE)
        answer = answer_of_frame(frame_of_bytes(b"".join(chunks_of_frame(frame))))
        if answer.mask is not None:
            self.mask[answer.box.slices] = answer.mask
        return answer

    def click(self, place, positive=True):
        return self.ask("prompt", {"prompt": row_of_prompt(PointPrompt(tuple(place), positive))})


@pytest.fixture
def a_volume():
    return sphere_volume()


def test_differences_add_up_to_the_mask_of_a_session_here(a_volume):
    host, here = AHost(a_volume), RefineSession(a_volume)
    for place, positive in (
        (SPHERE_CENTER_RAS, True),
        (np.add(SPHERE_CENTER_RAS, (0, 0, 14)), False),
    ):
        host.click(place, positive)
        here.add_point(place, positive)
        np.testing.assert_array_equal(host.mask, here.mask)
    assert host.ask("undo").undo_levels == 1
    here.undo()
    np.testing.assert_array_equal(host.mask, here.mask)
    sphere = sphere_mask(a_volume.grid)
    assert 2 * (host.mask & sphere).sum() / (host.mask.sum() + sphere.sum()) > 0.95


def test_undo_stops_at_the_mask_that_was_there_before(a_volume):
    start = np.zeros(a_volume.grid.shape, bool)
    start[5:9, 5:9, 5:9] = True
    host = AHost(a_volume, start)
    host.click(SPHERE_CENTER_RAS)
    host.ask("undo")
    np.testing.assert_array_equal(host.mask, start)
    with pytest.raises(PromptError, match="nothing to undo"):
        host.ask("undo")
    np.testing.assert_array_equal(host.mask, start)


def test_a_prompt_that_is_taken_out_leaves_what_the_others_say(a_volume):
    host, here = AHost(a_volume), RefineSession(a_volume)
    places = [
        SPHERE_CENTER_RAS,
        np.add(SPHERE_CENTER_RAS, (0, 0, 30)),
        np.add(SPHERE_CENTER_RAS, (6, 0, 0)),
    ]
    for place in places:
        host.click(place)
    answer = host.ask("remove", {"index": 1})
    for place in (places[0], places[2]):
        here.add_point(place)
    np.testing.assert_array_equal(host.mask, here.mask)
    assert [p.position_ras for p in answer.prompts] == [tuple(places[0]), tuple(places[2])]
    with pytest.raises(PromptError):
        host.ask("remove", {"index": 2})


def test_frozen_voxels_stay_and_can_be_freed_again(a_volume):
    frozen = np.zeros(a_volume.grid.shape, bool)
    frozen[:30] = True
    host = AHost(a_volume, frozen=frozen)
    host.click(np.add(SPHERE_CENTER_RAS, (0, 0, 0)))
    assert host.mask.any()
    assert not host.mask[:30].any()
    host.ask("rules", masks={FROZEN: np.zeros((0, 0, 0), bool)})
    host.click(SPHERE_CENTER_RAS)
    assert host.mask[:30].any()


def test_prompts_wait_for_apply_when_they_are_to(a_volume):
    host = AHost(a_volume, run_mode="on apply")
    answer = host.click(SPHERE_CENTER_RAS)
    assert answer.mask is None
    assert len(answer.waiting) == 1
    assert host.ask("apply").undo_levels == 1
    assert host.mask.any()


def test_a_growing_line_is_one_step(a_volume):
    host = AHost(a_volume, run_mode="live")
    line = [tuple(np.add(SPHERE_CENTER_RAS, (x, 0, 0))) for x in range(-6, 7, 3)]
    for count in range(2, 6):
        row = row_of_prompt(ScribblePrompt(tuple(line[:count])))
        answer = host.ask("prompt", {"prompt": row, "is_finished": count == 5})
    assert answer.undo_levels == 1
    host.ask("undo")
    assert not host.mask.any()


def test_the_most_doubtful_place_lies_in_the_scan_and_the_next_apart(a_volume):
    host = AHost(a_volume)
    with pytest.raises(PromptError, match="Doubts are known after"):
        host.ask("doubt")
    host.click(SPHERE_CENTER_RAS)
    facts = host.ask("doubt").facts
    assert 0.5 < facts["score"] <= 1
    if facts["prompt"] is not None:
        place = facts["prompt"]["position"]
        again = host.ask("doubt", {"looked_at": [place]}).facts["prompt"]
        assert again is None or np.linalg.norm(np.subtract(place, again["position"])) >= 10


def test_a_refused_click_changes_nothing(a_volume):
    host = AHost(a_volume)
    host.click(SPHERE_CENTER_RAS)
    before = host.mask.copy()
    with pytest.raises(PromptError):
        host.click((1e4, 0, 0))
    assert host.ask("rules").undo_levels == 1
    np.testing.assert_array_equal(host.mask, before)


def test_a_correction_belongs_to_who_opened_it_and_old_ones_make_room(a_volume):
    host = AHost(a_volume)
    host.owner = "somebody else"
    with pytest.raises(WorkerError, match="not open"):
        host.click(SPHERE_CENTER_RAS)
    host.owner = "me"
    for _ in range(MOST_SESSIONS):
        AHost(a_volume, sessions=host.sessions)
    with pytest.raises(WorkerError, match="not open"):
        host.click(SPHERE_CENTER_RAS)


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ({"action": "shrink", "values": {}}, "shrink"),
        ({"action": "open", "values": []}, "open"),
        ({"action": "open", "values": {"engine": 5}}, "no volume"),
        ({"action": "undo", "values": {}, "session": "x"}, "not open"),
    ],
)
def test_frames_that_say_nothing_useful_are_refused(header, sentence):
    with pytest.raises(WorkerError, match=sentence):
        RefineSessions().do(Frame(header, {}), "me", IGNORE)


def test_an_unknown_engine_and_a_mask_of_another_grid_are_refused(a_volume):
    with pytest.raises(SegmentationAIError, match="no engine"):
        AHost(a_volume, engine="magic")
    with pytest.raises(WorkerError, match="not on the grid"):
        AHost(a_volume, start=np.ones((3, 3, 3), bool))


def test_bits_carry_any_mask_and_no_other_number_of_voxels():
    rng = np.random.default_rng(3)
    for shape in ((1, 1, 1), (3, 5, 7), (8, 2, 4)):
        mask = rng.random(shape) < 0.5
        np.testing.assert_array_equal(unpacked(packed(mask), shape), mask)
    with pytest.raises(WorkerError):
        unpacked(packed(np.ones((3, 3, 3), bool)), (4, 3, 3))


def test_a_worker_process_answers_as_a_session_here(a_volume, a_home):
    worker = LocalWorker(home=a_home)
    try:
        opened = worker.refine(RefineAsked("open", volume=a_volume)).result(120)
        prompt = row_of_prompt(PointPrompt(tuple(SPHERE_CENTER_RAS)))
        answer = worker.refine(RefineAsked("prompt", opened.session, {"prompt": prompt})).result(60)
        here = RefineSession(a_volume)
        change = here.add_point(SPHERE_CENTER_RAS)
        assert answer.box == change.box
        np.testing.assert_array_equal(answer.mask, here.mask_in(change.box))
        worker.refine(RefineAsked("close", opened.session)).result(60)
        with pytest.raises(WorkerError, match="not open"):
            worker.refine(RefineAsked("undo", opened.session)).result(60)
    finally:
        worker.close()


def test_the_scan_of_a_correction_may_hold_nan(a_volume):
    voxels = a_volume.voxels.astype(np.float32)
    voxels[0, :, :, :4] = np.nan
    host = AHost(Volume(voxels, a_volume.affine))
    host.click(SPHERE_CENTER_RAS)
    assert host.mask.any()


def test_a_network_is_adapted_in_the_worker_and_another_prompt_is_one_more_answer(
    a_volume, a_home, tmp_path
):
    folder = threshold_network_folder(tmp_path / "net")
    assert main(["networks", "install", str(folder)]) == 0
    values = {"engine": "adapt", "network": "net", "device": "cpu", "run_mode": "on apply"}
    host = AHost(a_volume, structure="Sphere", **values)
    host.click(SPHERE_CENTER_RAS)
    assert not host.mask.any()
    assert host.ask("apply").undo_levels == 1
    sphere = sphere_mask(a_volume.grid)
    assert 2 * (host.mask & sphere).sum() / (host.mask.sum() + sphere.sum()) > 0.95
    host.ask("undo")
    assert not host.mask.any()


ADAPT = {"engine": "adapt", "network": "net", "structure": "Sphere", "device": "cpu"}


@pytest.fixture
def a_network(a_home, tmp_path):
    assert main(["networks", "install", str(threshold_network_folder(tmp_path / "net"))]) == 0
    return NetworkStore()


def test_an_adapted_network_is_kept_once_and_the_correction_goes_on(a_network, a_volume):
    host = AHost(a_volume, **ADAPT)
    with pytest.raises(PromptError, match="has not been adapted yet"):
        host.ask("keep", {"id": "mine"})
    assert [one.card.id for one in a_network.listing().networks if one.state == "installed"] == [
        "net"
    ]
    host.click(SPHERE_CENTER_RAS)
    before = host.mask.copy()
    for taken in ("net", "NET", "subcortical"):
        with pytest.raises(WeightsError, match="There is a network"):
            host.ask("keep", {"id": taken})
    for wrong in ("", "a/b", "..", ".hidden"):
        with pytest.raises(WeightsError, match="cannot be the ID of a network"):
            host.ask("keep", {"id": wrong})
    with pytest.raises(WorkerError, match="something else than text"):
        host.ask("keep", {"id": 5})
    answer = host.ask("keep", {"id": "mine"})
    assert (answer.facts, answer.mask, answer.undo_levels) == ({"id": "mine"}, None, 1)
    assert a_network.find("mine").card.training.parents[0].id == "net"
    np.testing.assert_array_equal(host.mask, before)
    host.ask("undo")
    assert not host.mask.any()


def test_an_engine_that_adapts_nothing_has_no_network_to_keep(a_home, a_volume):
    host = AHost(a_volume)
    host.click(SPHERE_CENTER_RAS)
    with pytest.raises(PromptError, match="Only the engine adapt"):
        host.ask("keep", {"id": "mine"})


def test_a_server_keeps_no_network_that_learned_from_a_patient(a_network, a_volume):
    host = AHost(a_volume, sessions=RefineSessions(keeps_networks=False), **ADAPT)
    host.click(SPHERE_CENTER_RAS)
    with pytest.raises(PromptError, match="not on a server"):
        host.ask("keep", {"id": "mine"})
    assert "mine" not in {one.card.id for one in a_network.listing().networks}
    assert host.ask("undo").undo_levels == 0


def test_a_data_folder_that_cannot_be_written_is_said_and_nothing_is_left(
    a_network, a_volume, monkeypatch
):
    host = AHost(a_volume, **ADAPT)
    host.click(SPHERE_CENTER_RAS)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("safetensors.numpy.save_file", full)
        with pytest.raises(WeightsError, match=r"No space left on device\); make that possible"):
            host.ask("keep", {"id": "mine"})
    assert sorted(path.name for path in a_network.folder.glob(".adapted*")) == []
    assert host.ask("keep", {"id": "mine"}).facts == {"id": "mine"}
