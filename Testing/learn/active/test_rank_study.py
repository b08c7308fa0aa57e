"""Ranking the cases of a study: who is asked about, who is not, and by which network."""

import numpy as np
import pytest
from relabel_study import BASE, by_formula, store_with_base
from study_files import LABELS, SHAPE, scan, shifted, study_folders, study_source, truth

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.files import write_volume
from SegmentationAILib.core.labelmap import Labelmap
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.learn.active.rank_study import RankRequest, rank_study
from SegmentationAILib.learn.active.strategies import STRATEGIES, strategy_named
from SegmentationAILib.learn.active.study_pool import pool_of
from SegmentationAILib.learn.relabel.base import plan_of_base
from SegmentationAILib.learn.relabel.loop import Tools, relabel
from SegmentationAILib.learn.relabel.settings import RelabelSettings
from SegmentationAILib.learn.study.create import create_study
from SegmentationAILib.learn.study.person import Work, accept, correct, skip
from SegmentationAILib.networks.store import NetworkStore

CASES = 6


@pytest.fixture
def store(a_home, monkeypatch):
    monkeypatch.setattr("SegmentationAILib.networks.build.openvino_is_there", lambda: False)
    return store_with_base(a_home)


@pytest.fixture
def study(store, tmp_path):
    """Six cases, the first accepted; the fourth is nearly pure noise about the thresholds."""
    folders = study_folders(tmp_path, CASES)
    noise = np.random.default_rng(9).normal(0, 60, (1, *SHAPE)) + scan(3).voxels
    write_volume(
        Volume(noise.astype(np.int16), scan(3).affine), folders["images"] / "case 3.nii.gz"
    )
    card = store.find(BASE).card
    made = create_study(
        tmp_path / "study", study_source(folders, base=BASE, base_sha256=card.sha256)
    )
    accept(made, "case 0", truth(0), Work("me"), made.case("case 0").current)
    return made


def names(ranking):
    return [one.id for one in ranking.cases]


def rules_of(store):
    return plan_of_base(store.find(BASE).card, LABELS, RelabelSettings(), 0).input_rules()


@pytest.mark.parametrize("strategy", ["entropy", "tta"])
def test_the_case_of_noise_is_the_one_that_the_network_doubts_most(study, store, strategy):
    """A network of one voxel answers alike to mirrored copies, so tta finds nothing."""
    found = rank_study(study, RankRequest(strategy, 10), store)
    assert len(found.cases) == CASES - 1
    assert (found.labeled, found.unlabeled, found.iteration) == (1, CASES - 1, 0)
    if strategy == "entropy":
        assert names(found)[0] == "case 3"
    else:
        assert max(one.wish for one in found.cases) < 1e-12


def test_accepted_skipped_and_held_out_cases_are_not_asked_about(store, tmp_path):
    folders = study_folders(tmp_path, CASES)
    card = store.find(BASE).card
    source = study_source(folders, base=BASE, base_sha256=card.sha256, hold_out=0.34)
    study = create_study(tmp_path / "study", source)
    held_out = [case.id for case in study.cases() if case.is_held_out]
    free = [case.id for case in study.cases() if not case.is_held_out]
    own = truth(int(free[0].removeprefix("case ")))
    accept(study, free[0], own, Work("me"), study.case(free[0]).current)
    skip(study, free[1])
    found = rank_study(study, RankRequest("random", 10), store)
    assert held_out
    assert sorted(names(found)) == free[2:]


def test_a_corrected_case_is_not_asked_about_again_after_the_next_iteration(study, store):
    labels = shifted(truth(1))
    layer = labels.layers[0].copy()
    layer[0, 0, 0] = 2
    mine = Labelmap((layer,), labels.labels, labels.affine)
    correct(study, "case 1", mine, Work("me"), study.case("case 1").current)
    for iterations in (0, 1):
        if iterations:
            relabel(study, RelabelSettings(epochs=1), 1, Tools(store, train=by_formula))
            assert study.case("case 1").state == "predicted"
        found = rank_study(study, RankRequest("random", 10), store)
        assert (found.labeled, found.unlabeled) == (2, CASES - 2)
        assert "case 1" not in names(found)


def test_nothing_of_the_study_changes_and_random_reads_no_volume(study, store, tmp_path):
    before = [(case, study.versions(case.id)) for case in study.cases()]
    for path in (tmp_path / "images").iterdir():
        path.unlink()
    first, again, other = (
        rank_study(study, RankRequest("random", 3, seed=seed), store) for seed in (1, 1, 2)
    )
    assert names(first) == names(again) != names(other)
    assert [(case, study.versions(case.id)) for case in study.cases()] == before


def test_a_volume_that_cannot_be_read_is_left_out_alone_with_its_reason(study, store, tmp_path):
    (tmp_path / "images" / "case 2.nii.gz").write_bytes(b"no volume")
    found = rank_study(study, RankRequest("core-set", 10), store)
    assert sorted(names(found)) == ["case 1", "case 3", "case 4", "case 5"]
    assert "changed" in found.left_out["case 2"]
    assert study.case("case 2").state == "weak"


def test_the_network_of_the_current_iteration_looks(study, store):
    relabel(study, RelabelSettings(epochs=1), 1, Tools(store, train=by_formula))
    found = rank_study(study, RankRequest("entropy", 1), store)
    assert found.iteration == 1
    assert found.network.startswith("relabel-")


def test_the_auxiliary_lies_on_the_grid_of_the_input(study, store, tmp_path):
    """A second modality equal to the first comes out as the first does, before its scaling."""
    second = tmp_path / "second"
    second.mkdir()
    for path in (tmp_path / "images").iterdir():
        (second / path.name).write_bytes(path.read_bytes())
    found = pool_of(study, rules_of(store), "auxiliary", second).pool
    for case in (*found.labeled, *found.unlabeled):
        assert case.auxiliary.shape == case.array.shape[1:]
        assert np.corrcoef(case.array[0].ravel(), case.auxiliary.ravel())[0, 1] > 0.9999


def test_without_a_second_modality_the_current_labels_take_its_place(study, store):
    found = pool_of(study, rules_of(store), "auxiliary").pool
    (accepted,) = found.labeled
    on_grid = pool_of(study, rules_of(store), "voxels").pool.labeled[0]
    np.testing.assert_array_equal(accepted.array, on_grid.array)
    # Head is 1 of 2, tail 2 of 2; the tail is the brighter one in every scan.
    inside = accepted.auxiliary > 0.75
    assert accepted.array[0][inside].mean() > accepted.array[0][~inside].mean() + 1


def test_a_second_modality_on_another_grid_leaves_its_case_out(study, store, tmp_path):
    second = tmp_path / "second"
    second.mkdir()
    for number in range(CASES):
        moved = scan(number).affine.copy()
        moved[0, 3] += 10.0 * (number == 4)
        write_volume(Volume(scan(number).voxels, moved), second / f"case {number}.nii.gz")
    found = pool_of(study, rules_of(store), "auxiliary", second)
    assert list(found.left_out) == ["case 4"]
    assert "auxiliary modality" in found.left_out["case 4"]


def test_a_missing_folder_of_second_volumes_is_one_sentence(study, store, tmp_path):
    with pytest.raises(SegmentationAIError, match="the auxiliary modality is not there"):
        rank_study(study, RankRequest("m-vaal", 2, tmp_path / "nowhere"), store)


def test_a_network_without_dropout_is_refused_with_what_to_take_instead(study, store):
    with pytest.raises(SegmentationAIError, match=r"no dropout layers.*choose tta or entropy"):
        rank_study(study, RankRequest("mc-dropout", 2), store)


def test_no_labeled_case_is_refused_by_those_that_compare(store, tmp_path):
    folders = study_folders(tmp_path, 2)
    card = store.find(BASE).card
    study = create_study(
        tmp_path / "study", study_source(folders, base=BASE, base_sha256=card.sha256)
    )
    with pytest.raises(SegmentationAIError, match="label a few first"):
        rank_study(study, RankRequest("vaal", 1), store)


def test_every_strategy_carries_its_name(store: NetworkStore):
    stored = store.find(BASE)
    for name in STRATEGIES:
        if name != "mc-dropout":
            assert strategy_named(name, stored.card, stored.read_weights).name == name
