"""The worker's comparison: two slabs, whose distances are known by counting voxels."""

import numpy as np
import pytest

from SegmentationAILib.core.progress import Progress
from SegmentationAILib.worker.compare_work import compare_labels
from SegmentationAILib.worker.frame import Frame
from SegmentationAILib.worker.protocol import WorkerError

SPACING = [0.5, 2.0, 3.0]


def arrays():
    """A slab of label 300, and the same one moved by two voxels of 3 mm along k, as label 1."""
    first, second = np.zeros((9, 8, 14), np.uint16), np.zeros((9, 8, 14), np.uint8)
    first[1:7, 1:6, 2:6] = 300
    second[1:7, 1:6, 4:8] = 1
    second[8, 7, 13] = 2
    return {"first 0": first, "second 0": second}


def frame(pairs, given=None, spacing=None, tolerance_mm=2.0):
    header = {"pairs": pairs, "spacing": spacing or SPACING, "tolerance_mm": tolerance_mm}
    return Frame(header, arrays() if given is None else given)


def test_scores_are_those_of_counted_voxels():
    told = []
    pairs = [[["first 0", 300], ["second 0", 1]], [["first 0", 300], ["first 0", 300]],
             [["first 0", 7], None], [None, ["second 0", 2]]]  # fmt: skip
    answer = compare_labels(frame(pairs), Progress(lambda *said: told.append(said)))
    moved, same, empty, alone = answer.header["scores"]
    assert moved["dice"] == pytest.approx(0.5)
    assert moved["hd95_mm"] == pytest.approx(6.0)
    assert moved["reference_ml"] == pytest.approx(6 * 5 * 4 * 0.003)
    assert (same["dice"], same["hd95_mm"], same["surface_dice"]) == (1.0, 0.0, 1.0)
    assert set(empty.values()) == {None}
    assert (alone["dice"], alone["hd95_mm"], alone["reference_ml"]) == (0.0, None, 0.0)
    assert [sentence for _, sentence in told] == [f"Structure {n} of 4" for n in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    "broken",
    [
        {"pairs": [[["first 0", 300]]]},
        {"pairs": [[["other", 1], None]]},
        {"pairs": [[["first 0", True], None]]},
        {"pairs": "all"},
        {"pairs": [], "spacing": [0.5, 0.0, 1.0]},
        {"pairs": [], "spacing": [0.5, float("nan"), 1.0]},
        {"pairs": [], "tolerance_mm": "2"},
        {"pairs": [], "given": {}},
        {"pairs": [], "given": {"a": np.zeros((2, 2, 2), np.float32)}},
        {"pairs": [], "given": {"a": np.zeros((2, 2), np.uint8)}},
        {"pairs": [], "given": {"a": np.ones((2, 2, 2), int), "b": np.ones((2, 2, 3), int)}},
    ],
)
def test_what_does_not_say_what_to_compare_is_refused(broken):
    with pytest.raises(WorkerError):
        compare_labels(frame(**broken), Progress())
    assert compare_labels(frame([]), Progress()).header == {"scores": []}
