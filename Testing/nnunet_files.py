"""Result folders in the exact layout of nnU-Net v2, small and bendable, with torch alone."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch

from SegmentationAILib.networks.architectures.nnunet import NNUNet
from SegmentationAILib.networks.architectures.residual_encoder_unet import ResidualEncoderUNet

RESULT = "nnUNetTrainer__nnUNetPlans__3d_fullres"
FEATURES, KERNELS, STRIDES = [4, 6], [[1, 3, 3], [3, 3, 3]], [[1, 1, 1], [1, 2, 2]]
RESAMPLING = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}


def plans(**changes: Any) -> dict[str, Any]:
    """Plans of one configuration, ``3d_fullres``; changes go into it, or to the top by name."""
    configuration = {
        "data_identifier": "nnUNetPlans_3d_fullres",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": [10, 24, 16],
        "median_image_size_in_voxels": [20.0, 30.0, 30.0],
        "spacing": [2.5, 1.0, 1.25],
        "normalization_schemes": ["ZScoreNormalization"],
        "use_mask_for_norm": [False],
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_seg": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": RESAMPLING,
        "resampling_fn_seg_kwargs": {**RESAMPLING, "is_seg": True, "order": 1},
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": {**RESAMPLING, "order": 1},
        "architecture": {
            "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
            "arch_kwargs": {
                "n_stages": 2,
                "features_per_stage": FEATURES,
                "conv_op": "torch.nn.modules.conv.Conv3d",
                "kernel_sizes": KERNELS,
                "strides": STRIDES,
                "n_conv_per_stage": [2, 1],
                "n_conv_per_stage_decoder": [2],
                "conv_bias": True,
                "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
                "norm_op_kwargs": {"eps": 1e-05, "affine": True},
                "dropout_op": None,
                "dropout_op_kwargs": None,
                "nonlin": "torch.nn.LeakyReLU",
                "nonlin_kwargs": {"inplace": True},
            },
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
        "batch_dice": False,
    }
    top = {
        "dataset_name": "Dataset999_Phantom",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            "0": {"mean": 60.0, "std": 25.0, "percentile_00_5": -40.0, "percentile_99_5": 180.0}
        },
        "configurations": {"3d_fullres": configuration},
    }
    for name, value in changes.items():
        (configuration if name in configuration or name not in top else top)[name] = value
    return deepcopy(top)


def dataset(**changes: Any) -> dict[str, Any]:
    made = {
        "channel_names": {"0": "MRI"},
        "labels": {"background": 0, "Anterior": 1, "Posterior": 2},
        "numTraining": 2,
        "file_ending": ".nii.gz",
    }
    return {**made, **changes}


def tensors(seed: int = 0, channels: int = 1, classes: int = 3, kind: str = "plain") -> dict:
    """Random tensors by nnU-Net's names, each under all names that its modules give it."""
    torch.manual_seed(seed)
    make = NNUNet if kind == "plain" else ResidualEncoderUNet
    network = make(channels, classes, FEATURES, KERNELS, STRIDES, [2, 1], [2])
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.4)
    # Features of one mean and a head without a constant, so that every class wins somewhere.
    last = network.decoder.stages[-1].convs[-1].norm
    torch.nn.init.ones_(last.weight)
    torch.nn.init.zeros_(last.bias)
    head = network.decoder.seg_layers[-1]
    torch.nn.init.zeros_(head.bias)
    head.weight.data -= head.weight.data.mean(dim=1, keepdim=True)
    named: dict[str, torch.Tensor] = {}
    for name, tensor in network.state_dict().items():
        part, kept = name.rsplit(".", 2)[-2], tensor.clone()
        names = [name]
        if part in ("conv", "norm") and "seg_layers" not in name:
            number = {"conv": 0, "norm": 1}[part]
            names.append(name.replace(f".{part}.", f".all_modules.{number}."))
        names += [f"decoder.{one}" for one in names if one.startswith("encoder.")]
        named |= dict.fromkeys(names, kept)
    return named


def checkpoint(weights: dict, **changes: Any) -> dict[str, Any]:
    """Everything that nnU-Net's trainer saves, numpy's numbers and the device included."""
    made = {
        "network_weights": weights,
        "optimizer_state": {"state": {}, "param_groups": [{"lr": 0.01, "params": [0]}]},
        "grad_scaler_state": None,
        "logging": {"ema_fg_dice": [np.float64(0.5)], "train_losses": [np.float32(-0.2)]},
        "_best_ema": np.float64(0.5),
        "current_epoch": 3,
        "init_args": {
            "configuration": "3d_fullres",
            "fold": 0,
            "plans": plans(),
            "device": torch.device("cpu"),
        },
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1, 2),
    }
    return {**made, **changes}


def result_folder(
    folder: Path,
    the_plans: dict | None = None,
    the_dataset: dict | None = None,
    folds: dict[str, dict] | None = None,
) -> Path:
    """Write a result folder and return it."""
    folder.mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(the_plans or plans()), encoding="utf-8")
    (folder / "dataset.json").write_text(json.dumps(the_dataset or dataset()), encoding="utf-8")
    (folder / "dataset_fingerprint.json").write_text("{}", encoding="utf-8")
    for name, saved in (folds or {"fold_0": checkpoint(tensors())}).items():
        (folder / name).mkdir()
        torch.save(saved, folder / name / "checkpoint_final.pth")
    return folder
