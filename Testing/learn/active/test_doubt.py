import numpy as np
import pytest
import torch
from torch import nn

from SegmentationAILib.core.errors import Cancelled, SegmentationAIError
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.learn.active.doubt import Doubt, entropy, mutual_information, softmax
from SegmentationAILib.learn.active.looking import Flipped, flips_of, look_through
from SegmentationAILib.learn.active.pool import Candidate, Pool


def constant(value, shape=(9, 7, 6)):
    return Candidate(f"case {value}", np.full((1, *shape), value, np.float32))


def slope_network(patch):
    """Two channels, ``-x`` and ``x``: the nearer an intensity is to 0, the less it is sure."""
    return np.concatenate([-patch, patch], axis=1)


def test_entropy_is_that_of_the_formula():
    shares = np.array([[0.5, 1.0, 0.25], [0.5, 0.0, 0.75]])
    by_hand = [np.log(2), 0.0, -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))]
    np.testing.assert_allclose(entropy(shares), by_hand, atol=1e-12)


def test_mutual_information_is_that_of_the_formula():
    """Two sure answers that contradict each other: log 2. Two that agree, sure or not: 0.

    Answers 0.9 and 0.5: H(0.7) less the mean of H(0.9) and H(0.5).
    """
    h = lambda p: -(p * np.log(p) + (1 - p) * np.log(1 - p))  # noqa: E731 - as in the formula
    first = np.array([[1.0, 0.5, 0.9], [0.0, 0.5, 0.1]])
    second = np.array([[0.0, 0.5, 0.5], [1.0, 0.5, 0.5]])
    by_hand = [np.log(2), 0.0, h(0.7) - (h(0.9) + h(0.5)) / 2]
    np.testing.assert_allclose(mutual_information([first, second]), by_hand, atol=1e-12)


def test_softmax_survives_logits_that_would_overflow():
    np.testing.assert_allclose(softmax(np.array([[1e4], [-1e4]], np.float32)), [[1.0], [0.0]])


def test_entropy_asks_for_the_case_nearest_to_the_border():
    """The wish is the binary entropy of a logit difference of twice the intensity."""
    pool = Pool((), tuple(constant(value) for value in (3.0, -0.5, 1.0, 8.0)))
    found = Doubt("entropy", (look_through(slope_network, (4, 4, 4)),)).rank(pool, 2)
    assert [one.id for one in found] == ["case -0.5", "case 1.0"]
    share = 1 / (1 + np.exp(-1.0))
    expected = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    assert found[0].wish == pytest.approx(expected, rel=1e-5)


def test_dropout_asks_for_what_its_answers_contradict_and_not_for_what_is_merely_unclear():
    """One case is unclear to both samples alike; on the other each is sure of its own label."""

    def sample(sign):
        return lambda patch: (
            np.concatenate([-patch, patch], axis=1) * (sign * 20.0 * (np.abs(patch) > 0.5))
        )

    looks = tuple(look_through(sample(sign), (4, 4, 4)) for sign in (1.0, -1.0))
    pool = Pool((), (constant(0.0), constant(1.0)))
    found = Doubt("mc-dropout", looks).rank(pool, 2)
    assert [one.id for one in found] == ["case 1.0", "case 0.0"]
    assert found[0].wish == pytest.approx(np.log(2), rel=1e-3)
    assert found[1].wish == pytest.approx(0.0, abs=1e-9)


def test_flips_are_undone_in_the_answer():
    rng = np.random.default_rng(0)
    patch = rng.normal(size=(2, 1, 5, 4, 3)).astype(np.float32)
    np.testing.assert_array_equal(Flipped(slope_network, (0, 2))(patch), slope_network(patch))
    assert len(flips_of(slope_network, (0, 1, 2))) == 8


def test_flips_ask_for_the_case_on_which_left_and_right_matter():
    """A network that looks at a voxel's neighbor to one side: a ramp changes with a flip."""
    layer = nn.Conv3d(1, 2, 3, padding=1, padding_mode="replicate", bias=False)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[1, 0, 2, 1, 1], layer.weight[1, 0, 0, 1, 1] = 4.0, -4.0

    def network(patch):
        with torch.inference_mode():
            return layer(torch.from_numpy(patch)).numpy()

    ramp = np.broadcast_to(np.arange(9, dtype=np.float32)[:, None, None], (9, 7, 6)).copy()
    pool = Pool((), (constant(1.0), Candidate("ramp", ramp[None]), constant(5.0)))
    looks = tuple(look_through(each, (9, 7, 6)) for each in flips_of(network, (0,)))
    found = Doubt("tta", looks).rank(pool, 3)
    assert found[0].id == "ramp"
    assert found[0].wish > 0.5
    assert found[1].wish == pytest.approx(0.0, abs=1e-9)


def test_windows_do_not_change_the_doubt():
    """A case of 9 x 7 x 6 in one window, or in many that overlap: the mean is the same."""
    rng = np.random.default_rng(1)
    case = Candidate("x", rng.normal(size=(1, 9, 7, 6)).astype(np.float32))
    wishes = [
        Doubt("entropy", (look_through(slope_network, size),)).rank(Pool((), (case,)), 1)[0].wish
        for size in ((9, 7, 6), (4, 4, 4))
    ]
    assert wishes[0] == pytest.approx(wishes[1], rel=1e-4)


def test_an_answer_that_is_not_finite_is_said():
    looks = (look_through(lambda patch: np.full_like(patch, np.nan), (4, 4, 4)),)
    with pytest.raises(SegmentationAIError, match=r"answer to case 1\.0 is not finite"):
        Doubt("entropy", looks).rank(Pool((), (constant(1.0),)), 1)


def test_it_can_be_cancelled():
    def stop(fraction, sentence):
        raise Cancelled

    with pytest.raises(Cancelled):
        Doubt("entropy", (look_through(slope_network, (4, 4, 4)),)).rank(
            Pool((), (constant(1.0),)), 1, Progress(stop)
        )
