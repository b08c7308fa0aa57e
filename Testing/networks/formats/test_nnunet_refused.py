"""Result folders that are refused, each with a twin that is taken."""

import json
import os
import shutil

import pytest
import torch
from network_files import fingerprint, zip_of
from nnunet_files import RESULT, checkpoint, dataset, plans, result_folder, tensors

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks.expected_shapes import check_architecture
from SegmentationAILib.networks.formats.nnunet import card_of
from SegmentationAILib.networks.formats.nnunet_checkpoints import Checkpoints
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.store import NetworkStore
from SegmentationAILib.networks.weights import read_weights, sha256_of


@pytest.fixture
def a_store(tmp_path):
    return NetworkStore(tmp_path / "home")


def installed(store, path, network_id="net"):
    return install(store, InstallRequest(str(path), network_id), check_architecture).card


def refused(store, path, words):
    with pytest.raises(WeightsError, match=words):
        installed(store, path)
    assert [p for p in store.folder.iterdir() if not p.name.startswith(".")] == []


def with_architecture(**changes):
    """Plans whose network has other arguments; None takes one away."""
    made = plans()
    architecture = made["configurations"]["3d_fullres"]["architecture"]
    architecture["network_class_name"] = changes.pop(
        "network_class_name", architecture["network_class_name"]
    )
    architecture["arch_kwargs"].update(changes)
    return made


class Runs:
    """A pickle that runs a program when it is opened."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


UNKNOWN_PLANS = {
    "cascade": (plans(previous_stage="3d_lowres"), "second stage of a cascade"),
    "two dimensions": (plans(patch_size=[24, 16], spacing=[1.0, 1.0]), "of 2 dimensions"),
    "resampler": (plans(resampling_fn_data="resample_torch_fornnunet"), "resample_torch_fornnunet"),
    "resampling": (
        plans(resampling_fn_probabilities_kwargs={"order": 0}), "resampling_fn_probabilities_kwargs"
    ),
    "normalization": (plans(normalization_schemes=["MyNormalization"]), "MyNormalization"),
    "preprocessor": (plans(preprocessor_name="MyPreprocessor"), "MyPreprocessor"),
    "reader": (plans(image_reader_writer="NaturalImage2DIO"), "NaturalImage2DIO"),
    "label manager": (plans(label_manager="MyLabels"), "MyLabels"),
    "class": (
        with_architecture(
            network_class_name="dynamic_network_architectures.architectures.primus.Primus"
        ),
        "Primus",
    ),
    "class of another package": (
        with_architecture(network_class_name="os.PlainConvUNet"), "os.PlainConvUNet"
    ),
    "operation": (with_architecture(norm_op="torch.nn.modules.batchnorm.BatchNorm3d"), "BatchNorm"),
    "activation": (with_architecture(nonlin="os.system"), "os.system"),
    "argument": (with_architecture(squeeze_excitation=True), "squeeze_excitation"),
    "order of axes": (plans(transpose_forward=[0, 0, 2]), "transpose_forward"),
    "levels": (with_architecture(n_stages=3), "not a count for each of 3 levels"),
    "numbers": (plans(spacing=[1.0, "1.0", 2.0]), "not as nnU-Net v2 writes it"),
    "missing part": (plans(transpose_forward=None), "not as nnU-Net v2 writes it"),
    "inheritance in a circle": (plans(inherits_from="3d_fullres"), "no configuration"),
}  # fmt: skip


def described(the_plans, the_dataset):
    """Return the card, or raise what an installation would, without opening a checkpoint."""
    read = Checkpoints([{}], "3d_fullres", "nnUNetTrainer", (), ("fold_0",), "0" * 64, False)
    return card_of(the_plans, the_dataset, read, "the folder")


@pytest.mark.parametrize("case", UNKNOWN_PLANS)
def test_plans_that_are_not_known_are_refused_by_name(case):
    the_plans, words = UNKNOWN_PLANS[case]
    with pytest.raises(WeightsError, match=words):
        described(the_plans, dataset())
    assert described(plans(), dataset()).patch_size == (10, 24, 16)


def test_patches_that_the_network_does_not_take_are_refused(tmp_path, a_store):
    refused(a_store, result_folder(tmp_path / "result", plans(patch_size=[10, 25, 16])), "patches")


def test_plans_of_before_2_5_give_the_same_network():
    older = plans()
    found = older["configurations"]["3d_fullres"]
    del found["architecture"]
    found |= {
        "UNet_class_name": "PlainConvUNet",
        "UNet_base_num_features": 4,
        "unet_max_num_features": 6,
        "n_conv_per_stage_encoder": [2, 1],
        "n_conv_per_stage_decoder": [2],
        "conv_kernel_sizes": [[1, 3, 3], [3, 3, 3]],
        "pool_op_kernel_sizes": [[1, 1, 1], [1, 2, 2]],
    }
    assert described(older, dataset()) == described(plans(), dataset())


UNKNOWN_DATASETS = {
    "gap in values": (dataset(labels={"background": 0, "a": 1, "b": 3}), "without a gap"),
    "no background": (dataset(labels={"a": 0, "b": 1, "c": 2}), "not as nnU-Net v2 writes it"),
    "regions without order": (
        dataset(labels={"background": 0, "a": [1, 2], "b": 2}), "regions_class_order"
    ),
    "more inputs than channels": (dataset(channel_names={"0": "A", "1": "B"}), "normalizations"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNKNOWN_DATASETS)
def test_datasets_that_contradict_themselves_or_the_plans_are_refused(case):
    the_dataset, words = UNKNOWN_DATASETS[case]
    with pytest.raises(WeightsError, match=words):
        described(plans(), the_dataset)


def test_an_ignore_label_is_no_channel_and_names_are_shown_safe_and_unique():
    labels = {"background": 0, "<b>a</b>\n": 1, "\u202eb": 2, "ignore": 3}
    card = described(plans(), dataset(labels=labels))
    names = [label.name for label in card.labels]
    assert len(names) == len(set(names)) == 2
    assert not any(bad in "".join(names) for bad in "\n\u202e")


def test_a_program_in_a_checkpoint_is_not_run(tmp_path, a_store):
    marker = tmp_path / "ran"
    saved = checkpoint(tensors(), logging=Runs(marker))
    refused(a_store, result_folder(tmp_path / "result", folds={"fold_0": saved}), "system")
    assert not marker.exists()


def test_numbers_of_numpy_pass_the_converter_of_nnunet_and_nothing_else(tmp_path, a_store):
    """Case 42. A hostile pickle of the postprocessing beside it is never opened."""
    marker = tmp_path / "ran"
    folder = result_folder(tmp_path / "result")
    torch.save(Runs(marker), folder / "postprocessing.pkl")
    with pytest.raises(WeightsError, match=r"numpy\._core\.multiarray\.scalar"):
        read_weights(folder / "fold_0" / "checkpoint_final.pth")
    installed(a_store, folder)
    assert not marker.exists()


def test_folds_that_were_trained_differently_are_refused(tmp_path, a_store):
    other = checkpoint(tensors(1), inference_allowed_mirroring_axes=(0,))
    folds = {"fold_0": checkpoint(tensors(0)), "fold_1": other}
    refused(a_store, result_folder(tmp_path / "result", folds=folds), "different ways")


def test_weights_of_another_network_are_refused_with_their_names(tmp_path, a_store):
    named = tensors()
    del named["decoder.seg_layers.0.bias"]
    folds = {"fold_0": checkpoint(named)}
    refused(
        a_store, result_folder(tmp_path / "result", folds=folds), "decoder.seg_layers.0.bias is mis"
    )


def test_a_checkpoint_of_something_else_is_refused(tmp_path, a_store):
    saved = {"network_weights": tensors()}
    folder = result_folder(tmp_path / "result", folds={"fold_0": saved})
    refused(a_store, folder, "does not say its trainer_name|does not say its configuration")


def test_a_zip_of_the_dataset_folder_gives_the_same_network(tmp_path, a_store):
    folder = result_folder(tmp_path / "Dataset999_Phantom" / RESULT)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    before = fingerprint(tmp_path / "Dataset999_Phantom")
    members = [(str(path.relative_to(tmp_path)), path.read_bytes()) for path in files]
    zipped = installed(a_store, zip_of(tmp_path / "net.zip", members))
    assert zipped.converted_from == sha256_of(folder / "fold_0" / "checkpoint_final.pth")
    assert fingerprint(tmp_path / "Dataset999_Phantom") == before


def test_two_results_in_one_folder_are_refused(tmp_path, a_store):
    result_folder(tmp_path / "both" / RESULT)
    shutil.copytree(tmp_path / "both" / RESULT, tmp_path / "both" / "nnUNetTrainer__other__3d")
    refused(a_store, tmp_path / "both", "holds 2 results of nnU-Net")


def test_json_with_a_doubled_key_is_refused(tmp_path, a_store):
    folder = result_folder(tmp_path / "result")
    text = json.dumps(plans())
    (folder / "plans.json").write_text(text[:-1] + ', "plans_name": "x"}', encoding="utf-8")
    refused(a_store, folder, "occurs twice")


def test_a_trainer_of_somebody_elses_is_taken_with_a_word_of_warning():
    def notes(trainer):
        read = Checkpoints([{}], "3d_fullres", trainer, (), ("fold_0",), "0" * 64, False)
        return " ".join(card_of(plans(), dataset(), read, "the folder").notes)

    assert "none of nnU-Net's own" in notes("nnUNetTrainerOfMine")
    for own in ("nnUNetTrainer", "nnUNetTrainer_250epochs_NoMirroring", "nnUNetTrainerDA5"):
        assert "none of nnU-Net's own" not in notes(own)
