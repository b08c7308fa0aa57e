"""The worklist of a study: what is known of each case, without any reference label."""

import shutil

import numpy as np
import pytest
from study_files import made_study, shifted, truth

from SegmentationAILib.core.metrics import compare
from SegmentationAILib.learn.study.person import Work, correct, skip, spend
from SegmentationAILib.learn.study.worklist import worklist


def test_a_row_says_who_made_the_labels_how_long_it_took_and_how_much_was_changed(tmp_path):
    study = made_study(tmp_path, 3)
    correct(study, "case 1", truth(1), Work("Anna", 60.0), 1)
    spend(study, "case 1", 12.5)
    skip(study, "case 2")
    shutil.rmtree(tmp_path / "references")
    known = {}
    first, second, third = worklist(study, known)
    assert (first.id, first.state, first.provenance, first.version) == ("case 0", "weak", "weak", 1)
    assert first.dice_to_previous is None
    assert (second.who, second.seconds_spent) == ("Anna", 72.5)
    scores = compare(shifted(truth(1)).layers[0], truth(1).layers[0], truth(1).spacing, [1, 2])
    expected = np.mean([one.dice for one in scores.values()])
    assert second.dice_to_previous == pytest.approx(expected)
    assert third.state == "skipped"


def test_scores_that_are_known_are_not_computed_again(tmp_path):
    study = made_study(tmp_path, 1)
    correct(study, "case 0", truth(0), Work("Anna"), 1)
    known = {("case 0", 2): 0.123}
    assert worklist(study, known)[0].dice_to_previous == 0.123
