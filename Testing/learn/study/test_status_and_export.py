"""What a study says of itself, and what it gives away."""

import json

import numpy as np
import pytest
from study_files import BASE_SHA256, LABELS, made_study, shifted, study_folders, study_source, truth

from SegmentationAILib.core.errors import Cancelled, SegmentationAIError
from SegmentationAILib.core.files import read_labelmap, write_labelmap
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.metrics import compare
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.learn.study.agreement import dice_by_label, mean_dice, volume_change
from SegmentationAILib.learn.study.create import create_study
from SegmentationAILib.learn.study.export import export
from SegmentationAILib.learn.study.export_dataset import export_dataset
from SegmentationAILib.learn.study.iterations import Outcome, begin, finish, inputs_of
from SegmentationAILib.learn.study.person import Work, accept, skip
from SegmentationAILib.learn.study.records import Making
from SegmentationAILib.learn.study.status import status
from SegmentationAILib.learn.study.versions import NewVersion, add_version

ANNA = Work("Anna", 60.0)


def iterate(study, labels_of, dice=0.9):
    one = begin(study, "{}", BASE_SHA256)
    for name, version in inputs_of(study, one.number).items():
        making = Making("predicted", network="n", weights_sha256="d" * 64, iteration=one.number)
        labels = labels_of(int(name.split()[1]))
        add_version(study, name, NewVersion(labels, making, is_current=False), version.number)
    finish(study, one.number, Outcome("d" * 64, dice, 0.1, 0.8, "Goes on.", True, 2.0))


def test_the_status_has_the_names_of_the_contract(tmp_path):
    study = made_study(tmp_path, 3)
    iterate(study, lambda n: shifted(truth(n), 2))
    accept(study, "case 1", truth(1), ANNA, 2)
    facts = json.loads(json.dumps(status(study)))
    (row,) = facts["iterations"]
    assert row["index"] == 1
    assert row["mean_dice_to_previous"] == 0.9
    assert row["holdout_dice"] == 0.8
    assert row["weights_sha256"] == "d" * 64
    assert row["base_sha256"] == BASE_SHA256
    cases = {case["id"]: case for case in facts["cases"]}
    assert (cases["case 1"]["state"], cases["case 1"]["provenance"]) == ("accepted", "accepted")
    assert cases["case 1"]["seconds_spent"] == 60.0
    assert cases["case 0"]["state"] == "predicted"
    # Two voxels off the truth, made from one voxel off.
    weak, new = (shifted(truth(0), n).layers[0] for n in (1, 2))
    dice = [2 * ((weak == v) & (new == v)).sum() / ((weak == v).sum() + (new == v).sum())
            for v in (1, 2)]  # fmt: skip
    assert cases["case 0"]["dice_to_previous"] == pytest.approx(sum(dice) / 2)


def test_the_dice_to_the_reference_is_that_of_each_iterations_own_versions(tmp_path):
    study = made_study(tmp_path, 3)
    iterate(study, lambda n: shifted(truth(n), 2))
    iterate(study, truth)
    accept(study, "case 0", shifted(truth(0), 4), ANNA, 3)
    facts = status(study)

    def expected(shift):
        dice = []
        for number in range(3):
            layer = truth(number).layers[0]
            scores = compare(layer, np.roll(layer, shift, 0), (1.0, 1.0, 1.0), [1, 2])
            dice.append(sum(s.dice for s in scores.values()) / 2)
        return sum(dice) / 3

    scores = [row["mean_dice_to_reference"] for row in facts["iterations"]]
    assert scores[0] == pytest.approx(expected(2))
    assert scores[1] == 1.0
    assert facts["weak_dice_to_reference"] == pytest.approx(expected(1))


def test_without_references_the_dice_to_them_is_null(tmp_path):
    study = made_study(tmp_path, 2, references=None)
    iterate(study, truth)
    assert status(study)["iterations"][0]["mean_dice_to_reference"] is None


def test_a_reference_that_cannot_be_used_counts_nowhere(tmp_path):
    study = made_study(tmp_path, 2)
    (tmp_path / "references" / "case 0.nii.gz").write_bytes(b"none")
    iterate(study, lambda n: truth(n) if n == 1 else shifted(truth(n), 5))
    assert status(study)["iterations"][0]["mean_dice_to_reference"] == 1.0


def test_dice_agrees_with_the_metrics_and_absent_labels_count_nowhere():
    first = np.random.default_rng(1).integers(0, 3, (7, 9, 5))
    second = np.random.default_rng(2).integers(0, 3, (7, 9, 5))
    theirs = compare(first, second, (0.9, 1.3, 2.5), [1, 2])
    ours = dice_by_label(first, second, [1, 2, 3])
    assert ours[3] is None
    assert [ours[1], ours[2]] == pytest.approx([theirs[1].dice, theirs[2].dice])
    assert mean_dice(first, second, [1, 2, 3]) == pytest.approx((ours[1] + ours[2]) / 2)
    assert mean_dice(first * 0, second * 0, [1, 2]) is None


def test_the_change_of_volume_is_relative_to_the_earlier_labels():
    first = np.zeros((4, 5, 6), np.uint8)
    first[0] = 1
    first[1, :2] = 2
    second = np.zeros_like(first)
    second[:2] = 1
    # Label 1 doubles, label 2 vanishes: 1.0 and 1.0; label 3 was never there.
    assert volume_change(first, second, [1, 2, 3]) == pytest.approx(1.0)
    assert volume_change(first, first, [1, 2]) == 0.0
    assert volume_change(first * 0, first, [1, 2]) is None


def test_the_export_has_one_file_per_case_under_the_volumes_names(tmp_path):
    study = made_study(tmp_path, 3)
    iterate(study, lambda n: shifted(truth(n), 2))
    accept(study, "case 1", truth(1), ANNA, 2)
    done = export(study, tmp_path / "out")
    names = {p.name for p in (tmp_path / "out").glob("*.nii.gz")}
    assert names == {f"case {n}.nii.gz" for n in range(3)} == set(done.files.values())
    for number, shift in ((0, 2), (1, 0), (2, 2)):
        found = read_labelmap(tmp_path / "out" / f"case {number}.nii.gz")
        np.testing.assert_array_equal(found.layers[0], np.roll(truth(number).layers[0], shift, 0))
        assert [row.name for row in found.labels] == ["Head", "Tail"]
    assert {row.provenance.origin for row in found.labels} == {"predicted"}


def test_the_export_in_another_format_has_the_same_voxels(tmp_path):
    study = made_study(tmp_path, 2)
    export(study, tmp_path / "out", ".seg.nrrd")
    found = read_labelmap(tmp_path / "out" / "case 1.seg.nrrd")
    np.testing.assert_array_equal(found.layers[0], np.roll(truth(1).layers[0], 1, 0))
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_a_file_without_names_is_exported_with_those_of_the_study(tmp_path):
    study = made_study(tmp_path, 3)
    plain = truth(1).with_names([Label(1, "Label 1"), Label(2, "Label 2", (0.1, 0.2, 0.3))])
    accept(study, "case 1", plain, ANNA, 1)
    for name in ("seg", "decathlon"):
        if name == "seg":
            export(study, tmp_path / name, ".seg.nrrd")
            rows = read_labelmap(tmp_path / name / "case 1.seg.nrrd").labels
            assert [(row.value, row.name, row.color) for row in rows] == [
                (row.value, row.name, row.color) for row in LABELS
            ]
        else:
            made = export_dataset(study, tmp_path / name, ["MRI"])
            assert [(label.value, label.name) for label in made.labels] == [
                (1, "Head"),
                (2, "Tail"),
            ]


def test_cases_without_labels_are_left_out_and_named(tmp_path):
    folders = study_folders(tmp_path, 3)
    (folders["weak"] / "case 2.nii.gz").unlink()
    study = create_study(tmp_path / "study", study_source(folders))
    skip(study, "case 1")
    done = export(study, tmp_path / "out")
    assert set(done.files) == {"case 0"}
    assert set(done.left_out) == {"case 1", "case 2"}


def test_an_export_that_stops_in_the_middle_leaves_nothing(tmp_path):
    study = made_study(tmp_path, 3)
    before = sorted(tmp_path.iterdir())

    def stop(fraction, _):
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        export(study, tmp_path / "out", progress=Progress(stop))
    assert sorted(tmp_path.iterdir()) == before


def test_an_export_into_a_folder_with_files_is_refused(tmp_path):
    study = made_study(tmp_path, 2)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(SegmentationAIError, match="holds something already"):
        export(study, tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_a_damaged_label_file_stops_the_export_by_name(tmp_path):
    study = made_study(tmp_path, 2)
    study.file(study.current_version("case 1")).write_bytes(b"")
    with pytest.raises(SegmentationAIError, match="changed by something else"):
        export(study, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_label_values_beyond_a_byte_survive_the_study(tmp_path):
    folders = study_folders(tmp_path, 2)
    high = (LABELS[0], type(LABELS[0])(300, "Far"))
    for number in range(2):
        labels = truth(number)
        layer = labels.layers[0].astype(np.uint16)
        layer[layer == 2] = 300
        for table in folders["weak"].glob(f"case {number}.*"):
            table.unlink()
        write_labelmap(
            Labelmap((layer,), high, labels.affine), folders["weak"] / f"case {number}.nii.gz"
        )
    study = create_study(tmp_path / "study", study_source(folders))
    export(study, tmp_path / "out")
    assert read_labelmap(tmp_path / "out" / "case 0.nii.gz").layers[0].max() == 300
