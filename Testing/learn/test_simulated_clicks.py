import numpy as np
import pytest

from SegmentationAILib.learn.simulated_clicks import Click, deepest_point, next_click


def a_block(shape, start, stop):
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = True
    return mask


def test_the_deepest_point_of_a_block_is_its_center():
    assert deepest_point(a_block((20, 24, 18), (3, 5, 2), (12, 16, 13))) == (7, 10, 7)


def test_depth_is_in_millimeters():
    # A plate of 3 slices, 6 mm each, beside a cube of 7 voxels of 1 mm: the plate is deeper.
    mask = a_block((40, 40, 12), (1, 1, 1), (22, 22, 4)) | a_block(
        (40, 40, 12), (28, 28, 3), (35, 35, 10)
    )
    assert deepest_point(mask, (1.0, 1.0, 6.0)) == (11, 11, 2)
    assert deepest_point(mask, (1.0, 1.0, 1.0)) == (31, 31, 6)


def test_of_a_tube_the_middle_is_clicked():
    assert deepest_point(a_block((40, 9, 9), (2, 2, 2), (33, 7, 7))) == (17, 4, 4)


def test_what_lies_at_the_border_of_the_scan_is_not_deep():
    assert deepest_point(a_block((9, 9, 9), (0, 0, 0), (5, 9, 9)))[0] == 2


def test_an_empty_mask_has_no_deepest_point():
    with pytest.raises(ValueError, match="empty"):
        deepest_point(np.zeros((4, 4, 4), dtype=bool))


def test_the_first_click_lies_deep_inside_the_target():
    target = a_block((20, 24, 18), (3, 5, 2), (12, 16, 13))
    assert next_click(target, np.zeros_like(target)) == Click((7, 10, 7), True)


def test_the_largest_error_is_clicked_even_where_another_kind_touches_it():
    target = a_block((30, 20, 20), (5, 5, 5), (15, 14, 14))
    # Shifted along i: 3 slices are missed, and 8 drawn too many on the other side.
    answer = a_block((30, 20, 20), (8, 5, 5), (23, 14, 14))
    click = next_click(target, answer)
    assert click is not None
    assert not click.positive
    assert 15 <= click.ijk[0] < 23
    missed = next_click(target, a_block((30, 20, 20), (10, 5, 5), (15, 14, 14)))
    assert missed == Click((7, 9, 9), True)


def test_there_is_no_click_where_nothing_is_wrong():
    target = a_block((9, 9, 9), (2, 2, 2), (5, 5, 5))
    assert next_click(target, target.copy()) is None
