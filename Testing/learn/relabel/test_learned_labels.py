"""What a network learns from a version: doubt is left out, a person's voxels weigh more."""

import math
from dataclasses import replace

import numpy as np
import pytest
from relabel_study import base_folder
from study_files import made_study, scan, shifted, truth

from SegmentationAILib.core.labelmap import Labelmap
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.learn.relabel.base import plan_of_base
from SegmentationAILib.learn.relabel.learned_labels import doubt_of_gate, learned_case
from SegmentationAILib.learn.relabel.settings import RelabelSettings
from SegmentationAILib.learn.study.label_table import labels_from_text
from SegmentationAILib.learn.study.person import Work, accept, correct
from SegmentationAILib.learn.study.records import Making
from SegmentationAILib.learn.study.versions import NewVersion, add_version, read_version
from SegmentationAILib.learn.training_case import IGNORED
from SegmentationAILib.networks.card_reader import card_from_bytes

SETTINGS = RelabelSettings(trust=4.0)


@pytest.fixture
def the_study(tmp_path):
    return made_study(tmp_path, 2)


@pytest.fixture
def the_plan(the_study, tmp_path):
    folder = base_folder(tmp_path / "base")
    card = card_from_bytes((folder / "card.json").read_bytes(), "card")
    # The grid of the scans themselves, so that voxels can be compared one by one.
    return plan_of_base(
        replace(card, orientation="LPS"), labels_from_text(the_study.facts.labels), SETTINGS, 1
    )


def learned(study, plan, settings=SETTINGS, member=0):
    version = study.current_version("case 0")
    return learned_case(study, "case 0", version, scan(0), plan, settings, member)


def predict(study, **beside):
    making = Making("predicted", weights_sha256="d" * 64, iteration=1)
    add_version(study, "case 0", NewVersion(truth(0), making, beside), 1)


def test_weak_labels_are_learned_as_they_are(the_study, the_plan):
    case = learned(the_study, the_plan)
    np.testing.assert_array_equal(case.channels, shifted(truth(0)).layers[0])
    assert case.weights is None


def test_all_voxels_of_accepted_labels_weigh_more(the_study, the_plan):
    accept(the_study, "case 0", truth(0), Work("Anna"), 1)
    case = learned(the_study, the_plan)
    np.testing.assert_array_equal(case.channels, truth(0).layers[0])
    assert (case.weights == 4.0).all()


def test_only_the_voxels_that_were_corrected_weigh_more(the_study, the_plan):
    labels = shifted(truth(0))
    layer = labels.layers[0].copy()
    layer[2:5, 3, 4:6] = 2
    correct(the_study, "case 0", Labelmap((layer,), labels.labels, labels.affine), Work("Anna"), 1)
    case = learned(the_study, the_plan)
    np.testing.assert_array_equal(case.channels, layer)
    np.testing.assert_array_equal(case.weights == 4.0, layer != labels.layers[0])
    assert set(np.unique(case.weights)) == {1.0, 4.0}


def test_doubtful_predictions_are_not_learned_but_a_persons_voxels_are(the_study, the_plan):
    doubt = np.zeros(truth(0).grid.shape, np.uint8)
    doubt[:9] = 255
    touched = np.zeros(doubt.shape, np.uint8)
    touched[4] = 1
    affine = truth(0).affine
    mask = Labelmap((touched,), (truth(0).labels[0],), affine)
    predict(the_study, doubt=Volume(doubt[None], affine), touched=mask)
    case = learned(the_study, the_plan, replace(SETTINGS, gate=0.7))
    ignored = case.channels == IGNORED
    assert ignored[:4].all()
    assert ignored[5:9].all()
    assert not ignored[4].any()
    assert not ignored[9:].any()
    np.testing.assert_array_equal(case.channels[~ignored], truth(0).layers[0][~ignored])
    # Without a gate everything is learned.
    assert not (learned(the_study, the_plan).channels == IGNORED).any()


def correct_one_voxel(study):
    """Two corrections, one after the other, of a voxel each; return where."""
    places = [(4, 4, 4), (5, 3, 2)]
    for place in places:
        labels = read_version(study, study.current_version("case 0"))
        layer = labels.layers[0].copy()
        layer[place] = 2 if layer[place] != 2 else 1
        changed = Labelmap((layer,), labels.labels, labels.affine)
        correct(study, "case 0", changed, Work("Anna"), study.case("case 0").current)
    touched = np.zeros(layer.shape, bool)
    touched[tuple(zip(*places, strict=True))] = True
    return layer, touched


def test_the_gate_still_holds_for_the_voxels_that_a_correction_left_alone(the_study, the_plan):
    doubt = np.zeros(truth(0).grid.shape, np.uint8)
    doubt[:9] = 255
    predict(the_study, doubt=Volume(doubt[None], truth(0).affine))
    layer, touched = correct_one_voxel(the_study)
    case = learned(the_study, the_plan, replace(SETTINGS, gate=0.7))
    expected = np.where((doubt > 0) & ~touched, IGNORED, layer)
    np.testing.assert_array_equal(case.channels, expected)
    # Once a person has confirmed all of it, nothing is doubtful.
    labels = read_version(the_study, the_study.current_version("case 0"))
    accept(the_study, "case 0", labels, Work("Anna"), the_study.case("case 0").current)
    case = learned(the_study, the_plan, replace(SETTINGS, gate=0.7))
    np.testing.assert_array_equal(case.channels, layer)


def test_three_networks_still_need_to_agree_where_a_correction_left_alone(the_study, the_plan):
    votes = np.zeros((3, *truth(0).grid.shape), np.uint8)
    votes[2, 4:6] = 1
    predict(the_study, votes=Volume(votes, truth(0).affine))
    layer, touched = correct_one_voxel(the_study)
    case = learned(the_study, the_plan, replace(SETTINGS, scheme="tri"))
    expected = np.zeros(layer.shape, np.uint8)
    expected[4:6] = IGNORED
    np.testing.assert_array_equal(case.channels, np.where(touched, layer, expected))


def test_three_networks_learn_neither_what_they_dispute_nor_what_is_doubtful(the_study, the_plan):
    votes = np.ones((3, *truth(0).grid.shape), np.uint8)
    votes[2, 4:6] = 2
    doubt = np.zeros(votes.shape[1:], np.uint8)
    doubt[9:12] = 255
    affine = truth(0).affine
    predict(the_study, votes=Volume(votes, affine), doubt=Volume(doubt[None], affine))
    tri = replace(SETTINGS, scheme="tri", gate=0.7)
    expected = np.ones(doubt.shape, np.uint8)
    expected[9:12] = IGNORED
    np.testing.assert_array_equal(learned(the_study, the_plan, tri, 2).channels, expected)
    expected[4:6] = IGNORED
    np.testing.assert_array_equal(learned(the_study, the_plan, tri, 0).channels, expected)


@pytest.mark.parametrize("channels", [2, 3, 30])
def test_every_voxel_less_certain_than_the_gate_is_beyond_its_doubt(channels):
    rng = np.random.default_rng(4)
    for gate in (0.55, 0.7, 0.9):
        limit = doubt_of_gate(gate, channels)
        for _ in range(200):
            p = rng.dirichlet(np.full(channels, rng.choice([0.1, 0.5, 2.0])))
            entropy = -sum(x * math.log(x) for x in p if x > 0) / math.log(channels)
            if p.max() < gate:
                assert entropy > limit
    # Of two channels the gate is exact, and one half is no doubt at all.
    assert doubt_of_gate(0.5, 2) == pytest.approx(1.0)


def test_each_of_three_networks_learns_from_what_the_other_two_agree_in(the_study, the_plan):
    affine = truth(0).affine
    votes = np.zeros((3, *truth(0).grid.shape), np.uint8)
    votes[:, 3] = 1
    votes[0, 5] = votes[1, 5] = 2
    votes[2, 7] = 2
    predict(the_study, votes=Volume(votes, affine))
    tri = replace(SETTINGS, scheme="tri")
    first, second, third = (learned(the_study, the_plan, tri, n).channels for n in range(3))
    for channels in (first, second, third):
        assert (channels[3] == 1).all()
        assert (channels[1] == 0).all()
    assert (third[5] == 2).all()
    assert (first[5] == IGNORED).all()
    assert (third[7] == 0).all()
    assert (second[7] == IGNORED).all()
