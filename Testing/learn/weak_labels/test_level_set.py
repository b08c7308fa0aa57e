import numpy as np
import pytest

from SegmentationAILib.core.errors import Cancelled, PromptError, SegmentationAIError
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.learn.weak_labels.level_set import (
    PAPER_ALPHA,
    PAPER_BETA,
    LevelSetOptions,
    closed,
    level_set,
    sigmoid_contrast,
)
from SegmentationAILib.learn.weak_labels.seeds import Seeds

SPACING = (0.9, 1.3, 2.5)
# Half of the default, which is enough for a ball.
QUICK = LevelSetOptions(iterations=250)


def test_the_sigmoid_is_the_papers():
    """Fixture 46.5: f(200) is the middle of the range, f(280) = min + 0.731 (max - min)."""
    voxels = np.array([[[200.0, 280.0, -40.0, 960.0]]], np.float32)
    found = sigmoid_contrast(voxels, PAPER_ALPHA, PAPER_BETA)
    assert found[0, 0, 0] == pytest.approx((960 - 40) / 2)
    assert found[0, 0, 1] == pytest.approx(-40 + 0.7310586 * 1000, rel=1e-5)


@pytest.mark.parametrize(
    "options", [None, LevelSetOptions(PAPER_ALPHA, PAPER_BETA, iterations=250)]
)
def test_a_ball_is_filled_from_a_few_seeds(a_noisy_scan, options):
    seeds = Seeds.of(a_noisy_scan.ball(2.5, (3.0, 0.0, 0.0)))
    answer = level_set(a_noisy_scan.voxels, a_noisy_scan.spacing, seeds, options=options)
    assert a_noisy_scan.dice(answer.labels == 1) > 0.94


def test_the_defaults_come_from_the_seeds_neighborhood(a_clear_scan, some_seeds):
    """In the ball they are 300 with a deviation of 8: 99 % of them within 41 of each other."""
    settings = level_set(
        a_clear_scan.voxels, a_clear_scan.spacing, some_seeds, None, QUICK
    ).settings
    assert settings["beta"] == pytest.approx(300, abs=2)
    assert settings["alpha"] == pytest.approx(41 / 3, rel=0.15)


def test_the_result_is_the_product_with_what_was_scraped(a_clear_scan, some_seeds):
    """Half of the ball is scraped: the result is that half, and nothing beyond it."""
    scraped = a_clear_scan.ball(20.0)
    scraped[31:] = False
    mask = (
        level_set(a_clear_scan.voxels, a_clear_scan.spacing, some_seeds, scraped, QUICK).labels == 1
    )
    assert not (mask & ~scraped).any()
    half = a_clear_scan.truth & scraped
    assert 2 * (mask & half).sum() / (mask.sum() + half.sum()) > 0.96


def test_scraping_holds_back_a_leak(a_clear_scan):
    """A bright neighbor touches the ball broadly; the scraped region cuts it off."""
    neighbor = a_clear_scan.ball(8.0, (17.0, 0, 0)) | a_clear_scan.ball(9.0, (22.0, 0, 0))
    voxels = np.where(neighbor, np.float32(300.0), a_clear_scan.voxels)
    seeds, scraped = Seeds.of(a_clear_scan.ball(3.0)), a_clear_scan.ball(17.5)
    spacing = a_clear_scan.spacing
    free = level_set(voxels, spacing, seeds, None, QUICK).labels == 1
    held = level_set(voxels, spacing, seeds, scraped, QUICK).labels == 1
    assert free[neighbor & ~a_clear_scan.truth].mean() > 0.5
    assert a_clear_scan.dice(held) > 0.92


def test_negative_seeds_stay_out(a_clear_scan):
    seeds = Seeds(a_clear_scan.ball(3.0), a_clear_scan.ball(5.0, (11.0, 0, 0)))
    mask = level_set(a_clear_scan.voxels, a_clear_scan.spacing, seeds, None, QUICK).labels == 1
    assert not mask[seeds.negative].any()
    assert mask[seeds.positive].all()


def test_intensities_may_be_shifted_and_scaled(a_clear_scan):
    part = (slice(10, 50), slice(12, 40), slice(9, 25))
    seeds = Seeds.of(a_clear_scan.ball(9.0)[part])
    quick = LevelSetOptions(iterations=100)
    first, second = (
        level_set(
            a_clear_scan.voxels[part] * scale + shift, a_clear_scan.spacing, seeds, None, quick
        ).labels
        for scale, shift in ((1.0, 0.0), (0.02, 9.0))
    )
    assert (first != second).mean() < 1e-3


@pytest.mark.parametrize(("gap_mm", "radius_mm", "joined"), [(4, 3.0, True), (8, 3.0, False)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_closing_joins_what_lies_less_than_two_radii_apart(gap_mm, radius_mm, joined, axis):
    """Two thick plates with a gap across one axis, whatever that axis's spacing is."""
    shape = (40, 30, 24)
    place = np.arange(shape[axis]) * SPACING[axis]
    middle = place[len(place) // 2]
    plates = (np.abs(place - middle) > gap_mm / 2) & (np.abs(place - middle) < gap_mm / 2 + 7)
    mask = np.moveaxis(np.broadcast_to(plates, (*np.delete(shape, axis), shape[axis])), -1, axis)
    result = closed(mask.copy(), SPACING, radius_mm)
    at_the_middle = np.take(result, len(place) // 2, axis)
    assert at_the_middle[5:-5, 5:-5].all() == joined
    assert result[mask].all()


def test_a_closing_grows_nothing_at_the_border_and_leaves_balls_as_they_are(a_clear_scan):
    whole = np.zeros((20, 20, 20), bool)
    whole[:6, :6, :6] = True
    np.testing.assert_array_equal(closed(whole, (1.0, 1.0, 1.0), 3.0), whole)
    np.testing.assert_array_equal(closed(whole, (1.0, 1.0, 1.0), 0.0), whole)
    ball = a_clear_scan.truth
    assert (closed(ball, a_clear_scan.spacing, 3.0) ^ ball).sum() < 0.03 * ball.sum()


def test_bad_seeds_and_options_are_refused(a_clear_scan):
    with pytest.raises(PromptError, match="No positive prompt"):
        level_set(
            a_clear_scan.voxels, a_clear_scan.spacing, Seeds.of(a_clear_scan.ball(3.0)),
            scraped=a_clear_scan.ball(3.0, (20.0, 0, 0)),
        )  # fmt: skip
    for bad in (
        {"alpha": 0.0}, {"alpha": float("nan")}, {"sigma_mm": -1.0}, {"curvature": -1.0},
        {"iterations": 0}, {"closing_mm": float("inf")}, {"beta": float("nan")},
    ):  # fmt: skip
        with pytest.raises(SegmentationAIError, match="expected"):
            LevelSetOptions(**bad)


def test_it_can_be_cancelled_in_the_middle_of_the_contour(a_clear_scan, some_seeds):
    def stop(fraction, sentence):
        if fraction > 0.36:
            raise Cancelled

    with pytest.raises(Cancelled):
        level_set(a_clear_scan.voxels, a_clear_scan.spacing, some_seeds, progress=Progress(stop))
