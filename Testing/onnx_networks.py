"""ONNX networks that torch exports on the spot, and cards for them."""

import hashlib
import json
import warnings

import onnx
import torch
from network_files import tiny_card

from SegmentationAILib.networks.registry import build

SETTINGS = {"in_channels": 1, "out_channels": 3, "channels": (4, 8, 16), "strides": (2, 2)}


def module(dimensions=3, seed=5):
    """Return a U-Net of large random weights of which no class wins everywhere."""
    torch.manual_seed(seed)
    network = build("unet", {**SETTINGS, "spatial_dims": dimensions}).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.6)
    return network.requires_grad_(False)


def exported(network, path, shape=(1, 1, 16, 24, 12), is_any_size=True):
    """Write a module as ONNX and return the path."""
    axes = {2 + n: f"side{n}" for n in range(len(shape) - 2)} if is_any_size else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (torch.zeros(shape),), str(path), dynamo=False,
            input_names=["volume"], output_names=["logits"], dynamic_axes={"volume": axes},
        )  # fmt: skip
    return path


def card(path=None, **changes):
    """Return the card of a network of whole grids whose intensities stay as they are."""
    found = tiny_card(
        spacing_mm=None, orientation=None, patch_size=None, divisible_by=4, overlap=0.0,
        intensity={"rule": "none"}, architecture={"name": "onnx", "parameters": {}},
        sha256="0" * 64 if path is None else hashlib.sha256(path.read_bytes()).hexdigest(),
    )  # fmt: skip
    return {**found, **changes}


def with_card(path, **changes):
    """Put a card beside an ONNX file and return their folder."""
    (path.parent / "card.json").write_text(json.dumps(card(path, **changes)), encoding="utf-8")
    return path.parent


def with_card_inside(path, **changes):
    """Put a card into the metadata of an ONNX file and return the file."""
    found = onnx.load(path)
    text = json.dumps(card(**changes))
    onnx.helper.set_model_props(found, {"segmentationai.card": text})
    onnx.save(found, path)
    return path
