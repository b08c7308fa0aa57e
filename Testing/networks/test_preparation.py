"""The first run on a computer says why it takes longer; the second does not."""

import os
import time

import numpy as np
import pytest
from threshold_network import threshold_network_folder

from SegmentationAILib.core.errors import Cancelled
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.networks.preparation import SENTENCE, Preparation
from SegmentationAILib.networks.segmenter import open_segmenter
from SegmentationAILib.networks.store import NetworkStore

from phantoms import sphere_volume

YEAR = 365 * 24 * 3600.0
FAR_FUTURE = 2_000_000_000 + 50 * YEAR


def told_by_a_run(home):
    seen = []
    segmenter = open_segmenter("threshold", "cpu", store=NetworkStore(home))
    progress = Progress(lambda fraction, sentence: seen.append((fraction, sentence)))
    segmenter.segment(sphere_volume(), progress=progress)
    return seen


def labels_of_a_run(home):
    segmenter = open_segmenter("threshold", "cpu", store=NetworkStore(home))
    return segmenter.segment(sphere_volume()).labelmap.layers[0]


def test_the_first_run_with_openvino_says_that_it_prepares_the_network(a_home):
    threshold_network_folder(a_home / "networks" / "threshold")
    first, second = told_by_a_run(a_home), told_by_a_run(a_home)
    fractions = [fraction for fraction, _ in first]
    assert fractions == sorted(fractions)
    sentences = [sentence for _, sentence in first]
    at = sentences.index(SENTENCE)
    assert sentences[at - 1].startswith("Patch 1 of")
    assert SENTENCE not in [sentence for _, sentence in second]


def test_a_cancel_is_heard_before_the_preparation_begins():
    preparation = Preparation()

    def refuse(fraction, sentence):
        raise Cancelled

    preparation.within(Progress(refuse))
    with pytest.raises(Cancelled):
        preparation.begins()


def test_case_64_a_clock_that_jumps_back_and_files_of_the_future_change_nothing(
    a_home, monkeypatch
):
    threshold_network_folder(a_home / "networks" / "threshold")
    before, labels = told_by_a_run(a_home), labels_of_a_run(a_home)
    assert SENTENCE in [sentence for _, sentence in before]
    for path in a_home.rglob("*"):
        os.utime(path, (FAR_FUTURE, FAR_FUTURE))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 20 * YEAR)
    assert SENTENCE not in [sentence for _, sentence in told_by_a_run(a_home)]
    np.testing.assert_array_equal(labels_of_a_run(a_home), labels)
