"""Cases 27, 30 to 32, 37 and 40, from volume to labels, with networks whose answer is known."""

import numpy as np
import pytest
import torch

from SegmentationAILib.core.intensity import IntensityRule
from SegmentationAILib.core.labelmap import Label
from SegmentationAILib.core.pipeline import Recipe, segment
from SegmentationAILib.core.preprocess import InputRules
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.core.volume import Volume

from phantoms import oblique_affine

AFFINE = oblique_affine()
DEPTH = 16
REACH = 2


def some_scan(shape, seed=1) -> np.ndarray:
    return np.random.default_rng(seed).gamma(3, 150, shape).astype(np.float32)


def labels_of(voxels, network, patch=(32, 32, 32), rule="none", multiple_of=1, classes=1, **limits):
    rules = InputRules(intensity=IntensityRule(rule, **limits), multiple_of=multiple_of)
    labels = tuple(Label(n + 1, f"class {n + 1}") for n in range(classes))
    return segment(Volume(voxels[None], AFFINE), network, Recipe(rules, labels, patch))


class Convolutions:
    """Two layers of random convolutions: a voxel's answer depends on those up to `REACH` away."""

    def __init__(self, classes=4) -> None:
        torch.manual_seed(5)
        self.layers = torch.nn.Sequential(
            torch.nn.Conv3d(1, 8, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.Conv3d(8, classes, 3, padding=1),
        )

    @torch.no_grad()
    def __call__(self, patch):
        return self.layers(torch.from_numpy(patch)).numpy()


def deep_threshold(patch):
    """Bright voxels are the structure; sides that cannot be halved four times are an error."""
    if any(n % DEPTH for n in patch.shape[2:]):
        raise RuntimeError(f"a network of this depth cannot take {patch.shape[2:]}")
    return np.concatenate([400 - patch, patch - 400], axis=1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("rule", "limits"), [("none", {}), ("clip", {"low": 0, "high": 900}), ("minmax", {})]
)
def test_case_27_labels_change_nowhere_beyond_the_networks_reach(bad, rule, limits):
    """Case 27: one voxel that is no number; the twin has background there."""
    clean = some_scan((30, 26, 22))
    clean[12, 10, 8] = clean.min()
    spoiled = clean.copy()
    spoiled[12, 10, 8] = bad
    run = {"rule": rule, "patch": (16, 16, 16), "classes": 3, **limits}
    expected = labels_of(clean, Convolutions(), **run).labelmap.layers[0]
    found = labels_of(spoiled, Convolutions(), **run)
    assert len(np.unique(expected)) > 1
    around = tuple(slice(c - REACH, c + REACH + 1) for c in (12, 10, 8))
    beyond = np.ones(clean.shape, bool)
    beyond[around] = False
    np.testing.assert_array_equal(found.labelmap.layers[0][beyond], expected[beyond])
    assert any("1 voxels were no number" in note for note in found.notes)


@pytest.mark.parametrize(
    "shape",
    [(1, 60, 50), (60, 1, 50), (60, 50, 1), (1, 1, 9), (2, 2, 2),  # case 30
     (31, 40, 16), (16, 33, 48), (1, 31, 33),  # case 31: by 1 voxel, by half, by all but 1
     (48, 49, 47), (64, 65, 63)],  # case 32: multiples of the stride and their neighbors
)  # fmt: skip
def test_cases_30_to_32_every_shape_gets_the_answer_of_each_of_its_voxels(shape):
    """Cases 30 to 32: a network of some depth that looks at one voxel at a time."""
    voxels = some_scan(shape)
    result = labels_of(voxels, deep_threshold, multiple_of=DEPTH)
    np.testing.assert_array_equal(result.labelmap.layers[0], voxels > 400)


@pytest.mark.parametrize(("shift", "is_warned"), [(0, True), (-1000, False)])
def test_case_37_a_volume_that_is_no_ct_is_warned_of_before_the_network_runs(shift, is_warned):
    """Case 37: an MR, and its twin with air at -1000; a network for CT runs on both."""
    events = []

    def network(patch):
        events.append("network")
        return np.concatenate([patch * 0 + 1, patch * 0], axis=1)

    rules = InputRules(intensity=IntensityRule("clip", -200, 300), modality="CT")
    recipe = Recipe(rules, (Label(1, "class 1"),), (32, 32, 32))
    volume = Volume(some_scan((20, 18, 16))[None] + shift, AFFINE)
    result = segment(
        volume, network, recipe, progress=Progress(lambda _, said: events.append(said))
    )
    warnings = [event for event in events if event.startswith("Warning: ")]
    assert bool(warnings) == is_warned
    assert any("does not look like a CT" in note for note in result.notes) == is_warned
    if is_warned:
        assert "does not look like a CT" in warnings[0]
        assert events.index(warnings[0]) < events.index("network")


def test_case_40_an_empty_and_a_full_result_are_results():
    """Case 40: nothing found and everything found, on the volume's own grid."""
    voxels = some_scan((20, 18, 16))
    for value, network in (
        (0, lambda p: np.concatenate([p * 0 + 1, p * 0], axis=1)),
        (1, lambda p: np.concatenate([p * 0, p * 0 + 1], axis=1)),
    ):
        result = labels_of(voxels, network)
        assert (result.labelmap.layers[0] == value).all()
        assert [label.name for label in result.labelmap.labels] == ["class 1"]
        assert any("empty" in note for note in result.notes) == (value == 0)
