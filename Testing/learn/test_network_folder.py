import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from learn_cases import LABELS, a_case, a_plan

from SegmentationAILib.core.errors import SegmentationAIError, WeightsError
from SegmentationAILib.core.labelmap import Labelmap
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.learn.hold_out import dice_of_labels, predicted_channels, scores_on
from SegmentationAILib.learn.network_folder import NetworkFacts, write_network
from SegmentationAILib.learn.prepare_case import prepared_case
from SegmentationAILib.learn.replacement import (
    Comparison,
    previous_versions,
    replace_network,
    roll_back,
)
from SegmentationAILib.learn.trainer import TrainingOptions, train
from SegmentationAILib.networks.card import License
from SegmentationAILib.networks.expected_shapes import built_network, check_architecture
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.segmenter import open_segmenter
from SegmentationAILib.networks.store import NetworkStore
from SegmentationAILib.networks.trainable import InferenceForm
from SegmentationAILib.networks.training_record import Parent

from phantoms import oblique_affine

SPACING = (0.9, 1.3, 2.5)
FACTS = NetworkFacts(
    "boxes", "Boxes", "Two boxes.", License("CC-BY-SA-4.0", "Of the data.", "free"), "none",
    (Parent("base", "ab" * 32),),
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("SegmentationAILib.networks.device.physical_cores", lambda: 1)
        torch.set_num_threads(1)
        yield
    torch.set_num_threads(before)


def a_scan(seed):
    """A case as a scan of an oblique anisotropic grid, with its labelmap."""
    case = a_case(seed)
    affine = oblique_affine(SPACING)
    values = np.array([0, LABELS[0].value, LABELS[1].value], np.uint8)
    volume = Volume((case.array * 100).astype(np.int16), affine)
    return volume, Labelmap((values[case.channels],), LABELS, affine)


@pytest.fixture(scope="module")
def the_training(tmp_path_factory, one_thread):
    """A trained network in its folder, with the cases it was trained on and scored on."""
    folder = tmp_path_factory.mktemp("trained") / "boxes"
    plan = a_plan(
        epochs=6, steps_per_epoch=8, spacing_mm=SPACING, orientation="LPS",
        intensity=replace(a_plan().intensity, rule="zscore"), foreground_fraction=1.0,
    )  # fmt: skip
    scans = {f"scan-{seed}": a_scan(seed) for seed in range(8)}
    cases = [prepared_case(name, *scan, plan) for name, scan in scans.items()]
    trained = train(
        cases[:5], plan, output=folder, hold_out=cases[5:], options=TrainingOptions(device="cpu")
    )
    card = write_network(folder, trained, FACTS, cases[:5], cases[5:])
    return folder, trained, card, scans, cases


def installed(folder, home, network_id="boxes"):
    store = NetworkStore(home)
    install(store, InstallRequest(str(folder), network_id), check_architecture)
    return store


def test_the_folder_installs_and_segments_like_the_trainer_scored(the_training, a_home):
    folder, trained, card, scans, cases = the_training
    store = installed(folder, a_home)
    assert store.find("boxes").card.training == card.training
    segmenter = open_segmenter("boxes", "cpu", store=store)
    network = InferenceForm(built_network(card, trained.weights)).eval()
    for case in cases[5:]:
        volume, truth = scans[case.id]
        layer = segmenter.segment(volume).labelmap.layers[0]
        channels = np.select([layer == LABELS[0].value, layer == LABELS[1].value], [1, 2], 0)
        # The network's grid is the scan's, turned: its own answer lies there the same way.
        own = predicted_channels(network, case, trained.plan)
        values = np.bincount(own.ravel(), minlength=3)
        assert np.abs(np.bincount(channels.ravel(), minlength=3) - values).max() <= 2
        expected = trained.scores.cases[case.id]
        reference = truth.layers[0]
        true = np.select([reference == LABELS[0].value, reference == LABELS[1].value], [1, 2], 0)
        found = dice_of_labels(true.astype(np.uint8), channels.astype(np.uint8), 2)
        assert found == pytest.approx(expected, abs=0.01)
    assert trained.scores.labels[0] > 0.8


def test_the_card_tells_data_recipe_scores_and_parents(the_training):
    folder, trained, card, _, cases = the_training
    record = card.training
    assert (record.cases, record.hold_out, record.steps) == (5, 3, 48)
    assert record.parents == FACTS.parents
    assert [row.label for row in record.scores] == ["Bright", "Brighter"]
    assert record.mean_dice == trained.scores.mean
    full = json.loads((folder / "training.json").read_text())
    assert [row["id"] for row in full["cases"]] == [case.id for case in cases[:5]]
    assert len({row["voxels_sha256"] for row in full["cases"] + full["hold_out"]}) == 8
    assert "scan-0" not in (folder / "card.json").read_text()


def test_other_voxels_or_labels_give_other_hashes(the_training):
    from SegmentationAILib.learn.training_folder import hashes_of, sha256_of_cases

    case = a_case()
    other = a_case(1)
    assert hashes_of(case) == hashes_of(a_case())
    assert sha256_of_cases([case, other]) != sha256_of_cases([other, case])
    relabeled = replace(case, channels=other.channels)
    assert hashes_of(relabeled)[0] == hashes_of(case)[0]
    assert hashes_of(relabeled)[1] != hashes_of(case)[1]


def test_a_worse_network_is_refused_and_a_better_one_can_be_undone(the_training, a_home, tmp_path):
    folder, trained, _, _, cases = the_training
    store = installed(folder, a_home)
    first = store.find("boxes").card.sha256
    worse = replace(trained, weights={n: a + np.float32(0.01) for n, a in trained.weights.items()})
    write_network(tmp_path / "other", worse, FACTS, cases[:5], cases[5:])
    with pytest.raises(SegmentationAIError, match=r"0\.8000 .* 0\.8100: the better one stays"):
        replace_network(store, "boxes", tmp_path / "other", Comparison(0.81, 0.80))
    with pytest.raises(SegmentationAIError, match="no score"):
        replace_network(store, "boxes", tmp_path / "other", Comparison(0.81, None))
    assert store.find("boxes").card.sha256 == first
    assert previous_versions(store, "boxes") == 0
    replace_network(store, "boxes", tmp_path / "other", Comparison(0.81, 0.82))
    assert store.find("boxes").card.sha256 != first
    assert previous_versions(store, "boxes") == 1
    roll_back(store, "boxes")
    assert store.find("boxes").card.sha256 == first
    assert store.find("boxes").read_weights().keys() == trained.weights.keys()
    with pytest.raises(SegmentationAIError, match="none to go back to"):
        roll_back(store, "boxes")


def test_a_folder_that_cannot_be_installed_replaces_nothing_and_keeps_no_version(
    the_training, a_home, tmp_path
):
    folder, trained, _, _, cases = the_training
    store = installed(folder, a_home)
    write_network(tmp_path / "other", trained, FACTS, cases[:5], cases[5:])
    (tmp_path / "other" / "weights.safetensors").write_bytes(b"damaged")
    with pytest.raises(WeightsError):
        replace_network(store, "boxes", tmp_path / "other", Comparison(0.5, 0.6))
    assert store.find("boxes").read_weights()
    assert previous_versions(store, "boxes") == 0


def test_a_network_that_ships_is_not_replaced(the_training, a_home):
    store = NetworkStore(a_home)
    shipped = next(n for n in store.listing().networks if n.state == "shipped")
    with pytest.raises(WeightsError, match="not installed by a person"):
        replace_network(store, shipped.card.id, the_training[0], Comparison(0.1, 0.9))


def test_scores_leave_out_what_is_not_known_and_labels_that_are_nowhere():
    truth = np.array([[[0, 1, 1, 255]]], np.uint8)
    found = np.array([[[1, 1, 0, 2]]], np.uint8)
    assert dice_of_labels(truth, found, 3) == (0.5, None, None)
    missed = np.zeros_like(found)
    assert dice_of_labels(truth, missed, 3) == (0.0, None, None)


def test_large_cases_are_scored_by_overlapping_windows():
    """A network that answers by intensity alone is right everywhere, whatever the windows."""

    class Threshold(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.unused = torch.nn.Parameter(torch.zeros(1))

        def forward(self, patch):
            assert patch.shape[2:] == (8, 8, 4)
            return -torch.cat([(patch - level).abs() for level in (-0.5, 0.5, 1.5)], dim=1)

    plan = a_plan(patch_size=(8, 8, 4))
    cases = [a_case(seed, shape=(29, 18, 13), noise=0.0) for seed in range(2)]
    scores = scores_on(Threshold(), cases, plan)
    assert scores.labels == (1.0, 1.0)
    assert scores.mean == 1.0
