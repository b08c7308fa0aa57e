"""The shipped network on real scans and on the phantom: coarse truths that it must not miss."""

import numpy as np
import pytest

from SegmentationAILib.core.files import read_volume
from SegmentationAILib.core.metrics import compare
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.learn.procedural_head import head_phantom
from SegmentationAILib.networks.segmenter import open_segmenter

# Hippocampi of this scan by hippodeep (github.com/bthyreau/hippodeep_pytorch), both sides, ml.
HIPPODEEP_ML = 3.161 + 3.344
CONTRASTS = ("T1", "T1POST", "T2", "FLAIR")


@pytest.fixture(scope="module")
def the_network(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGMENTATIONAI_HOME", str(tmp_path_factory.mktemp("home")))
        yield open_segmenter("brain-any-contrast", device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def a_head(the_network, the_data):
    return the_network.segment(read_volume(the_data / "brain-t1" / "t1.nii.gz")).labelmap


def milliliters(labelmap, name):
    label = next(label for label in labelmap.labels if label.name == name)
    return labelmap.mask(label).sum() * labelmap.grid.voxel_volume_ml


def test_it_ships_with_a_license_and_its_weights(the_network):
    assert the_network.card.license.id == "Apache-2.0"
    assert len(the_network.card.labels) >= 12
    assert the_network.card.size_bytes <= 10 * 2**20


def test_hippocampi_of_a_real_head_are_within_a_third_of_hippodeeps(a_head):
    assert milliliters(a_head, "Hippocampus") == pytest.approx(HIPPODEEP_ML, rel=1 / 3)


def test_structures_of_a_real_head_have_the_size_that_adults_have(a_head):
    """Ranges around published adult volumes: wide, and no wrong structure fits in."""
    for name, low, high in (
        ("Brain Stem", 16, 30),
        ("Thalamus", 10, 20),
        ("Putamen", 7, 15),
        ("Cerebellum Cortex", 80, 150),
        ("Cerebral White Matter", 330, 600),
    ):
        assert low < milliliters(a_head, name) < high, name


def test_the_head_is_the_same_when_its_voxels_are_stored_in_another_order(
    the_network, the_data, a_head
):
    volume = read_volume(the_data / "brain-t1" / "t1.nii.gz")
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    flip[0, 3] = volume.grid.shape[0] - 1
    turned = Volume(volume.voxels[:, ::-1], volume.affine @ flip)
    again = the_network.segment(turned).labelmap.layers[0][::-1]
    assert (again == a_head.layers[0]).mean() > 0.9999


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
    agreements = [
        np.mean(
            [
                score.dice
                for score in compare(
                    first.layers[0], second.layers[0], first.spacing, values
                ).values()
                if score.dice is not None
            ]
        )
        for number, first in enumerate(maps)
        for second in maps[number + 1 :]
    ]
    assert np.mean(agreements) > 0.75
