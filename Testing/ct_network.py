"""A small real network of abdominal organs, trained by the tests on one real CT in seconds.

`ct_network_folder(folder, data)` writes a folder as `networks install` takes it: a card and
safetensors of the architecture ``space-to-depth-unet``, which needs no MONAI. The panel's tests put
it where installed networks lie, once per session, from a fixture of session scope::

    ct_network_folder(home / "networks" / "ct-organs", the_data)

and then choose "Abdominal organs, CT" for ``ct-torso-3mm/ct_small.nii.gz`` (one patch) or
``ct.nii.gz`` (six patches, of other heights of the body). Within a session it is trained
once and copied after that; the same torch on the same machine gives the same weights. It knows the
patient it was trained on by heart: a high Dice there proves the path, not the network.
"""

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional
from torch.optim.lr_scheduler import OneCycleLR

from SegmentationAILib.core.files import read_labelmap, read_volume
from SegmentationAILib.core.intensity import IntensityRule
from SegmentationAILib.core.preprocess import InputRules, prepare
from SegmentationAILib.learn.orthogonal_momentum import OrthogonalMomentum, split_parameters
from SegmentationAILib.networks.architectures.space_to_depth_unet import (
    SpaceToDepthUNet,
    space_to_depth,
)

TITLE = "Abdominal organs, CT"
# Value in the labels of ct-torso-3mm, name, SNOMED CT code and meaning, color.
ORGANS = (
    (1, "Spleen", "78961009", "Spleen", (157, 108, 162)),
    (2, "Right kidney", "9846003", "Right kidney", (185, 102, 83)),
    (3, "Left kidney", "18639004", "Left kidney", (205, 132, 103)),
    (5, "Liver", "10200004", "Liver", (221, 130, 101)),
    (6, "Stomach", "69695003", "Stomach", (216, 132, 105)),
    (20, "Colon", "71854001", "Colon", (255, 204, 153)),
    (52, "Aorta", "15825003", "Aorta", (224, 97, 76)),
)
WIDTHS = (16, 32, 64)
PATCH = (128, 104, 32)
LOW_HU, HIGH_HU = -160.0, 240.0
STEPS = 100
KERNEL_RATE, RATE = 0.1, 2e-2


def ct_network_folder(folder: Path, data: Path, **changes: Any) -> Path:
    """Write card and weights into ``folder``; ``changes`` replace parts of the card.

    Args:
        folder: Is made; its name becomes the network's ID.
        data: The folder with ``ct-torso-3mm``.
        changes: Parts of the card.
    """
    folder.mkdir(parents=True)
    weights = _trained(data / "ct-torso-3mm")
    (folder / "weights.safetensors").write_bytes(weights)
    card = {**_card(folder.name, hashlib.sha256(weights).hexdigest()), **changes}
    (folder / "card.json").write_text(json.dumps(card))
    return folder


@functools.cache
def _trained(scan: Path) -> bytes:
    """Return the weights as safetensors after `STEPS` steps, each over the whole small scan."""
    threads = torch.get_num_threads()
    # The order of sums, and with it the last bits, depends on the number of threads.
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = SpaceToDepthUNet(1, 1 + len(ORGANS), WIDTHS)
            _fit(network, *_patch_and_labels(scan))
    finally:
        torch.set_num_threads(threads)
    return save(network.state_dict())


def _patch_and_labels(scan: Path) -> tuple[Tensor, Tensor]:
    """Return what the network sees, ``(1, 1, X, Y, Z)``, and the channel of each voxel."""
    rule = IntensityRule("clip", LOW_HU, HIGH_HU)
    rules = InputRules("RAS", (3.0, 3.0, 3.0), rule, ("ct",), size=PATCH, modality="CT")
    seen = prepare(read_volume(scan / "ct_small.nii.gz"), rules).array
    truth = read_labelmap(scan / "ct_small_labels.nii.gz").layers[0]
    channels = np.zeros(PATCH, np.int64)
    starts = [(side - length) // 2 for side, length in zip(PATCH, truth.shape, strict=True)]
    inside = tuple(slice(a, a + n) for a, n in zip(starts, truth.shape, strict=True))
    for channel, (value, *_) in enumerate(ORGANS, start=1):
        channels[inside][truth == value] = channel
    return torch.from_numpy(seen)[None], torch.from_numpy(channels)[None]


def _fit(network: SpaceToDepthUNet, patch: Tensor, channels: Tensor) -> None:
    """Train the U-Net on half the resolution; its branch for detail stays the nothing it is."""
    truth = space_to_depth(channels[None])
    # Small organs count as much as the liver and more than air.
    weights = torch.bincount(channels.flatten(), minlength=network.out_channels).rsqrt()
    kernels, others = split_parameters(network, (network.stem, network.head, network.detail_head))
    optimizers = [
        OrthogonalMomentum(kernels, lr=KERNEL_RATE, momentum=0.9),
        torch.optim.AdamW(others, lr=RATE, betas=(0.9, 0.99)),
    ]
    schedules = [
        OneCycleLR(one, rate, total_steps=STEPS, pct_start=0.15, cycle_momentum=False)
        for one, rate in zip(optimizers, (KERNEL_RATE, RATE), strict=True)
    ]
    for _ in range(STEPS):
        network.zero_grad()
        logits = network.folded_logits(patch).unflatten(1, (network.out_channels, 8))
        _loss(logits, truth, weights).backward()
        for one in (*optimizers, *schedules):
            one.step()


def _loss(logits: Tensor, channels: Tensor, weights: Tensor) -> Tensor:
    """Return weighted cross-entropy and one minus the mean soft Dice of the organs."""
    hot = functional.one_hot(channels.flatten(1), len(weights)).movedim(-1, 1).float()
    probabilities = logits.flatten(2).softmax(dim=1)
    overlap = (probabilities * hot).sum(dim=(0, 2))
    dice = 2 * overlap / (probabilities + hot).sum(dim=(0, 2))
    return functional.cross_entropy(logits, channels, weight=weights) + 1 - dice[1:].mean()


def _card(network_id: str, sha256: str) -> dict[str, Any]:
    return {
        "id": network_id,
        "title": TITLE,
        "task": "Spleen, kidneys, liver, stomach, colon and aorta, learned from one patient.",
        "modality": "CT",
        "labels": [_label_row(*organ) for organ in ORGANS],
        "spacing_mm": [3.0, 3.0, 3.0],
        "orientation": "RAS",
        "size": None,
        "divisible_by": 2 ** len(WIDTHS),
        "intensity": {"rule": "clip", "low": LOW_HU, "high": HIGH_HU},
        "channels": [{"role": "ct", "title": "CT"}],
        "patch_size": list(PATCH),
        "overlap": 0.5,
        "output": "softmax",
        "license": {"id": "Apache-2.0", "text": "Made by the tests.", "use": "free"},
        "source": "https://example.org",
        "paper": "",
        "gates": [],
        "limits": ["Learned from one patient by heart: shows the way, finds nothing."],
        "notes": [],
        "sha256": sha256,
        "architecture": {
            "name": "space-to-depth-unet",
            "parameters": {
                "in_channels": 1, "out_channels": 1 + len(ORGANS), "widths": list(WIDTHS),
            },
        },
    }  # fmt: skip


def _label_row(
    value: int, name: str, code: str, meaning: str, color: tuple[int, int, int]
) -> dict[str, Any]:
    category = {"scheme": "SCT", "value": "123037004", "meaning": "Anatomical Structure"}
    kind = {"scheme": "SCT", "value": code, "meaning": meaning}
    terminology = {"category": category, "type": kind}
    return {"value": value, "name": name, "color": list(color), "terminology": terminology}
