"""Studies from what a person names: the base is checked at the door, labels can be made now."""

import numpy as np
import pytest
from relabel_study import BASE, store_with_base
from study_files import scan, study_folders, truth

from SegmentationAILib.core.errors import Cancelled, SegmentationAIError, WeightsError
from SegmentationAILib.core.files import write_volume
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.learn.relabel.new_study import NewStudy, make_study
from SegmentationAILib.learn.study.label_table import labels_from_text
from SegmentationAILib.learn.study.study import open_study
from SegmentationAILib.learn.study.versions import read_version
from SegmentationAILib.networks.segmenter import open_segmenter


@pytest.fixture
def a_store(tmp_path):
    return store_with_base(tmp_path / "home")


@pytest.fixture
def the_folders(tmp_path):
    return study_folders(tmp_path, 3)


def first(study, name):
    return study.versions(name)[0]


def layer(study, name):
    return read_version(study, first(study, name)).layers[0]


def test_otsu_labels_the_bright_structures_of_each_scan(tmp_path, a_store, the_folders):
    """The spheres lie at 100 and 200 on 0, noise of 15: between them and 0 no voxel is doubtful."""
    asked = NewStudy(the_folders["images"], "otsu", BASE)
    study = make_study(tmp_path / "study", asked, store=a_store)
    for number in range(3):
        found, true = layer(study, f"case {number}") != 0, truth(number).layers[0] != 0
        assert 2 * (found & true).sum() / (found.sum() + true.sum()) > 0.98
    making = first(study, "case 0").making
    assert (making.origin, making.who, making.network) == ("weak", "otsu", "")
    assert [x.name for x in labels_from_text(study.facts.labels)] == ["class 2 of 2"]


def test_kmeans_tells_the_two_structures_apart(tmp_path, a_store, the_folders):
    asked = NewStudy(the_folders["images"], "kmeans", BASE)
    study = make_study(tmp_path / "study", asked, store=a_store)
    found, true = layer(study, "case 1"), truth(1).layers[0]
    # The neighborhood's mean blurs borders; the cores are what they are.
    for value in (1, 2):
        assert (found[true == value] == value).mean() > 0.7
    assert first(study, "case 1").making.who == "kmeans"


def test_the_base_networks_own_answer_is_the_first_label_and_says_whose_it_is(
    tmp_path, a_store, the_folders
):
    asked = NewStudy(the_folders["images"], "network", BASE, hold_out=0.3, device="cpu")
    study = make_study(tmp_path / "study", asked, store=a_store)
    segmenter = open_segmenter(BASE, "cpu", store=a_store)
    answer = segmenter.segment(scan(2)).labelmap
    np.testing.assert_array_equal(layer(study, "case 2"), answer.layers[0])
    making = first(study, "case 2").making
    assert (making.who, making.network) == ("network", BASE)
    assert making.weights_sha256 == a_store.find(BASE).card.sha256
    assert [x.name for x in labels_from_text(study.facts.labels)] == ["Head", "Tail"]
    assert sum(case.is_held_out for case in study.cases()) == 1


def test_a_scan_that_a_method_cannot_label_blocks_only_its_own_case(tmp_path, a_store, the_folders):
    flat = Volume(np.full_like(scan(1).voxels, 7), scan(1).affine)
    write_volume(flat, the_folders["images"] / "case 1.nii.gz")
    asked = NewStudy(the_folders["images"], "otsu", BASE)
    study = make_study(tmp_path / "study", asked, store=a_store)
    assert [case.state for case in study.cases()] == ["weak", "failed", "weak"]
    assert "all 7" in study.case("case 1").reason


@pytest.mark.parametrize("weak", ["folder", "network"])
def test_canceling_leaves_nothing_and_the_folder_can_be_used(tmp_path, a_store, the_folders, weak):
    labels = the_folders["weak"] if weak == "folder" else weak
    asked = NewStudy(the_folders["images"], labels, BASE, device="cpu")

    def cancel(fraction, sentence):
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        make_study(tmp_path / "study", asked, Progress(cancel), a_store)
    assert not (tmp_path / "study").exists()
    make_study(tmp_path / "study", asked, store=a_store)
    assert len(open_study(tmp_path / "study").cases()) == 3


@pytest.mark.parametrize(
    ("base", "sentence"),
    [
        ("nowhere", "no network nowhere"),
        ("brain-any-contrast", "takes any grid"),
        ("subcortical", "is not installed"),
    ],
)
def test_a_base_that_cannot_be_trained_is_refused_before_anything_is_made(
    tmp_path, a_store, the_folders, base, sentence
):
    asked = NewStudy(the_folders["images"], the_folders["weak"], base)
    with pytest.raises(WeightsError, match=sentence):
        make_study(tmp_path / "study", asked, store=a_store)
    assert not (tmp_path / "study").exists()


def test_a_study_is_never_made_over_other_files(tmp_path, a_store, the_folders):
    asked = NewStudy(the_folders["images"], the_folders["weak"], BASE)
    before = sorted(the_folders["images"].iterdir())
    with pytest.raises(SegmentationAIError, match="holds other files"):
        make_study(the_folders["images"], asked, store=a_store)
    assert sorted(the_folders["images"].iterdir()) == before
