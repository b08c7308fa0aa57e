import numpy as np
import pytest
import torch
from torch import nn

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.learn.active.core_set import CoreSet, k_center_greedy
from SegmentationAILib.learn.active.deep_features import DeepFeatures
from SegmentationAILib.learn.active.pool import Candidate


def test_one_point_of_each_far_group_is_chosen():
    """Centers at the origin; three groups far away and apart: one of each, the farthest first."""
    rng = np.random.default_rng(0)
    middles = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 20.0], [-30.0, 0.0]])
    points = np.concatenate([middle + rng.normal(0, 0.1, (6, 2)) for middle in middles])
    chosen, distances = k_center_greedy(points, np.zeros((1, 2)), 3)
    assert [index // 6 for index in chosen] == [3, 2, 1]
    assert distances == pytest.approx([30.0, 20.0, 10.0], abs=0.5)


def test_the_cover_is_within_twice_the_best_one():
    """The bound of the greedy algorithm, against every choice of two of ten points."""
    rng = np.random.default_rng(1)
    for _ in range(20):
        points = rng.normal(size=(10, 3))

        def radius(chosen, points=points):
            apart = np.linalg.norm(points[:, None] - points[list(chosen)][None], axis=2)
            return apart.min(axis=1).max()

        best = min(radius((a, b)) for a in range(10) for b in range(a))
        chosen, _ = k_center_greedy(points, np.zeros((0, 3)), 2)
        assert radius(chosen) <= 2.0 * best + 1e-12


def test_without_centers_the_most_usual_point_is_first():
    points = np.array([[5.0], [0.0], [1.0], [-4.0]])
    chosen, distances = k_center_greedy(points, np.zeros((0, 1)), 4)
    assert chosen == [1, 0, 3, 2]
    assert distances == pytest.approx([0.5, 5.0, 4.0, 1.0])


def test_equal_points_are_each_chosen_once():
    chosen, _ = k_center_greedy(np.zeros((4, 2)), np.zeros((1, 2)), 9)
    assert sorted(chosen) == [0, 1, 2, 3]


def test_a_case_unlike_the_labeled_ones_is_asked_for(a_pool_with_novel_cases):
    pool = a_pool_with_novel_cases
    found = CoreSet(lambda case: np.array([case.array.mean(), case.array.std()])).rank(pool, 1)
    assert found[0].id.startswith("novel")


class TwoDepths(nn.Module):
    """A shallow convolution, a deep one of stride 2, and a head: features known by hand."""

    def __init__(self):
        super().__init__()
        self.shallow = nn.Conv3d(1, 1, 1, bias=False)
        self.deep = nn.Conv3d(1, 2, 2, stride=2, bias=False)
        self.head = nn.Conv3d(1, 3, 1, bias=False)
        nn.init.constant_(self.shallow.weight, 2.0)
        with torch.no_grad():
            self.deep.weight[0].fill_(1.0)
            self.deep.weight[1].fill_(-0.5)

    def forward(self, patch):
        value = self.shallow(patch)
        self.deep(value)
        return self.head(value)


def test_features_are_the_deepest_layers_mean():
    """A case of ones: twice eight voxels, by weights of 1 and of -1/2, is 16 and -8."""
    case = Candidate("x", np.ones((1, 8, 8, 8), np.float32))
    found = DeepFeatures(TwoDepths().eval(), (8, 8, 8))(case)
    np.testing.assert_allclose(found, [16.0, -8.0])


def test_asking_for_features_leaves_no_hook_behind():
    network = TwoDepths().eval()
    DeepFeatures(network, (4, 4, 4))(Candidate("x", np.ones((1, 8, 6, 4), np.float32)))
    assert not any(module._forward_hooks for module in network.modules())


def test_a_network_without_convolutions_is_refused():
    with pytest.raises(SegmentationAIError, match="no convolutions"):
        DeepFeatures(nn.Linear(2, 2), (4, 4, 4))
