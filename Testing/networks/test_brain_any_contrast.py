"""The shipped network on real scans and on the phantom: coarse truths that it must not miss."""

from itertools import combinations

import numpy as np
import pytest

from SegmentationAILib.core.files import read_volume
from SegmentationAILib.core.metrics import compare
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.learn.procedural_head import head_phantom
from SegmentationAILib.networks.segmenter import open_segmenter

# Hippocampi of this scan by hippodeep (github.com/bthyreau/hippodeep_pytorch), ml: left and right.
HIPPODEEP_ML = (3.161, 3.344)
CONTRASTS = ("T1", "T1POST", "T2", "FLAIR")


@pytest.fixture(scope="module")
def the_network(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGMENTATIONAI_HOME", str(tmp_path_factory.mktemp("home")))
        yield open_segmenter("brain-any-contrast", device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def a_head(the_data):
    return read_volume(the_data / "brain-t1" / "t1.nii.gz")


@pytest.fixture(scope="module")
def a_brain(the_network, a_head):
    return the_network.segment(a_head).labelmap


def milliliters(labelmap, name):
    label = next(label for label in labelmap.labels if label.name == name)
    return labelmap.mask(label).sum() * labelmap.grid.voxel_volume_ml


def test_it_ships_with_a_license_its_weights_and_the_32_structures(the_network, the_data):
    card = the_network.card
    assert card.license.id == "Apache-2.0"
    assert card.size_bytes <= 10 * 2**20
    listed = (the_data / "brain-label-maps" / "labels.txt").read_text(encoding="utf-8")
    rows = [line.split(maxsplit=1) for line in listed.splitlines()]
    values = {int(row[0]) for row in rows if len(row) == 2 and row[0].isdigit()} - {0}
    assert {label.value for label in card.labels} == values


def test_every_paired_structure_has_its_side_in_name_and_terminology(the_network):
    sides = {"Left": "7771000", "Right": "24028007"}
    labels = the_network.card.labels
    for label in labels:
        assert label.terminology is not None
        side = label.name.split()[0]
        expected = sides.get(side, "")
        assert label.terminology.modifier.value == expected, label.name
    lefts = {label.name[5:] for label in labels if label.name.startswith("Left ")}
    rights = {label.name[6:] for label in labels if label.name.startswith("Right ")}
    assert lefts == rights
    assert len(lefts) == 14


def test_hippocampi_of_a_real_head_are_within_a_third_of_hippodeeps(a_brain):
    found = [milliliters(a_brain, f"{side} Hippocampus") for side in ("Left", "Right")]
    assert sum(found) == pytest.approx(sum(HIPPODEEP_ML), rel=1 / 3)


def test_structures_of_a_real_head_have_the_size_that_adults_have(a_brain):
    """Ranges around published adult volumes: wide, and no wrong structure fits in."""
    for name, low, high in (
        ("Brain Stem", 16, 30),
        ("Left Thalamus", 5, 10),
        ("Right Thalamus", 5, 10),
        ("Left Putamen", 3.5, 7.5),
        ("Right Putamen", 3.5, 7.5),
        ("Left Cerebellum Cortex", 40, 75),
        ("Right Cerebral White Matter", 165, 300),
    ):
        assert low < milliliters(a_brain, name) < high, name


def test_left_is_left(a_brain):
    """In RAS, the middle of whatever is called left lies left of its other side."""
    names = [label.name[5:] for label in a_brain.labels if label.name.startswith("Left ")]
    middles = {}
    for label in a_brain.labels:
        ijk = np.argwhere(a_brain.mask(label)).mean(axis=0, keepdims=True)
        middles[label.name] = a_brain.grid.ras_from_ijk(ijk)[0]
    for name in names:
        assert middles[f"Left {name}"][0] < middles[f"Right {name}"][0] - 5, name


@pytest.mark.slow
def test_the_head_is_the_same_when_its_voxels_are_stored_in_another_order(
    the_network, a_head, a_brain
):
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    flip[0, 3] = a_head.grid.shape[0] - 1
    turned = Volume(a_head.voxels[:, ::-1], a_head.affine @ flip)
    again = the_network.segment(turned).labelmap.layers[0][::-1]
    assert (again == a_brain.layers[0]).mean() > 0.9999


@pytest.mark.slow
def test_the_phantom_is_found_where_its_formula_says(the_network):
    """The path works end to end; the phantom's family is part of the training (see the card)."""
    volume, truth = head_phantom()
    found = the_network.segment(volume).labelmap
    values = [label.value for label in truth.labels]
    scores = compare(truth.layers[0], found.layers[0], truth.spacing, values)
    assert np.mean([scores[value].dice for value in values]) > 0.7


@pytest.mark.slow
def test_four_contrasts_of_one_patient_agree(the_network, the_data):
    folder = the_data / "ms-lesions" / "patient19"
    maps = [
        the_network.segment(read_volume(folder / f"{name}.nii.gz")).labelmap for name in CONTRASTS
    ]
    values = [label.value for label in maps[0].labels]
    agreements = []
    for first, second in combinations(maps, 2):
        scores = compare(first.layers[0], second.layers[0], first.spacing, values)
        agreements.append(np.mean([scores[value].dice or 0.0 for value in values]))
    assert np.mean(agreements) > 0.75
