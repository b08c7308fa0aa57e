"""The adapt engine: a network learns from prompts what it did not know about this one scan."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from threshold_network import threshold_network_folder

from SegmentationAILib.__main__ import main
from SegmentationAILib.core.errors import Cancelled, PromptError, SegmentationAIError, WeightsError
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.networks.device import CPU
from SegmentationAILib.networks.segmenter import open_segmenter
from SegmentationAILib.networks.store import NetworkStore
from SegmentationAILib.networks.weights import sha256_of
from SegmentationAILib.refine.adapt import NEAR_PROMPTS, AdaptEngine
from SegmentationAILib.refine.adapt_training import AdaptSettings
from SegmentationAILib.refine.session import RefineSession

from phantoms import SPHERE_CENTER_RAS, grid_around, sphere_mask, sphere_volume

CENTER = np.array(SPHERE_CENTER_RAS)
# The network of these tests has 119 weights: it learns in large steps what a real one has in it.
LARGE_STEPS = AdaptSettings(steps=60, learning_rate=0.03)
# As sure of itself as trained networks are.
SHARPER = 20


@pytest.fixture
def a_network(a_home, tmp_path):
    folder = threshold_network_folder(tmp_path / "net")
    path = folder / "weights.safetensors"
    weights = load_file(path)
    save_file({**weights, "model.2.weight": weights["model.2.weight"] * SHARPER}, path)
    facts = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**facts, "sha256": sha256_of(path)}))
    assert main(["networks", "install", str(folder)]) == 0
    return "net"


@pytest.fixture
def a_dim_sphere():
    """A sphere at 0.35 of the range, and a spot at its top: the network takes what is over 0.5."""
    grid = grid_around(SPHERE_CENTER_RAS)
    noise = np.random.default_rng(7).normal(0, 4, grid.shape)
    voxels = np.where(sphere_mask(grid), 350.0, 20.0) + noise
    voxels[:6, :6, :5] = 1000
    return Volume(voxels[None].astype(np.float32), grid.affine)


def opened(volume, network="net", settings=LARGE_STEPS, structure="Sphere"):
    stored = NetworkStore().find(network)
    engine = AdaptEngine(volume, stored, open_segmenter(network, "cpu"), CPU, structure, settings)
    return RefineSession(volume, engine), engine


def dice(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def spot_ras(volume):
    return volume.grid.ras_from_ijk(np.array([[2.0, 2, 2]]))[0]


def teach(session):
    session.run_mode = "on apply"
    session.add_point(CENTER)
    session.add_point(CENTER + np.array([0, 10.0, 0]))
    session.add_point(spot_ras(session.volume), positive=False)
    return session.apply()


def test_prompts_of_both_signs_teach_the_network_what_it_did_not_know(a_network, a_dim_sphere):
    before = open_segmenter("net", "cpu").segment(a_dim_sphere).labelmap.layers[0] == 7
    truth = sphere_mask(a_dim_sphere.grid)
    assert dice(before, truth) < 0.05
    session, _ = opened(a_dim_sphere)
    teach(session)
    # Nearly all of the sphere is beyond what was pointed at: the network itself has changed.
    assert dice(session.mask, truth) > 0.9
    assert not session.mask[2, 2, 2]
    session.undo()
    assert not session.mask.any()


def test_the_same_prompts_have_the_same_answer_whatever_was_asked_before(a_network, a_dim_sphere):
    first, _ = opened(a_dim_sphere)
    teach(first)
    second, _ = opened(a_dim_sphere)
    second.add_point(spot_ras(a_dim_sphere))
    second.undo()
    teach(second)
    np.testing.assert_array_equal(first.mask, second.mask)
    np.testing.assert_array_equal(first.last_answer.probabilities, second.last_answer.probabilities)


def test_without_prompts_the_network_teaches_itself_and_other_engines_refuse(
    a_network, a_dim_sphere
):
    session, _ = opened(a_dim_sphere, settings=AdaptSettings())
    session.add_together([])
    spot = np.zeros(a_dim_sphere.grid.shape, bool)
    spot[:6, :6, :5] = True
    # What it was sure of it keeps; nothing told it of the sphere.
    assert dice(session.mask, spot) > 0.8
    assert not session.mask[sphere_mask(a_dim_sphere.grid)].any()
    with pytest.raises(PromptError, match="Nothing was pointed at"):
        RefineSession(a_dim_sphere, "geodesic").add_together([])
    session.add_point(CENTER)
    with pytest.raises(PromptError, match="Nothing was pointed at"):
        session.add_together([])


@pytest.mark.parametrize("sentence", ["Patch 1", "step 30"])
def test_canceling_leaves_everything_as_it_was(a_network, a_dim_sphere, sentence):
    session, _ = opened(a_dim_sphere)

    def stop(fraction, said):
        if sentence in said:
            raise Cancelled

    with pytest.raises(Cancelled):
        session.add_point(CENTER, progress=Progress(stop))
    assert not session.mask.any()
    assert session.undo_levels == 0
    with pytest.raises(PromptError, match="has not been adapted yet"):
        session.keep_network("mine")
    session.add_point(CENTER)
    assert session.mask.any()


def test_progress_rises_from_the_network_over_the_steps_to_the_end(a_network, a_dim_sphere):
    seen = []
    session, _ = opened(a_dim_sphere)
    session.add_point(CENTER, progress=Progress(lambda done, said: seen.append((done, said))))
    fractions = [done for done, _ in seen]
    assert fractions == sorted(fractions)
    assert sum("Adapting, step" in said for _, said in seen) == LARGE_STEPS.steps


def test_a_network_that_is_kept_says_from_which_it_comes_and_does_what_it_learned(
    a_network, a_dim_sphere
):
    session, _ = opened(a_dim_sphere)
    teach(session)
    base = NetworkStore().find("net")
    assert session.keep_network("mine") == "mine"
    kept = NetworkStore().find("mine")
    assert kept.card.training.parents[0].id == "net"
    assert kept.card.training.parents[0].sha256 == base.card.sha256 != kept.card.sha256
    assert kept.card.training.cases == 1
    assert kept.card.gates == ()
    assert "adapted to one scan" in kept.card.title
    assert "Adapted from net to one scan by 3 prompts about Sphere" in kept.card.limits[0]
    found = open_segmenter("mine", "cpu").segment(a_dim_sphere).labelmap.layers[0] == 7
    assert dice(found, sphere_mask(a_dim_sphere.grid)) > 0.9
    # The network that it comes from is what it was, and a name is given once.
    assert NetworkStore().find("net").card.sha256 == base.card.sha256
    with pytest.raises(WeightsError, match="There is a network mine already"):
        session.keep_network("mine")
    leftovers = [path.name for path in NetworkStore().folder.iterdir()]
    assert sorted(n for n in leftovers if n.startswith(".adapted")) == []


def test_a_mask_that_was_brought_along_is_taught_too(a_network, a_dim_sphere):
    truth = sphere_mask(a_dim_sphere.grid)
    session, _ = opened(a_dim_sphere)
    half = truth.copy()
    half[:, : truth.shape[1] // 2] = False
    session.set_mask(half)
    session.add_point(spot_ras(a_dim_sphere), positive=False)
    assert dice(session.mask, truth) > 0.9


def test_the_structure_under_the_first_prompt_is_adapted_when_none_is_named(a_network):
    """The sphere is found at once here; the answer is that of the session which names it."""
    volume, masks = sphere_volume(), []
    for structure in ("", "Sphere"):
        session, _ = opened(volume, settings=AdaptSettings(steps=3), structure=structure)
        session.add_point(CENTER)
        masks.append(session.mask)
    np.testing.assert_array_equal(*masks)
    assert dice(masks[0], sphere_mask(volume.grid)) > 0.95


def test_frozen_voxels_stay_and_nothing_outside_of_the_box_changes(a_network, a_dim_sphere):
    session, _ = opened(a_dim_sphere)
    frozen = np.zeros(a_dim_sphere.grid.shape, bool)
    frozen[:, 26:] = True
    session.freeze(frozen)
    change = teach(session)
    outside = session.mask
    outside[change.box.slices] = False
    assert not outside.any()
    assert session.mask.any()
    assert not session.mask[frozen].any()


def test_what_cannot_be_adapted_is_refused_in_a_sentence(a_network, a_dim_sphere):
    with pytest.raises(SegmentationAIError, match="fine-tunes a network; name an installed one"):
        RefineSession(a_dim_sphere, "adapt")
    with pytest.raises(WeightsError, match="name one and not several"):
        RefineSession(a_dim_sphere, "adapt", "net,net")
    with pytest.raises(SegmentationAIError, match="this network has: Sphere, Never"):
        RefineSession(a_dim_sphere, "adapt", "net", structure="Liver", device="cpu")
    session = RefineSession(a_dim_sphere, "adapt", "net", device="cpu")
    with pytest.raises(PromptError, match="which of its structures is meant"):
        session.add_point(CENTER)
    with pytest.raises(PromptError, match="Only the engine adapt"):
        RefineSession(a_dim_sphere).keep_network("x")


def test_a_segment_that_is_too_large_is_adapted_around_the_prompts(
    a_network, a_dim_sphere, monkeypatch
):
    monkeypatch.setattr("SegmentationAILib.refine.adapt.voxels_that_fit", lambda per_voxel: 1)
    settings = replace(LARGE_STEPS, steps=2)
    # The network's patch has 32 voxels of 1.5 mm a side, and the bright scan is larger.
    bright = Volume(1000 - a_dim_sphere.voxels, a_dim_sphere.affine)
    session, _ = opened(bright, settings=settings)
    change = session.add_point(CENTER)
    assert NEAR_PROMPTS in change.notes
