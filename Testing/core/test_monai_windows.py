"""The weights of windows are MONAI's, and weighing and dividing leaves a constant as it was."""

import numpy as np
import pytest
from monai.data.utils import compute_importance_map

from SegmentationAILib.core.monai_windows import (
    WeightedNetwork,
    as_restored,
    gaussian_importance,
    unweighted,
)
from SegmentationAILib.core.patches import LogitsSlab


@pytest.mark.parametrize("shape", [(16, 20, 12), (7, 5, 1), (96, 32, 64)])
def test_the_importance_is_that_of_monai(shape):
    theirs = compute_importance_map(shape, mode="gaussian", sigma_scale=0.125).numpy()
    np.testing.assert_allclose(gaussian_importance(shape), theirs, rtol=2e-6)


def test_weights_travel_as_the_last_channel_and_are_divided_by():
    def network(patch):
        return np.concatenate([patch + 1, patch * 2], axis=1)

    patch = np.random.default_rng(1).normal(size=(1, 1, 6, 7, 5)).astype(np.float32)
    weighted = WeightedNetwork(network)(patch)[0]
    assert weighted.shape == (3, 6, 7, 5)
    summed = LogitsSlab(0, 0, 6, weighted + weighted)
    (slab,) = unweighted(iter([summed]))
    np.testing.assert_allclose(slab.logits, network(patch)[0], rtol=1e-5)


def test_a_threshold_of_one_half_lies_at_0_where_probabilities_are_restored():
    slab = LogitsSlab(0, 0, 1, np.float32([-2.0, 0.0, 2.0]).reshape(3, 1, 1, 1))
    found = as_restored(slab, "probabilities", "sigmoid").logits.ravel()
    sigmoid = 1 / (1 + np.exp(-np.float32([-2.0, 0.0, 2.0])))
    np.testing.assert_allclose(found, sigmoid - 0.5, atol=1e-6)
    assert as_restored(slab, "logits", "sigmoid") is slab
