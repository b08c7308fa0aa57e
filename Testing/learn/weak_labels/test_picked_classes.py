import numpy as np
import pytest

from SegmentationAILib.core.errors import PromptError, SegmentationAIError
from SegmentationAILib.learn.weak_labels.picked_classes import classes_under, picked_classes
from SegmentationAILib.learn.weak_labels.seeds import Seeds
from SegmentationAILib.learn.weak_labels.weak_answer import answer_of_classes

CLASSES = np.array([[[0, 1, 2, 2, 1, 0]]])
WITHIN = np.array([[[0, 1, 1, 1, 1, 1]]], bool)


@pytest.mark.parametrize(
    ("within", "numbers", "expected"),
    [
        (None, [3], [0, 0, 1, 1, 0, 0]),
        (None, [1], [1, 0, 0, 0, 0, 1]),
        (None, [2, 3, 2], [0, 1, 1, 1, 1, 0]),
        (WITHIN, [1], [0, 0, 0, 0, 0, 1]),
        (WITHIN, [1, 2], [0, 1, 0, 0, 1, 1]),
    ],
)
def test_classes_are_numbered_from_the_darkest_with_and_without_a_mask(within, numbers, expected):
    answer = answer_of_classes(CLASSES, 3, within, {})
    picked = picked_classes(answer, numbers, within)
    np.testing.assert_array_equal(picked.labels, [[expected]])
    assert picked.names == ("object",)


def test_prompts_pick_the_classes_in_which_positive_ones_are_more():
    answer = answer_of_classes(CLASSES, 3, None, {})
    positive = np.array([[[1, 0, 1, 1, 0, 0]]], bool)
    negative = np.array([[[0, 0, 0, 0, 0, 1]]], bool)
    assert classes_under(answer, Seeds(positive, negative)) == [3]
    assert classes_under(answer, Seeds.of(positive)) == [1, 3]
    with pytest.raises(PromptError, match="No class"):
        classes_under(answer, Seeds(np.array([[[1, 0, 0, 0, 0, 0]]], bool), negative))


@pytest.mark.parametrize("numbers", [[], [0], [4], [1, 9]])
def test_a_class_that_is_not_there_is_refused(numbers):
    with pytest.raises(SegmentationAIError, match="there are 3"):
        picked_classes(answer_of_classes(CLASSES, 3, None, {}), numbers)
