import numpy as np
import pytest

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.intensity import IntensityRule
from SegmentationAILib.core.nonzero import nonzero_box, nonzero_mask
from SegmentationAILib.core.preprocess import InputRules, prepare
from SegmentationAILib.core.volume import Volume


def shell(affine, channels=2):
    """A hollow box of 1 to 6 in one channel, one more voxel in the other."""
    voxels = np.zeros((channels, 12, 10, 9), np.float32)
    voxels[0, 3:8, 2:7, 2:7] = 5.0
    voxels[0, 4:7, 3:6, 3:6] = 0.0
    voxels[-1, 9, 8, 3] = -4.0
    return Volume(voxels, affine)


def test_the_box_holds_every_voxel_that_is_not_zero_in_some_channel(an_affine):
    box = nonzero_box(shell(an_affine).voxels)
    assert (box.start_ijk, box.stop_ijk) == ((3, 2, 2), (10, 9, 7))


def test_holes_belong_to_the_mask_and_the_outside_does_not(an_affine):
    mask = nonzero_mask(shell(an_affine).voxels)
    assert mask.sum() == 5 * 5 * 5 + 1
    assert mask[5, 4, 4]


def test_a_volume_of_zeros_is_refused():
    with pytest.raises(SegmentationAIError, match="Every voxel of this volume is 0"):
        nonzero_box(np.zeros((1, 4, 4, 4)))


def test_masked_intensities_have_mean_0_and_deviation_1_within_the_mask_and_are_0_outside(
    an_affine,
):
    volume = shell(an_affine, channels=1)
    volume.voxels[0, 3:8, 2:7, 2:7] += np.random.default_rng(0).normal(size=(5, 5, 5))
    mask = nonzero_mask(volume.voxels)
    rules = InputRules(intensity=IntensityRule("zscore-mask"), crop_to_nonzero=True)
    prepared = prepare(volume, rules)
    box = nonzero_box(volume.voxels)
    assert prepared.array.shape[1:] == box.shape
    inside = prepared.array[0][mask[box.slices]]
    assert abs(inside.mean()) < 1e-5
    assert abs(inside.std() - 1) < 1e-5
    assert (prepared.array[0][~mask[box.slices]] == 0).all()
    assert prepared.background == (0.0,)


def test_each_channel_can_have_a_rule_of_its_own_and_arrays_can_be_stored_slices_first(an_affine):
    voxels = np.random.default_rng(1).normal(50, 9, (2, 6, 7, 8)).astype(np.float32)
    rules = InputRules(
        intensity=(IntensityRule("none"), IntensityRule("zscore")),
        channels=("a", "b"),
        axes=(2, 0, 1),
        pads_with_zero=True,
    )
    prepared = prepare(Volume(voxels, an_affine), rules)
    np.testing.assert_array_equal(prepared.array[0], voxels[0].transpose(2, 0, 1))
    assert abs(prepared.array[1].std() - 1) < 1e-5
    assert prepared.padding == (0.0, 0.0)
    assert prepared.background[0] == voxels[0].min()


def test_as_many_rules_as_channels_are_needed():
    with pytest.raises(ValueError, match="2 rules for 1 channels"):
        InputRules(intensity=(IntensityRule(), IntensityRule()))
