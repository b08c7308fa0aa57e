import numpy as np
import pytest

from SegmentationAILib.core.errors import PromptError
from SegmentationAILib.core.prompts import BoxPrompt, PointPrompt, ScribblePrompt
from SegmentationAILib.learn.weak_labels.prompted_seeds import prompted_seeds

from phantoms import SPHERE_CENTER_RAS, grid_around, sphere_mask

CENTER = tuple(SPHERE_CENTER_RAS)


@pytest.fixture(scope="module")
def a_grid():
    return grid_around(SPHERE_CENTER_RAS)


def test_a_round_scribble_is_a_ball_of_positive_seeds(a_grid):
    found = prompted_seeds([ScribblePrompt((CENTER,), 6.0)], a_grid)
    np.testing.assert_array_equal(found.seeds.positive, sphere_mask(a_grid, radius_mm=6.0))
    assert not found.seeds.negative.any()
    assert found.limit is None


@pytest.mark.parametrize("last_is_positive", [True, False])
def test_of_two_prompts_on_one_place_the_later_counts(a_grid, last_is_positive):
    prompts = [
        PointPrompt(CENTER, positive) for positive in (not last_is_positive, last_is_positive)
    ]
    seeds = prompted_seeds(prompts, a_grid).seeds
    assert seeds.positive.sum() == last_is_positive
    assert seeds.negative.sum() == (not last_is_positive)


def test_positive_boxes_limit_and_are_no_seeds(a_grid):
    one = BoxPrompt((tuple(SPHERE_CENTER_RAS - 8), tuple(SPHERE_CENTER_RAS - 2)))
    two = BoxPrompt((tuple(SPHERE_CENTER_RAS + 2), tuple(SPHERE_CENTER_RAS + 8)))
    found = prompted_seeds([one, two], a_grid)
    ras = a_grid.ras_from_ijk(np.indices(a_grid.shape).reshape(3, -1).T) - SPHERE_CENTER_RAS
    expected = ((ras >= -8) & (ras <= -2)).all(axis=1) | ((ras >= 2) & (ras <= 8)).all(axis=1)
    np.testing.assert_array_equal(found.limit, expected.reshape(a_grid.shape))
    assert not found.seeds.positive.any()


def test_the_prompt_outside_is_named(a_grid):
    with pytest.raises(PromptError, match="Prompt 2: A point at"):
        prompted_seeds([PointPrompt(CENTER), PointPrompt((900.0, 0.0, 0.0))], a_grid)
