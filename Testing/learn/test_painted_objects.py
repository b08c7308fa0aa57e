import numpy as np
import pytest

from SegmentationAILib.learn.painted_objects import painted_mixture, painted_objects, scanned

NO_BLUR = np.zeros(3)


def a_cube():
    objects = np.zeros((20, 18, 22), np.uint8)
    objects[5:13, 5:13, 5:13] = 1
    return objects


def test_most_objects_can_be_told_from_what_is_behind_them():
    told = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        objects = a_cube()
        painted = painted_objects(rng, objects, np.zeros_like(objects), NO_BLUR)
        inside, outside = painted[objects == 1], painted[objects == 0]
        told += abs(inside.mean() - outside.mean()) > 0.5 * outside.std()
    assert told > 28


def test_a_mixture_paints_each_class_with_its_mean():
    labels = a_cube()
    means, none = np.array([0.2, 0.9], np.float32), np.zeros(2, np.float32)
    found = np.mean(
        [
            [p[labels == 0].mean(), p[labels == 1].mean()]
            for p in (
                painted_mixture(np.random.default_rng(s), labels, means, none, NO_BLUR)
                for s in range(12)
            )
        ],
        axis=0,
    )
    assert found == pytest.approx([0.2, 0.9], abs=0.06)


def test_a_scan_of_nothing_is_nothing_but_noise():
    seen = scanned(np.random.default_rng(0), np.zeros((16, 16, 16), np.float32), NO_BLUR)
    assert abs(seen).max() < 0.1
