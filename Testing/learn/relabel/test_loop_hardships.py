"""The loop when something happens to it: damaged files, kills between iterations, other schemes."""

import numpy as np
import pytest
from relabel_study import relabel_study, tools
from scipy.ndimage import binary_erosion
from study_files import LABELS, truth

from SegmentationAILib.core.errors import Cancelled, SegmentationAIError
from SegmentationAILib.core.labelmap import Labelmap
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.learn.relabel.loop import relabel
from SegmentationAILib.learn.relabel.settings import RelabelSettings
from SegmentationAILib.learn.study import source_folders
from SegmentationAILib.learn.study.iterations import iterations, roll_back
from SegmentationAILib.learn.study.person import Work, accept, skip
from SegmentationAILib.learn.study.review_pairs import pairs_to_review
from SegmentationAILib.learn.study.study import open_study

SETTINGS = RelabelSettings()


pytestmark = pytest.mark.usefixtures("without_conversion")


def damage(study, version):
    path = study.file(version)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-5] + b"xxxxx")


def states(study):
    return {case.id: case.state for case in study.cases()}


def test_a_held_out_case_that_was_corrected_counts_so_for_the_iterations_before_too(
    the_store, tmp_path
):
    study = relabel_study(tmp_path / "s", the_store, hold_out=0.25)
    (held_out,) = (case for case in study.cases() if case.is_held_out)
    (first,) = relabel(study, SETTINGS, 1, tools(the_store))
    known = truth(int(held_out.id.split()[1]))
    # A strict reader draws it smaller: every network scores lower against that.
    strict = np.where(binary_erosion(known.layers[0] > 0), known.layers[0], 0).astype(np.uint8)
    labels = Labelmap((strict,), LABELS, known.affine)
    accept(study, held_out.id, labels, Work("Anna", 9.0), study.case(held_out.id).current)
    (second,) = relabel(study, SETTINGS, 1, tools(the_store))
    assert second.holdout_dice < first.holdout_dice - 0.1
    assert not second.is_rolled_back
    assert "fell" not in second.verdict


def test_a_damaged_first_label_file_costs_its_own_case_and_says_so(the_study, the_store):
    relabel(the_study, SETTINGS, 1, tools(the_store))
    damage(the_study, the_study.versions("case 1")[0])
    (second,) = relabel(the_study, SETTINGS, 1, tools(the_store))
    assert second.is_finished
    assert states(the_study) == {
        **dict.fromkeys(states(the_study), "predicted"),
        "case 1": "failed",
    }
    assert "case 1" in the_study.case("case 1").reason or "label" in the_study.case("case 1").reason
    assert {pair.case for pair in pairs_to_review(the_study, 1)} == {"case 0", "case 2", "case 3"}


def test_a_disk_that_cannot_read_a_volume_costs_its_own_case(the_study, the_store, monkeypatch):
    read = source_folders.sha256_of_file

    def broken(path):
        if path.name.startswith("case 2"):
            raise OSError(5, "Input/output error", str(path))
        return read(path)

    monkeypatch.setattr(source_folders, "sha256_of_file", broken)
    (first,) = relabel(the_study, SETTINGS, 1, tools(the_store))
    assert first.is_finished
    assert states(the_study)["case 2"] == "failed"
    assert the_study.case("case 2").reason.startswith("Input/output error; check the disk")


def test_a_run_that_was_interrupted_ends_where_it_would_have_ended(the_study, the_store):
    def stop(_fraction, sentence):
        if sentence.startswith("Preparing") and len(iterations(the_study)) == 2:
            raise Cancelled

    def numbers():
        return [one.number for one in iterations(the_study) if one.is_finished]

    with pytest.raises(Cancelled):
        relabel(the_study, SETTINGS, 3, tools(the_store), Progress(stop))
    assert numbers() == [1]
    again = open_study(the_study.folder)
    assert len(relabel(again, SETTINGS, 3, tools(the_store))) == 2
    assert numbers() == [1, 2, 3]
    # What has come to its end is a new run when it is asked for again.
    relabel(again, SETTINGS, 1, tools(the_store))
    assert numbers() == [1, 2, 3, 4]


def test_another_count_or_a_rollback_begins_a_new_run(the_study, the_store):
    def stop(_fraction, sentence):
        if sentence.startswith("Preparing") and len(iterations(the_study)) == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        relabel(the_study, SETTINGS, 3, tools(the_store), Progress(stop))
    roll_back(the_study, 1)
    assert len(relabel(the_study, SETTINGS, 2, tools(the_store))) == 2


def test_going_on_from_an_iteration_of_another_scheme_says_what_differs(the_study, the_store):
    relabel(the_study, SETTINGS, 1, tools(the_store))
    settings = RelabelSettings(scheme="tri", start="previous")
    with pytest.raises(SegmentationAIError, match="trained 1 by the scheme one, and 3 by tri"):
        relabel(the_study, settings, 1, tools(the_store))


def test_a_skipped_copy_of_a_held_out_scan_stops_nothing(the_store, tmp_path):
    study = relabel_study(tmp_path / "s", the_store, hold_out=0.25)
    (held_out,) = (case for case in study.cases() if case.is_held_out)
    other = next(case for case in study.cases() if not case.is_held_out)
    from SegmentationAILib.learn.study.index import writing

    with writing(study.index) as connection:
        connection.execute(
            "UPDATE cases SET voxels_sha256 = ? WHERE id = ?", (held_out.voxels_sha256, other.id)
        )
    with pytest.raises(SegmentationAIError, match="Skip or take away one"):
        relabel(study, SETTINGS, 1, tools(the_store))
    skip(study, other.id)
    assert relabel(study, SETTINGS, 1, tools(the_store))[0].is_finished


def test_a_case_that_began_without_labels_has_no_first_ones_to_review(the_store, tmp_path):
    folders_root = tmp_path / "s"
    from study_files import study_folders

    study_folders(folders_root)
    (folders_root / "weak" / "case 2.nii.gz").unlink()
    study = relabel_study(folders_root, the_store)
    relabel(study, SETTINGS, 1, tools(the_store))
    assert study.case("case 2").state == "predicted"
    assert {pair.case for pair in pairs_to_review(study, 1)} == {"case 0", "case 1", "case 3"}
