"""Bundles written by MONAI itself, and the labels of MONAI's own run of them."""

import copy
import json

import nibabel
import numpy as np
import torch
from monai.bundle import ConfigParser, init_bundle
from monai.data import decollate_batch, list_data_collate

from SegmentationAILib.core.volume import Volume

from phantoms import grid_around

NETWORK = {
    "_target_": "UNet",
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": 3,
    "channels": [4, 8],
    "strides": [2],
    "num_res_units": 1,
    "norm": "batch",
}
BEFORE = [
    {"_target_": "LoadImaged", "keys": "@image_key"},
    {"_target_": "EnsureChannelFirstd", "keys": "@image_key"},
    {"_target_": "Orientationd", "keys": "@image_key", "axcodes": "RAS"},
    {"_target_": "Spacingd", "keys": "@image_key", "pixdim": [1.5, 1.1, 2.0], "mode": "bilinear"},
    {
        "_target_": "ScaleIntensityRanged", "keys": "@image_key",
        "a_min": -57, "a_max": 164, "b_min": 0, "b_max": 1, "clip": True,
    },
    {"_target_": "EnsureTyped", "keys": "@image_key"},
]  # fmt: skip
INVERT = {
    "_target_": "Invertd", "keys": "pred", "transform": "@preprocessing",
    "orig_keys": "@image_key", "nearest_interp": False, "to_tensor": True,
}  # fmt: skip
AFTER = [
    {"_target_": "Activationsd", "keys": "pred", "softmax": True},
    INVERT,
    {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
]
WINDOWS = {
    "_target_": "SlidingWindowInferer",
    "roi_size": [16, 20, 12],
    "sw_batch_size": 4,
    "overlap": 0.5,
}


def configuration(before=BEFORE, after=AFTER, inferer=WINDOWS, network=NETWORK):
    """Return a configuration like those of MONAI's own bundles."""
    return {
        "imports": ["$import glob", "$import os"],
        "bundle_root": ".",
        "image_key": "image",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "network_def": copy.deepcopy(network),
        "network": "$@network_def.to(@device)",
        "preprocessing": {"_target_": "Compose", "transforms": copy.deepcopy(before)},
        "inferer": dict(inferer),
        "postprocessing": {"_target_": "Compose", "transforms": copy.deepcopy(after)},
        "evaluator": {
            "_target_": "SupervisedEvaluator", "device": "@device", "network": "@network",
            "inferer": "@inferer", "postprocessing": "@postprocessing", "amp": True,
        },
        "checkpointloader": {
            "_target_": "CheckpointLoader",
            "load_path": "$@bundle_root + '/models/model.pt'",
            "load_dict": {"model": "@network"},
        },
        "initialize": ["$monai.utils.set_determinism(seed=123)"],
        "run": ["$@evaluator.run()"],
    }  # fmt: skip


def metadata(channels=("image",), classes=("background", "liver", "spleen")):
    """Return a description of the channels, as MONAI's schema wants it."""

    def format_of(names):
        return {
            "num_channels": len(names), "modality": "CT",
            "channel_def": {str(n): name for n, name in enumerate(names)},
        }  # fmt: skip

    return {
        "version": "0.1.0", "name": "Two organs", "task": "Two organs in CT",
        "network_data_format": {
            "inputs": {"image": format_of(channels)}, "outputs": {"pred": format_of(classes)},
        },
    }  # fmt: skip


def bundle(folder, config, described=None, seed=3):
    """Write a bundle by MONAI's ``init_bundle``, with a network of large random weights."""
    torch.manual_seed(seed)
    parser = ConfigParser({"network_def": config["network_def"]})
    network = parser.get_parsed_content("network_def")
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.mul_(1.5).add_(0.05)
    weights = folder.parent / "weights.pt"
    torch.save(network.state_dict(), weights)
    init_bundle(
        bundle_dir=str(folder),
        ckpt_file=str(weights),
        metadata_str=metadata() if described is None else described,
        inference_str=config,
    )
    return folder


def a_scan(shape=(31, 37, 17), spacing=(0.9, 0.8, 3.1), channels=1, low=-120, high=260):
    """Return organs of different brightness and a little noise on an oblique anisotropic grid."""
    grid = grid_around((4.0, -9.0, 20.0), shape, spacing=spacing)
    i, j, k = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    rng = np.random.default_rng(8)
    voxels = []
    for number in range(channels):
        waves = np.sin(5 * i + number) + np.cos(4 * j - 2 * k) + np.exp(-4 * (i**2 + j**2 + k**2))
        smooth = low + (high - low) * (waves + 2) / 5
        voxels.append(smooth + rng.normal(0, 6, shape))
    return Volume(np.asarray(voxels, np.float32), grid.affine)


def saved(volume, folder):
    """Write each channel as NIfTI and return their paths, one alone as itself."""
    paths = []
    for number, channel in enumerate(volume.voxels):
        path = folder / f"channel_{number}.nii.gz"
        nibabel.save(nibabel.Nifti1Image(channel, volume.affine), path)
        paths.append(str(path))
    return paths[0] if len(paths) == 1 else paths


def run_of_monai(folder, scan):
    """Return the labels ``(C, I, J, K)`` of MONAI's run of a bundle, and the margin of each voxel.

    The margin is how far the winner is ahead of the next (for a threshold: how far from it).
    """
    parser = ConfigParser()
    parser.read_config(str(folder / "configs" / "inference.json"))
    config = json.loads((folder / "configs" / "inference.json").read_text())
    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(folder / "models" / "model.pt", weights_only=True))
    item = parser.get_parsed_content("preprocessing")({"image": scan})
    batch = list_data_collate([item])
    with torch.no_grad():
        batch["pred"] = parser.get_parsed_content("inferer")(batch["image"], network)
    item = decollate_batch(batch)[0]
    scores = None
    for step, written in zip(
        parser.get_parsed_content("postprocessing").transforms,
        config["postprocessing"]["transforms"],
        strict=True,
    ):
        if written["_target_"] == "AsDiscreted":
            scores = item["pred"].detach().numpy()
        item = step(item)
    labels = item["pred"].detach().numpy().astype(int)
    ordered = np.sort(scores, axis=0)
    has_threshold = scores.shape == labels.shape
    margin = np.abs(scores - 0.5) if has_threshold else ordered[-1] - ordered[-2]
    return labels, margin
