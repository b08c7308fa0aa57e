"""nnU-Net's result folders: installed as data, and run as nnU-Net runs them."""

import nnunet_by_the_book as book
import numpy as np
import pytest
from nnunet_files import (
    FEATURES,
    KERNELS,
    STRIDES,
    checkpoint,
    dataset,
    plans,
    result_folder,
    tensors,
)

from SegmentationAILib.core.volume import Volume
from SegmentationAILib.networks.architectures.nnunet import NNUNet
from SegmentationAILib.networks.architectures.residual_encoder_unet import ResidualEncoderUNet
from SegmentationAILib.networks.build import load_network
from SegmentationAILib.networks.card_reader import card_from_json, card_to_json
from SegmentationAILib.networks.expected_shapes import check_architecture
from SegmentationAILib.networks.folds import joined_folds
from SegmentationAILib.networks.formats.nnunet import card_of
from SegmentationAILib.networks.formats.nnunet_checkpoints import COPIES, Checkpoints
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.segmenter import Segmenter, open_segmenter
from SegmentationAILib.networks.store import NetworkStore

from phantoms import grid_around

SPACING = (1.3, 0.9, 4.1)
# Voxels whose two best logits lie closer than this may fall either way.
TIE = 1e-3


@pytest.fixture
def a_store(tmp_path):
    return NetworkStore(tmp_path / "home")


def a_volume(channels=1, spacing=SPACING, shape=(34, 41, 9)):
    """Noise of several scales on an oblique anisotropic grid, zeros around it."""
    grid = grid_around((3.0, -8.0, 5.0), shape, spacing=spacing)
    rng = np.random.default_rng(5)
    voxels = np.zeros((channels, *shape), np.float32)
    inner = tuple(n - 3 for n in shape)
    voxels[:, 1:-2, 2:-1, 1:-2] = rng.normal(60, 30, (channels, *inner))
    return Volume(voxels, grid.affine)


def network_of(named, kind=NNUNet, channels=1, classes=3):
    network = kind(channels, classes, FEATURES, KERNELS, STRIDES, [2, 1], [2]).eval()
    network.load_state_dict({name: named[name] for name in network.state_dict()})
    return network


def segmented(volume, folds, the_plans=None, the_dataset=None, axes=(0, 1, 2)):
    """Return the labels of a volume and the card, as an installation without its files would."""
    kept = [
        {name: tensor.numpy() for name, tensor in one.items() if not COPIES.search(name)}
        for one in folds
    ]
    names = tuple(f"fold_{number}" for number in range(len(folds)))
    read = Checkpoints(kept, "3d_fullres", "nnUNetTrainer", axes, names, "0" * 64, False)
    card = card_of(the_plans or plans(), the_dataset or dataset(), read, "the folder")
    network = load_network(card, joined_folds(kept), "cpu", "fp32")
    return Segmenter(card, network, card.sha256).segment(volume).labelmap.layers[0], card


def expected(volume, networks, the_plans, mirror_axes=(0, 1, 2), rules=(book.zscore,)):
    """Return logits by the book, on the volume's own axes, of the crop, and the crop."""
    plan = {
        **the_plans["configurations"]["3d_fullres"],
        "transpose_forward": the_plans["transpose_forward"],
        "rules": rules,
    }
    stored = volume.voxels.transpose(0, 3, 2, 1)
    logits, crop = book.logits_by_the_book(
        stored, volume.spacing[::-1], plan, networks, mirror_axes
    )
    back = np.argsort(plan["transpose_forward"])
    logits = logits.transpose(0, *[1 + axis for axis in back]).transpose(0, 3, 2, 1)
    return logits, tuple(crop[axis] for axis in back)[::-1]


def assert_labels(found, logits, crop):
    """Every voxel has the label of the highest logit, but where two of them tie."""
    inside = found[crop]
    best = np.sort(logits, axis=0)
    decided = best[-1] - best[-2] > TIE
    assert decided.mean() > 0.98
    np.testing.assert_array_equal(inside[decided], logits.argmax(axis=0)[decided])
    assert len(np.unique(inside)) == len(logits)
    outside = found.copy()
    outside[crop] = 0
    assert not outside.any()


def test_labels_are_those_of_nnunets_own_steps(tmp_path, a_store):
    """Thick slices, zeros around, windows that overlap, mirrored copies, two folds, from files."""
    folds = [tensors(1), tensors(2)]
    saved = {f"fold_{n}": checkpoint(one) for n, one in enumerate(folds)}
    folder = result_folder(tmp_path / "result", folds=saved)
    card = install(a_store, InstallRequest(str(folder), "net"), check_architecture).card
    assert (card.folds, card.mirror_axes, card.conventions) == (2, (0, 1, 2), "nnunet")
    volume = a_volume()
    segmenter = open_segmenter("net", "cpu", "fp32", a_store)
    found = segmenter.segment(volume).labelmap.layers[0]
    logits, crop = expected(volume, [network_of(one) for one in folds], plans())
    assert_labels(found, logits, crop)


@pytest.mark.parametrize(
    ("axes", "order"), [((0, 1, 2), [2, 0, 1]), ((1,), [0, 1, 2]), ((), [1, 2, 0])]
)
def test_transposed_plans_and_the_mirroring_that_the_checkpoint_allows(axes, order):
    the_plans = plans(transpose_forward=order)
    volume = a_volume(spacing=(1.1, 0.9, 1.4), shape=(24, 31, 19))
    found, _ = segmented(volume, [tensors(3)], the_plans, axes=axes)
    logits, crop = expected(volume, [network_of(tensors(3))], the_plans, axes)
    assert_labels(found, logits, crop)


def test_channels_with_a_mask_and_with_the_numbers_of_ct():
    the_plans = plans(
        normalization_schemes=["ZScoreNormalization", "CTNormalization"],
        use_mask_for_norm=[True, False],
    )
    numbers = {"mean": 50.0, "std": 20.0, "percentile_00_5": 0.0, "percentile_99_5": 110.0}
    the_plans["foreground_intensity_properties_per_channel"]["1"] = numbers
    volume, named = a_volume(channels=2), tensors(4, channels=2)
    names = dataset(channel_names={"0": "T1 (post)", "1": "CT"})
    found, card = segmented(volume, [named], the_plans, names)
    rules = (book.zscore_in_mask, book.ct(0.0, 110.0, 50.0, 20.0))
    network = network_of(named, channels=2)
    assert_labels(found, *expected(volume, [network], the_plans, rules=rules))
    assert [channel.role for channel in card.channels] == ["T1-post", "CT"]


def test_regions_are_painted_in_their_order():
    names = {"background": 0, "whole": [1, 2], "core": [2]}
    the_dataset = dataset(labels=names, regions_class_order=[2, 1])
    volume, named = a_volume(), tensors(6, classes=2)
    found, card = segmented(volume, [named], the_dataset=the_dataset)
    logits, crop = expected(volume, [network_of(named, classes=2)], plans())
    painted = np.where(logits[0] > 0, 2, 0)
    painted[logits[1] > 0] = 1
    decided = (np.abs(logits) > TIE).all(axis=0)
    np.testing.assert_array_equal(found[crop][decided], painted[decided])
    assert set(np.unique(found)) == {0, 1, 2}
    assert [(label.name, label.value) for label in card.labels] == [("whole", 2), ("core", 1)]
    assert any("painted in the order whole, core" in note for note in card.notes)


def test_the_residual_encoder_runs_too():
    the_plans = plans()
    network = the_plans["configurations"]["3d_fullres"]["architecture"]
    network["network_class_name"] = network["network_class_name"].replace(
        "PlainConvUNet", "ResidualEncoderUNet"
    )
    arguments = network["arch_kwargs"]
    arguments["n_blocks_per_stage"] = arguments.pop("n_conv_per_stage")
    named = tensors(7, kind="residual")
    volume = a_volume(spacing=(1.25, 1.0, 2.5), shape=(20, 25, 12))
    found, _ = segmented(volume, [named], the_plans)
    logits, crop = expected(volume, [network_of(named, ResidualEncoderUNet)], the_plans)
    assert_labels(found, logits, crop)


def test_the_card_says_what_the_plans_say_and_each_tensor_is_kept_once(tmp_path, a_store):
    named = tensors(8)
    folder = result_folder(
        tmp_path / "result", plans(transpose_forward=[1, 0, 2]), folds={"fold_0": checkpoint(named)}
    )
    stored = install(a_store, InstallRequest(str(folder), "net"), check_architecture)
    card, weights = stored.card, stored.read_weights()
    assert (card.spacing_mm, card.patch_size) == ((2.5, 1.0, 1.25), (10, 24, 16))
    # The arrays are stored K, J, I; the first two are exchanged.
    assert (card.axes, card.folds) == ((1, 2, 0), 1)
    assert [label.name for label in card.labels] == ["Anterior", "Posterior"]
    assert card_from_json(card_to_json(card), "again") == card
    network = NNUNet(1, 3, FEATURES, KERNELS, STRIDES, [2, 1], [2])
    assert set(weights) == set(network.state_dict())
    assert len(named) > 2 * len(weights)
    for name, array in weights.items():
        np.testing.assert_array_equal(array, named[name].numpy())


def test_a_part_of_totalsegmentator_has_the_values_and_codes_of_its_task():
    the_plans = plans(dataset_name="Dataset291_TotalSegmentator_part1_organs_1559subj")
    read = Checkpoints([{}], "3d_fullres", "nnUNetTrainer", (), ("fold_0",), "0" * 64, False)

    def card_with(**labels):
        named = dataset(labels={"background": 0, **labels})
        return card_of(the_plans, named, read, "the folder")

    card = card_with(spleen=1, kidney_right=2)
    assert [(label.name, label.value) for label in card.labels] == [
        ("spleen", 1), ("kidney_right", 2),
    ]  # fmt: skip
    assert str(card.labels[1].terminology.type) == "SCT^64033007^Kidney"
    assert str(card.labels[1].terminology.modifier) == "SCT^24028007^Right"
    assert (card.orientation, card.axes, card.mirror_axes) == ("SAR", (0, 1, 2), ())
    # 1 and 2 of another part are 52 and 92 of the whole task.
    later = card_with(aorta=1, rib_left_1=2)
    assert [label.value for label in later.labels] == [52, 92]
    own = card_with(spleen=1, my_structure=2)
    assert (own.orientation, own.labels[0].terminology) == (None, None)
