"""Changes that a study refuses wait in it until a person decides, and then come back exactly."""

import numpy as np
import pytest
from study_files import made_study, shifted, truth

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.files import read_labelmap
from SegmentationAILib.core.labelmap import Labelmap
from SegmentationAILib.learn.study.late_correction import Seen
from SegmentationAILib.learn.study.person import Work, accept, correct, corrected_voxels, reopen
from SegmentationAILib.learn.study.refused_edits import keep_refused, put_off, refused_of, take_up
from SegmentationAILib.learn.study.study import open_study
from SegmentationAILib.learn.study.versions import read_version

ANNA, BEN = Work("Anna", 30.0), Work("Ben", 5.0)


def painted_on(labels, place, value):
    layer = labels.layers[0].copy()
    mask = np.zeros(layer.shape, bool)
    mask[place] = True
    layer[mask] = value
    return Labelmap((layer,), labels.labels, labels.affine), mask


@pytest.fixture
def the_conflict(tmp_path):
    """Ben has stored a block where Anna saw the first labels and painted one that overlaps it."""
    study = made_study(tmp_path, 2)
    bens, ben = painted_on(shifted(truth(0)), np.s_[:4, :4, :4], 1)
    correct(study, "case 0", bens, BEN, 1)
    annas, anna = painted_on(shifted(truth(0)), np.s_[2:6, 2:6, 2:6], 2)
    kept = keep_refused(study, "case 0", annas, ANNA, Seen(1), "Ben was here.")
    return study, kept, (bens, ben), (annas, anna & (shifted(truth(0)).layers[0] != 2))


def test_what_was_refused_is_known_to_whoever_opens_the_study(the_conflict):
    study, kept, _, (annas, _mask) = the_conflict
    (found,) = refused_of(open_study(study.folder), "case 0")
    assert found == kept
    assert (found.who, found.version, found.reason) == ("Anna", 1, "Ben was here.")
    assert refused_of(study, "case 1") == []
    assert len(study.versions("case 0")) == 2
    (path,) = (study.folder / "refused").glob("*.seg.nrrd")
    np.testing.assert_array_equal(read_labelmap(path).layers[0], annas.layers[0])


def test_taken_up_the_changed_voxels_lie_on_what_another_person_made(the_conflict):
    study, kept, (bens, ben), (_annas, anna) = the_conflict
    version = take_up(study, "case 0", kept.name)
    stored = read_version(study, version).layers[0]
    np.testing.assert_array_equal(stored, np.where(anna, 2, bens.layers[0]))
    touched = anna | (ben & (shifted(truth(0)).layers[0] != 1))
    np.testing.assert_array_equal(corrected_voxels(study, version), touched)
    assert study.current_version("case 0") == version
    assert (version.making.who, study.case("case 0").seconds_spent) == ("Anna", 35.0)
    assert refused_of(study, "case 0") == []
    with pytest.raises(SegmentationAIError, match="not there any more"):
        take_up(study, "case 0", kept.name)


def test_put_off_nobody_is_asked_again_and_the_labels_still_lie_there(the_conflict):
    study, kept, _, (annas, _mask) = the_conflict
    put_off(study, "case 0", kept.name)
    assert refused_of(study, "case 0") == []
    assert len(study.versions("case 0")) == 2
    (path,) = (study.folder / "orphans").glob("*.seg.nrrd")
    np.testing.assert_array_equal(read_labelmap(path).layers[0], annas.layers[0])


def test_nothing_is_put_onto_an_accepted_case_until_it_is_reopened(the_conflict):
    study, kept, (bens, _), (_annas, anna) = the_conflict
    accept(study, "case 0", bens, BEN, 2)
    with pytest.raises(SegmentationAIError, match="is accepted; reopen it"):
        take_up(study, "case 0", kept.name)
    assert refused_of(study, "case 0") == [kept]
    reopen(study, "case 0")
    stored = read_version(study, take_up(study, "case 0", kept.name)).layers[0]
    np.testing.assert_array_equal(stored, np.where(anna, 2, bens.layers[0]))


def test_names_that_lead_elsewhere_and_files_of_another_form_are_refused(the_conflict):
    study, kept, _, _ = the_conflict
    for name in ("../labels/0001", "0002-" + "0" * 16, ""):
        with pytest.raises(SegmentationAIError, match="was refused as"):
            take_up(study, "case 0", name)
    path = study.folder / "refused" / f"{kept.name}.json"
    path.write_text(path.read_text().replace('"who"', '"whose"'))
    assert refused_of(study, "case 0") == []
    with pytest.raises(SegmentationAIError, match="is damaged"):
        take_up(study, "case 0", kept.name)
