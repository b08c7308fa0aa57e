"""Doubt where probabilities are undecided, at places known beforehand."""

import numpy as np
import pytest

from SegmentationAILib.core.volume import Box, Grid
from SegmentationAILib.refine.engine import Answer
from SegmentationAILib.refine.uncertainty import (
    APART_MM,
    binary_entropy,
    expected_dice,
    most_doubtful,
    slices_in_doubt,
)

from phantoms import oblique_affine

BOX = Box((4, 6, 3), (34, 36, 23))


@pytest.fixture
def a_grid():
    return Grid((40, 44, 30), oblique_affine())


def an_answer(blobs):
    """Certain everywhere but in cubes of 5 voxels around some voxels of the volume."""
    probabilities = np.zeros(BOX.shape, np.float32)
    probabilities[2:9, 2:9, 2:9] = 1
    for ijk, p in blobs:
        i, j, k = np.subtract(ijk, BOX.start_ijk)
        probabilities[i - 2 : i + 3, j - 2 : j + 3, k - 2 : k + 3] = p
    return Answer(BOX, probabilities > 0.5, probabilities)


def test_the_most_doubtful_place_is_the_middle_of_what_is_undecided(a_grid):
    found = most_doubtful(an_answer([((20, 20, 12), 0.45)]), a_grid)
    place = a_grid.ijk_from_ras(np.array([found.prompt.position_ras]))[0]
    np.testing.assert_allclose(place, (20, 20, 12), atol=1e-6)
    assert found.prompt.positive is False
    # A cube of 5 voxels is 4.5 mm wide across its thinnest axis: some certainty leaks in.
    assert 0.7 < found.doubt < 0.993


def test_the_proposal_says_what_is_likelier(a_grid):
    assert most_doubtful(an_answer([((20, 20, 12), 0.55)]), a_grid).prompt.positive is True


def test_the_next_place_is_another_one_and_then_there_is_none(a_grid):
    answer = an_answer([((12, 30, 8), 0.5), ((28, 12, 18), 0.42)])
    first = most_doubtful(answer, a_grid).prompt.position_ras
    second = most_doubtful(answer, a_grid, [first]).prompt.position_ras
    assert np.linalg.norm(np.subtract(first, second)) >= APART_MM
    np.testing.assert_allclose(
        a_grid.ijk_from_ras(np.array([first, second])), [(12, 30, 8), (28, 12, 18)], atol=1e-6
    )
    assert most_doubtful(answer, a_grid, [first, second]) is None


def test_where_all_is_certain_nothing_is_doubtful(a_grid):
    answer = an_answer([])
    assert most_doubtful(answer, a_grid) is None
    assert slices_in_doubt(answer, a_grid) == ()
    assert expected_dice(answer) == pytest.approx(1.0)


def test_entropy_is_one_bit_at_one_half_and_that_of_a_quarter_as_shannon_has_it():
    np.testing.assert_allclose(
        binary_entropy(np.array([0.5, 0.25, 0.75, 0.0])), [1, 0.811278, 0.811278, 0], atol=1e-4
    )


def test_the_expected_dice_is_that_of_the_sums_of_probabilities(a_grid):
    # 343 voxels at 1, 125 at 0.6 in the mask: 2 (343 + 75) / (468 + 418).
    assert expected_dice(an_answer([((20, 20, 12), 0.6)])) == pytest.approx(836 / 886, rel=1e-5)


def test_doubtful_slices_are_counted_in_the_volume_across_its_thickest_axis(a_grid):
    found = slices_in_doubt(an_answer([((20, 20, 12), 0.5)]), a_grid)
    assert {one.axis for one in found} == {2}
    assert sorted(one.index for one in found) == [10, 11, 12, 13, 14]
    assert found[0].doubtful_mm2 == pytest.approx(25 * 0.9 * 1.3, rel=1e-3)
