"""Slicer's Grow from seeds behind a session: seeds are held, and the filter stays alive."""

import json

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")

from SegmentationAILib.__main__ import main  # noqa: E402
from SegmentationAILib.commands import growcut_engine  # noqa: E402
from SegmentationAILib.commands.growcut_engine import GrowCutEngine, open_growcut  # noqa: E402
from SegmentationAILib.core.errors import PromptError, SegmentationAIError  # noqa: E402
from SegmentationAILib.core.files import read_labelmap, write_volume  # noqa: E402
from SegmentationAILib.core.volume import Volume  # noqa: E402
from SegmentationAILib.refine.session import RefineSession  # noqa: E402

from phantoms import SPHERE_CENTER_RAS, grid_around, sphere_mask  # noqa: E402

CENTER = np.array(SPHERE_CENTER_RAS)


@pytest.fixture
def a_session(a_sphere_volume):
    return RefineSession(a_sphere_volume, open_growcut(""))


def dice(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def test_a_click_grows_to_the_sphere_and_a_correction_is_held(a_session):
    truth = sphere_mask(a_session.volume.grid)
    a_session.add_point(CENTER)
    assert dice(a_session.mask, truth) > 0.95
    a_session.add_point(CENTER + np.array([0, 0, 8.0]), positive=False)
    place = a_session.volume.grid.ijk_from_ras(np.array([CENTER + np.array([0, 0, 8.0])]))[0]
    assert not a_session.mask[tuple(np.rint(place).astype(int))]
    a_session.undo()
    assert dice(a_session.mask, truth) > 0.95


def test_the_filter_is_kept_while_prompts_are_added_and_answers_nearly_as_a_new_one(
    a_sphere_volume, monkeypatch
):
    made = []
    begun = GrowCutEngine._begun
    monkeypatch.setattr(
        GrowCutEngine, "_begun", staticmethod(lambda *a: made.append(1) or begun(*a))
    )
    kept = RefineSession(a_sphere_volume, open_growcut(""))
    for offset, positive in ((0, True), (6, True), (-14, False), (14, False)):
        kept.add_point(CENTER + np.array([offset, 0, 0]), positive)
    assert len(made) < 4
    fresh = RefineSession(a_sphere_volume, open_growcut(""))
    fresh.run_mode = "on apply"
    for prompt in kept.prompts:
        fresh.add(prompt)
    fresh.apply()
    # Slicer's own update after a further seed is not exactly what a first run would find.
    assert dice(kept.mask, fresh.mask) > 0.95


def test_clicks_near_each_other_go_on_with_one_filter_however_the_box_would_grow(monkeypatch):
    grid = grid_around(CENTER, shape=(90, 80, 70))
    inside = sphere_mask(grid, CENTER, 12.0)
    volume = Volume(np.where(inside, 200, 40).astype(np.int16)[None], grid.affine)
    made, begun = [], GrowCutEngine._begun
    monkeypatch.setattr(
        GrowCutEngine, "_begun", staticmethod(lambda *a: made.append(1) or begun(*a))
    )
    session = RefineSession(volume, open_growcut(""))
    for offset in (0.0, 4.0, 8.0, -8.0):
        session.add_point(CENTER + np.array([offset, 0, 0]))
    assert len(made) == 1
    assert dice(session.mask, inside) > 0.95


def test_a_seed_that_is_taken_back_says_nothing_any_more():
    from SegmentationAILib.scene.growcut import GROUND, SEGMENT, GrowCut, layer_of_ground

    voxels = np.zeros((24, 30, 18), np.float32)
    voxels[6:18, 8:22, 4:14] = 100
    seeds = np.zeros(voxels.shape, np.uint8)
    layer_of_ground(seeds, np.ones((3, 2), bool))
    seeds[9:11, 12:14, 8:10] = SEGMENT
    before, more = seeds.copy(), seeds.copy()
    more[14:16, 12:14, 8:10] = GROUND
    grow = GrowCut(voxels, (1.0, 1.0, 1.0))
    assert not grow.grown(more)[14, 12, 8]
    assert np.array_equal(grow.grown(before), voxels > 50)


def test_a_mask_that_was_brought_along_is_a_seed_and_ground_alone_is_refused(a_session):
    with pytest.raises(PromptError, match="needs a prompt inside of the segment"):
        a_session.add_point(CENTER, positive=False)
    assert a_session.undo_levels == 0
    a_session.set_mask(sphere_mask(a_session.volume.grid, radius_mm=9.0))
    a_session.add_point(CENTER + np.array([0, 22.0, 0]), positive=False)
    assert dice(a_session.mask, sphere_mask(a_session.volume.grid)) > 0.95


def test_outside_of_a_box_that_was_drawn_nothing_grows(a_session):
    change = a_session.add_box(CENTER - 6, CENTER + 6)
    assert change.added > 0
    places = a_session.volume.grid.ras_from_ijk(np.argwhere(a_session.mask).astype(float))
    # The box is drawn along RAS and filled along the oblique grid: a voxel more at its corners.
    assert np.abs(places - CENTER).max() < 6 * 2.2


def test_the_command_offers_it_where_slicer_is_and_refuses_in_a_sentence_elsewhere(
    tmp_path, a_sphere_volume, a_home, capsys, monkeypatch
):
    write_volume(a_sphere_volume, tmp_path / "x.nrrd")
    rows = [{"type": "point", "position": CENTER.tolist(), "positive": True}]
    (tmp_path / "p.json").write_text(json.dumps({"prompts": rows}))
    output = tmp_path / "y.seg.nrrd"
    words = ["refine", str(tmp_path / "x.nrrd"), "--prompts", str(tmp_path / "p.json")]
    assert main([*words, "--output", str(output), "--engine", "growcut"]) == 0
    labelmap = read_labelmap(output)
    mask = labelmap.mask(labelmap.labels[0])
    assert dice(mask, sphere_mask(a_sphere_volume.grid)) > 0.95
    with pytest.raises(SegmentationAIError, match="works without a network"):
        open_growcut("subcortical")
    monkeypatch.setattr(growcut_engine.importlib.util, "find_spec", lambda name: None)
    other = tmp_path / "z.seg.nrrd"
    assert main([*words, "--output", str(other), "--engine", "growcut"]) == 2
    assert "slicer-core is not installed here" in capsys.readouterr().err
    assert not other.exists()
