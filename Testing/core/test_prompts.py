"""Prompts refuse what no person can have meant, in one sentence."""

import math

import pytest

from SegmentationAILib.core.errors import PromptError
from SegmentationAILib.core.prompts import (
    MOST_POINTS,
    BoxPrompt,
    LassoPrompt,
    PointPrompt,
    ScribblePrompt,
)


@pytest.mark.parametrize(
    "position",
    [(math.nan, 0, 0), (0, math.inf, 0), (0, 0, -1e300), (1, 2), "abc", None, (0, 0, {})],
)
def test_a_position_that_is_not_three_finite_numbers_is_refused(position):
    with pytest.raises(PromptError, match="RAS mm"):
        PointPrompt(position)


@pytest.mark.parametrize("radius", [0, -1, math.nan, math.inf, "2 mm", None])
def test_a_radius_that_no_brush_has_is_refused(radius):
    with pytest.raises(PromptError, match="radius"):
        ScribblePrompt(((0, 0, 0),), radius)


def test_a_scribble_without_points_or_with_far_too_many_is_refused():
    for points in [(), ((0.0, 0.0, 0.0),) * (MOST_POINTS + 1)]:
        with pytest.raises(PromptError, match="points"):
            ScribblePrompt(points)


@pytest.mark.parametrize(
    "points", [((0, 0, 0), (1, 0, 0)), ((0, 0, 0), (1, 1, 1), (2, 2, 2)), ((3, 4, 5),) * 4]
)
def test_a_lasso_that_encloses_nothing_is_refused(points):
    with pytest.raises(PromptError):
        LassoPrompt(points)


def test_a_box_has_two_corners():
    with pytest.raises(PromptError, match="2 opposite corners"):
        BoxPrompt(((0, 0, 0),))


def test_what_is_in_order_is_taken_as_numbers():
    prompt = ScribblePrompt([[1, 2, 3], (4, 5, 6.5)], 2)
    assert prompt.points_ras == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.5))
    assert prompt.radius_mm == 2.0
