from dataclasses import replace

import numpy as np
import pytest
import torch

from SegmentationAILib.core.errors import Cancelled, SegmentationAIError
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.learn.active.adversarial import Adversarial, case_scores
from SegmentationAILib.learn.active.latent_networks import Decoder, Discriminator, Encoder
from SegmentationAILib.learn.active.latent_options import PAPER, LatentOptions
from SegmentationAILib.learn.active.latent_slices import slices_of
from SegmentationAILib.learn.active.pool import Candidate, Pool

SMALL = LatentOptions(size=16, widths=(8, 16, 32), hidden=(32, 32), latent=8, steps=120, slices=4)


@pytest.mark.parametrize("with_auxiliary", [True, False], ids=["m-vaal", "vaal"])
def test_the_novel_cases_are_asked_for_first(a_pool_with_novel_cases, with_auxiliary):
    """With the sign the other way around, none of them would be."""
    strategy = Adversarial(with_auxiliary, SMALL)
    found = strategy.rank(a_pool_with_novel_cases, 4)
    assert all(one.id.startswith("novel") for one in found)
    assert [one.wish for one in found] == sorted((one.wish for one in found), reverse=True)


def test_the_same_seed_ranks_alike_and_leaves_the_callers_random_numbers(a_pool_with_novel_cases):
    quick = Adversarial(True, replace(SMALL, steps=3, settling=2))
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = quick.rank(a_pool_with_novel_cases, 16)
    assert torch.equal(torch.rand(1), expected)
    assert quick.rank(a_pool_with_novel_cases, 16) == first


def test_the_auxiliary_modality_trains_the_sampler(a_pool_with_novel_cases):
    """Another second modality, or none, leads to other scores."""
    pool, options = a_pool_with_novel_cases, replace(SMALL, steps=3, settling=2)
    flat = Pool(
        tuple(Candidate(c.id, c.array, np.zeros_like(c.array[0])) for c in pool.labeled),
        tuple(Candidate(c.id, c.array, np.zeros_like(c.array[0])) for c in pool.unlabeled),
    )
    scores = {
        tuple(one.wish for one in strategy.rank(of, 16))
        for strategy, of in (
            (Adversarial(True, options), pool),
            (Adversarial(True, options), flat),
            (Adversarial(False, options), pool),
        )
    }
    assert len(scores) == 3


def test_vaal_never_looks_at_the_auxiliary_modality(a_pool_with_novel_cases):
    pool, quick = a_pool_with_novel_cases, Adversarial(False, replace(SMALL, steps=3, settling=2))
    bare = Pool(
        *(tuple(Candidate(c.id, c.array) for c in part) for part in (pool.labeled, pool.unlabeled))
    )
    assert quick.rank(bare, 16) == quick.rank(pool, 16)


def test_what_is_missing_is_said(a_pool_with_novel_cases):
    pool = a_pool_with_novel_cases
    bare = Candidate("bare", pool.unlabeled[0].array)
    with pytest.raises(SegmentationAIError, match="bare has no auxiliary modality"):
        Adversarial(True, SMALL).rank(Pool(pool.labeled, (bare,)), 1)
    with pytest.raises(SegmentationAIError, match="there are none"):
        Adversarial(True, SMALL).rank(Pool((), pool.unlabeled), 1)


def test_a_case_has_the_mean_of_its_lowest_slices():
    of_slices = np.array([4.0, 1.0, 3.0, 9.0, 7.0, -2.0])
    cases = np.array([0, 0, 0, 1, 1, 2])
    assert case_scores(of_slices, cases, 2) == [2.0, 8.0, -2.0]


def test_the_published_sampler_has_the_published_sizes():
    """1024 x 4 x 4 before the two heads; decoders begin there and end at 128 x 128."""
    encoder, decoder = Encoder(3, PAPER), Decoder(3, PAPER)
    assert encoder.mean.in_features == encoder.log_variance.in_features == 1024 * 4 * 4
    assert encoder.mean.out_features == 64
    with torch.inference_mode():
        mean, log_variance = encoder.eval()(torch.zeros(2, 3, 128, 128))
        assert decoder.eval()(mean).shape == (2, 3, 128, 128)
        assert Discriminator(PAPER).eval()(mean).shape == (2,)
    assert log_variance.shape == (2, 64)
    widths = [m.out_channels for m in decoder.modules() if isinstance(m, torch.nn.ConvTranspose2d)]
    assert widths == [512, 256, 128, 64, 32]
    layers = [m for m in Discriminator(PAPER).modules() if isinstance(m, torch.nn.Linear)]
    assert [layer.out_features for layer in layers] == [128, 256, 512, 256, 128, 1]


def test_slices_keep_their_cases_and_their_places():
    """A case that is bright in one plane: the slice from there is, and no other one."""
    array = np.zeros((1, 12, 10, 9), np.float32)
    array[..., 4] = 1.0
    first = Candidate("a", array)
    second = Candidate("b", np.roll(array, 3, axis=3))
    options = replace(SMALL, slices=3)  # planes 1, 4 and 7
    found = slices_of([first, second], options, with_auxiliary=False)
    means = found.main.mean(dim=(1, 2, 3)).reshape(2, 3)
    np.testing.assert_allclose(means, [[0, 1, 0], [0, 0, 1]], atol=1e-6)
    assert found.cases.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.main.shape == (6, 1, 16, 16)


def test_slices_do_not_depend_on_the_unit_of_the_intensities():
    rng = np.random.default_rng(0)
    array = rng.normal(size=(2, 12, 10, 3)).astype(np.float32)
    first, second = (
        slices_of([Candidate("a", a)], SMALL, with_auxiliary=False).main
        for a in (array, array * 300 - 1000)
    )
    np.testing.assert_allclose(first, second, atol=1e-4)


def test_it_can_be_cancelled(a_pool_with_novel_cases):
    def stop(fraction, sentence):
        raise Cancelled

    with pytest.raises(Cancelled):
        Adversarial(False, SMALL).rank(a_pool_with_novel_cases, 1, Progress(stop))


@pytest.mark.parametrize("bad", [{"size": 20}, {"steps": 0}, {"batch": 1}, {"rate": float("nan")}])
def test_options_that_cannot_be_are_a_mistake(bad):
    with pytest.raises(ValueError, match=r"halved|positive"):
        LatentOptions(**bad)
