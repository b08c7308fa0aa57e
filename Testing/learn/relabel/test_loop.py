"""The loop: it learns what the labels hide, starts anew each time, and never takes work away."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from relabel_study import by_formula, relabel_study, store_with_base, tools
from study_files import shifted, study_folders, truth

from SegmentationAILib.core.errors import Cancelled, SegmentationAIError
from SegmentationAILib.core.labelmap import Labelmap
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.learn.relabel.loop import relabel
from SegmentationAILib.learn.relabel.networks import network_folder
from SegmentationAILib.learn.relabel.settings import RelabelSettings
from SegmentationAILib.learn.study.iterations import iterations, predictions_of, roll_back
from SegmentationAILib.learn.study.person import Work, accept, correct, reopen, skip
from SegmentationAILib.learn.study.status import status
from SegmentationAILib.learn.study.study import open_study
from SegmentationAILib.learn.study.versions import read_version
from SegmentationAILib.networks.install import InstallRequest, install

ANNA = Work("Anna", 30.0)
SETTINGS = RelabelSettings()
pytestmark = pytest.mark.usefixtures("without_conversion")


class Watched:
    """The trainer, and what it was given."""

    def __init__(self):
        self.calls = []

    def __call__(self, cases, plan, **named):
        self.calls.append({"cases": [case.id for case in cases], "plan": plan, **named})
        return by_formula(cases, plan, **named)


def voxels(study, name):
    return read_version(study, study.current_version(name)).layers[0]


def test_labels_that_are_a_voxel_off_come_closer_to_the_truth_that_nobody_shows(
    the_study, the_store
):
    relabel(the_study, SETTINGS, 2, tools(the_store))
    facts = status(the_study)
    first, second = (row["mean_dice_to_reference"] for row in facts["iterations"])
    assert facts["weak_dice_to_reference"] < 0.85
    assert first > 0.95
    assert second > first


def test_as_in_the_paper_every_iteration_starts_from_the_base_network_itself(the_study, the_store):
    trainer = Watched()
    settings = RelabelSettings(start="base")
    relabel(the_study, settings, 2, tools(the_store, train=trainer))
    base = the_store.find("thresholds")
    for call, row in zip(trainer.calls, iterations(the_study), strict=True):
        assert row.base_sha256 == base.card.sha256
        for name, tensor in base.read_weights().items():
            np.testing.assert_array_equal(call["start"][name], tensor)
    assert len({row.weights_sha256 for row in iterations(the_study)} | {base.card.sha256}) == 3


def test_going_on_from_the_iteration_before_is_recorded_as_that(the_study, the_store):
    trainer = Watched()
    relabel(the_study, SETTINGS, 2, tools(the_store, train=trainer))
    first, second = iterations(the_study)
    rows = status(the_study)["iterations"]
    assert [row["start_sha256"] for row in rows] == [first.base_sha256, first.weights_sha256]
    assert {row["base_sha256"] for row in rows} == {first.base_sha256}
    assert first.base_sha256 == the_store.find("thresholds").card.sha256
    assert second.base_sha256 == first.weights_sha256
    assert not np.array_equal(
        trainer.calls[0]["start"]["model.2.bias"], trainer.calls[1]["start"]["model.2.bias"]
    )


@pytest.mark.parametrize("references", ["shuffled", "absent"])
def test_references_change_no_bit_of_a_network(the_store, tmp_path, references):
    hashes = []
    for name in ("with", "other"):
        folders = study_folders(tmp_path / name)
        if name == "other" and references == "absent":
            shutil.rmtree(folders["references"])
            study = relabel_study(tmp_path / name, the_store, references=None)
        else:
            if name == "other":
                paths = sorted(folders["references"].glob("*.nii.gz"))
                contents = [path.read_bytes() for path in paths]
                for path, content in zip(paths, contents[1:] + contents[:1], strict=True):
                    path.write_bytes(content)
            study = relabel_study(tmp_path / name, the_store)
        relabel(study, SETTINGS, 2, tools(the_store))
        hashes.append([row.weights_sha256 for row in iterations(study)])
    assert hashes[0] == hashes[1]


def test_accepted_labels_stay_and_corrected_voxels_stay(the_study, the_store):
    accept(the_study, "case 0", shifted(truth(0), 3), ANNA, 1)
    labels = shifted(truth(1))
    layer = labels.layers[0].copy()
    layer[0:3, 0:2, 0] = 2
    correct(the_study, "case 1", Labelmap((layer,), labels.labels, labels.affine), ANNA, 1)
    relabel(the_study, SETTINGS, 2, tools(the_store))
    np.testing.assert_array_equal(voxels(the_study, "case 0"), shifted(truth(0), 3).layers[0])
    assert the_study.case("case 0").state == "accepted"
    found = voxels(the_study, "case 1")
    assert (found[0:3, 0:2, 0] == 2).all()
    # The other voxels of that case are predicted.
    assert not np.array_equal(found, layer)
    assert the_study.case("case 1").state == "predicted"
    rows = {case["id"]: case["keeps_corrections"] for case in status(the_study)["cases"]}
    assert rows == {"case 0": True, "case 1": True, "case 2": False, "case 3": False}


def test_an_accepted_case_whose_volume_was_away_for_one_run_is_still_locked(
    the_study, the_store, tmp_path
):
    mine = shifted(truth(0), 5)
    accept(the_study, "case 0", mine, ANNA, 1)
    volume = the_study.volume_path(the_study.case("case 0"))
    away = volume.rename(tmp_path / "away")
    relabel(the_study, SETTINGS, 1, tools(the_store))
    assert the_study.case("case 0").state == "failed"
    away.rename(volume)
    reopen(the_study, "case 0")
    relabel(the_study, SETTINGS, 1, tools(the_store))
    assert the_study.case("case 0").state == "accepted"
    np.testing.assert_array_equal(voxels(the_study, "case 0"), mine.layers[0])


def test_of_a_reopened_case_the_voxels_that_a_person_changed_stay(the_study, the_store):
    weak = shifted(truth(0))
    layer = weak.layers[0].copy()
    painted = np.zeros(layer.shape, bool)
    painted[:3, 2:5, 1:4] = True
    layer[painted] = 2
    mine = Labelmap((layer,), weak.labels, weak.affine)
    correct(the_study, "case 0", mine, ANNA, 1)
    accept(the_study, "case 0", mine, ANNA, 2)
    relabel(the_study, SETTINGS, 1, tools(the_store))
    # While it is locked it is predicted as any case, without a person's voxels, for comparison.
    locked = read_version(the_study, predictions_of(the_study, 1)["case 0"]).layers[0]
    assert not (locked[painted] == 2).any()
    reopen(the_study, "case 0")
    relabel(the_study, SETTINGS, 1, tools(the_store))
    assert the_study.case("case 0").state == "predicted"
    found = voxels(the_study, "case 0")
    assert (found[painted] == 2).all()
    # All others are predicted: closer to the truth than what was accepted, and not the same.
    assert not np.array_equal(found, layer)
    right = truth(0).layers[0]
    assert (found != right)[~painted].sum() < (layer != right)[~painted].sum()


def test_skipping_a_case_moves_no_other_to_another_fold(the_study, the_store):
    settings = RelabelSettings(scheme="cross-fit", folds=2)
    before = Watched()
    relabel(the_study, settings, 1, tools(the_store, train=before))
    for name in ("case 0", "case 1", "case 2", "case 3"):
        skip(the_study, name)
        now = Watched()
        relabel(the_study, settings, 1, tools(the_store, train=now))
        for old, new in zip(before.calls, now.calls, strict=True):
            assert set(new["cases"]) == set(old["cases"]) - {name}
        reopen(the_study, name)


def test_cross_fitting_predicts_no_case_by_a_network_that_learned_from_it(the_study, the_store):
    trainer = Watched()
    settings = RelabelSettings(scheme="cross-fit", folds=2)
    relabel(the_study, settings, 1, tools(the_store, train=trainer))
    learned = [set(call["cases"]) for call in trainer.calls]
    assert learned[0] & learned[1] == set()
    for name, version in predictions_of(the_study, 1).items():
        (own,) = (n for n in range(2) if name not in learned[n])
        card = (network_folder(the_study, 1, own) / "card.json").read_text()
        assert version.making.weights_sha256 in card


def test_three_networks_vote_and_learn_from_each_other(the_study, the_store):
    trainer = Watched()
    settings = RelabelSettings(scheme="tri")
    relabel(the_study, settings, 2, tools(the_store, train=trainer))
    assert len(trainer.calls) == 6
    version = the_study.current_version("case 0")
    assert set(version.files) == {"labels", "votes"}
    relabel(the_study, replace(settings, gate=0.9), 1, tools(the_store))
    version = the_study.current_version("case 0")
    assert set(version.files) == {"labels", "votes", "doubt"}
    assert status(the_study)["iterations"][0]["mean_dice_to_reference"] > 0.95


def test_held_out_cases_are_predicted_and_never_learned_from(the_store, tmp_path):
    study = relabel_study(tmp_path / "s", the_store, hold_out=0.25)
    (held_out,) = (case.id for case in study.cases() if case.is_held_out)
    trainer = Watched()
    relabel(study, SETTINGS, 1, tools(the_store, train=trainer))
    assert held_out not in trainer.calls[0]["cases"]
    assert len(trainer.calls[0]["cases"]) == 3
    assert held_out in predictions_of(study, 1)
    (row,) = iterations(study)
    weak = read_version(study, study.versions(held_out)[0]).layers[0]
    found = read_version(study, predictions_of(study, 1)[held_out]).layers[0]
    dice = [2 * ((weak == v) & (found == v)).sum() / ((weak == v).sum() + (found == v).sum())
            for v in (1, 2)]  # fmt: skip
    assert row.holdout_dice == pytest.approx(sum(dice) / 2)


def test_a_held_out_case_scores_by_what_a_person_made_of_it(the_store, tmp_path):
    study = relabel_study(tmp_path / "s", the_store, hold_out=0.25)
    (held_out,) = (case.id for case in study.cases() if case.is_held_out)
    correct(study, held_out, truth(int(held_out.split()[1])), ANNA, 1)
    relabel(study, SETTINGS, 1, tools(the_store))
    assert iterations(study)[0].holdout_dice > 0.95
    assert study.case(held_out).state == "corrected"


def test_a_loop_that_gets_worse_stops_and_the_old_labels_and_network_stay(the_store, tmp_path):
    """Case 72 of the bad input."""
    study = relabel_study(tmp_path / "s", the_store, hold_out=0.25)
    relabel(study, SETTINGS, 1, tools(the_store))
    before = {case.id: voxels(study, case.id) for case in study.cases()}

    def worse(cases, plan, **named):
        trained = by_formula(cases, plan, **named)
        bias = trained.weights["model.2.bias"].copy()
        bias[1] -= 8.0 * 0.8
        return replace(trained, weights={**trained.weights, "model.2.bias": bias})

    done = relabel(study, SETTINGS, 3, tools(the_store, train=worse))
    assert [row.number for row in done] == [2]
    assert "held-out Dice fell" in done[0].verdict
    assert done[0].is_rolled_back
    for name, old in before.items():
        np.testing.assert_array_equal(voxels(study, name), old)
    # The next run compares with the network that was kept, and learns from the labels before.
    relabel(study, SETTINGS, 1, tools(the_store))
    assert not iterations(study)[2].is_rolled_back


def test_the_loop_ends_by_itself_when_the_labels_have_settled(the_study, the_store):
    done = relabel(the_study, SETTINGS, 9, tools(the_store))
    assert len(done) < 9
    assert "settled" in done[-1].verdict


def test_a_case_that_cannot_be_read_any_more_fails_alone(the_study, the_store):
    the_study.volume_path(the_study.case("case 2")).write_bytes(b"gone")
    relabel(the_study, SETTINGS, 1, tools(the_store))
    assert the_study.case("case 2").state == "failed"
    assert "case 2.nii.gz" in the_study.case("case 2").reason
    assert set(predictions_of(the_study, 1)) == {"case 0", "case 1", "case 3"}


def test_a_case_without_labels_gets_some_and_a_skipped_one_is_left_alone(the_store, tmp_path):
    folders = study_folders(tmp_path / "s", 4)
    (folders["weak"] / "case 1.nii.gz").unlink()
    study = relabel_study(tmp_path / "s", the_store)
    skip(study, "case 2")
    relabel(study, SETTINGS, 1, tools(the_store))
    assert study.case("case 1").state == "predicted"
    agreement = (voxels(study, "case 1") == truth(1).layers[0]).mean()
    assert agreement > 0.99
    assert study.case("case 2").state == "skipped"
    assert len(study.versions("case 2")) == 1


def test_another_base_network_than_the_studys_is_noticed(the_study, the_store, a_home):
    the_store.remove("thresholds")
    with pytest.raises(SegmentationAIError, match="no network thresholds"):
        relabel(the_study, SETTINGS, 1, tools(the_store))
    store_with_base(a_home / "again", first=0.7)
    other = a_home / "again" / "made" / "thresholds"
    install(the_store, InstallRequest(str(other)), lambda *_: None)
    with pytest.raises(SegmentationAIError, match="the study was made with"):
        relabel(the_study, SETTINGS, 1, tools(the_store))
    assert iterations(the_study) == []


def test_cancelling_keeps_what_is_done_and_the_next_run_comes_to_the_same_labels(
    the_study, the_store, tmp_path
):
    other = relabel_study(tmp_path / "undisturbed", the_store)
    relabel(other, SETTINGS, 1, tools(the_store))

    def stop(fraction, _):
        if fraction > 0.9:
            raise Cancelled

    with pytest.raises(Cancelled):
        relabel(the_study, SETTINGS, 1, tools(the_store), Progress(stop))
    done = predictions_of(the_study, 1)
    assert 0 < len(done) < 4
    trainer = Watched()
    again = open_study(the_study.folder)
    relabel(again, SETTINGS, 1, tools(the_store, train=trainer))
    assert trainer.calls == []
    assert {n: v.number for n, v in done.items()}.items() <= {
        n: v.number for n, v in predictions_of(again, 1).items()
    }.items()
    assert iterations(again)[0].weights_sha256 == iterations(other)[0].weights_sha256
    for number in range(4):
        name = f"case {number}"
        np.testing.assert_array_equal(voxels(again, name), voxels(other, name))


def test_after_rolling_back_the_loop_learns_from_the_labels_of_that_iteration(the_study, the_store):
    relabel(the_study, SETTINGS, 2, tools(the_store))
    after_first = [v.number for v in predictions_of(the_study, 1).values()]
    roll_back(the_study, 1)
    relabel(the_study, SETTINGS, 1, tools(the_store))
    _, second, third = iterations(the_study)
    assert second.is_rolled_back
    assert third.weights_sha256 == second.weights_sha256
    assert [v.parent for v in predictions_of(the_study, 3).values()] == after_first


def test_the_network_of_an_iteration_can_be_installed_and_finds_the_same(the_study, the_store):
    relabel(the_study, SETTINGS, 1, tools(the_store))
    folder = network_folder(the_study, 1, 0)
    found = install(the_store, InstallRequest(str(folder), "mine"), lambda *_: None)
    assert found.card.sha256 == iterations(the_study)[0].weights_sha256
    assert found.card.license.id == "Apache-2.0"
    (parent,) = found.card.training.parents
    assert parent.sha256 == the_store.find("thresholds").card.sha256
