import json

import numpy as np
import pytest

from SegmentationAILib.core.files import read_labelmap, write_labelmap
from SegmentationAILib.core.volume import Grid
from SegmentationAILib.learn.weak_labels.weak_answer import WeakAnswer
from SegmentationAILib.learn.weak_labels.weak_labelmap import (
    METHOD_TAG,
    OPTIONS_TAG,
    SECONDS_TAG,
    Making,
    signed,
    weak_labelmap,
)

SETTINGS = {"classes": 3, "beta": 0.5, "spatial": True, "kept": "1|2: both"}


@pytest.mark.parametrize("ending", [".seg.nrrd", ".nii.gz", ".mha"])
def test_how_weak_labels_were_made_is_read_back_from_every_format(tmp_path, an_affine, ending):
    labels = np.zeros((7, 5, 3), np.uint8)
    labels[1:3], labels[4] = 1, 2
    plain = weak_labelmap(WeakAnswer(labels, ("gray", "white")), Grid(labels.shape, an_affine))
    write_labelmap(signed(plain, Making("markov", SETTINGS, 1.2345)), tmp_path / f"x{ending}")
    again = read_labelmap(tmp_path / f"x{ending}")
    np.testing.assert_array_equal(again.layers[0], labels)
    assert [label.name for label in again.labels] == ["gray", "white"]
    for label in again.labels:
        tags = dict(label.tags)
        assert label.provenance.origin == "weak"
        assert tags[METHOD_TAG] == "markov"
        assert tags[SECONDS_TAG] == "1.234"
        assert json.loads(tags[OPTIONS_TAG].replace("¦", "|")) == SETTINGS


def test_signing_again_replaces_the_first_signature(an_affine):
    labels = np.ones((2, 3, 4), np.uint8)
    plain = weak_labelmap(WeakAnswer(labels, ("a",)), Grid(labels.shape, an_affine))
    twice = signed(signed(plain, Making("otsu")), Making("kmeans"))
    tags = twice.labels[0].tags
    assert dict(tags)[METHOD_TAG] == "kmeans"
    assert len(tags) == 3
