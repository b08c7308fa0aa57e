"""A real, tiny network whose answer is known: bright voxels are the sphere.

A MeshNet with one hidden layer: the first hidden channel is how far a voxel lies above 0.5, the
second how far below. It is installed as any network is, from a folder with a card and weights.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

LABELS = [
    {"value": 7, "name": "Sphere", "color": [200, 100, 50]},
    {"value": 300, "name": "Never", "color": [0, 0, 255]},
]


def threshold_network_folder(folder: Path, **changes) -> Path:
    """Write card and weights into ``folder``; ``changes`` replace parts of the card."""
    folder.mkdir(parents=True)
    hidden = np.zeros((2, 1, 3, 3, 3), np.float32)
    hidden[:, 0, 1, 1, 1] = 1, -1
    output = np.zeros((3, 2, 1, 1, 1), np.float32)
    output[0, 1], output[1, 0] = 1, 1
    weights = {
        "model.0.weight": hidden,
        "model.0.bias": np.array([-0.5, 0.5], np.float32),
        "model.2.weight": output,
        "model.2.bias": np.array([0, 0, -9], np.float32),
    }
    path = folder / "weights.safetensors"
    save_file(weights, path)
    (folder / "card.json").write_text(json.dumps({**card(path), **changes}))
    return folder


def card(weights: Path) -> dict:
    parameters = {
        "in_channels": 1, "channels": 2, "out_channels": 3, "dilations": [1],
        "activation": "relu", "normalization": "none",
    }  # fmt: skip
    return {
        "id": "threshold",
        "title": "Bright things",
        "task": "Finds what is brighter than the middle.",
        "modality": "MR",
        "labels": LABELS,
        "spacing_mm": [1.5, 1.5, 1.5],
        "orientation": "LIA",
        "size": None,
        "intensity": {"rule": "minmax"},
        "channels": [{"role": "t1"}],
        "patch_size": [32, 32, 32],
        "overlap": 0.25,
        "output": "softmax",
        "license": {"id": "Apache-2.0", "text": "Made for tests.", "use": "free"},
        "source": "https://example.org",
        "paper": "",
        "gates": [],
        "limits": [],
        "notes": [],
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "architecture": {"name": "meshnet", "parameters": parameters},
    }
