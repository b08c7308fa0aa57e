"""Training a network on two hippocampus crops until it knows them by heart.

A network that cannot do so has a fault in how it moves voxels: a wrong stride, crossed axes, a
skip connection to the wrong level.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from SegmentationAILib.core.files import read_labelmap, read_volume
from SegmentationAILib.networks.trainable import InferenceForm, TrainableNetwork, TrainingForm

CASES = ("hippocampus_001", "hippocampus_003")
LABELS = (1, 2)
EVALUATE_EVERY = 10
# Both structures lie within it, with two voxels to spare.
LEAST_CROP = (24, 44, 28)


def crop_shape(network: TrainableNetwork) -> tuple[int, int, int]:
    """Return the smallest crop around both structures that the network takes."""
    divisors = (*network.divisors, 1)[:3]
    x, y, z = (-(-side // n) * n for side, n in zip(LEAST_CROP, divisors, strict=True))
    return x, y, z


def two_crops(data: Path, shape: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """Return intensities ``(2, 1, X, Y, Z)`` with mean 0 and deviation 1, and labels.

    The crop lies about the structure; where the scan is smaller, its edge is repeated.
    """
    patches, labels = [], []
    for case in CASES:
        volume = read_volume(data / "hippocampus" / "imagesTr" / f"{case}.nii.gz").voxels[0]
        found = read_labelmap(data / "hippocampus" / "labelsTr" / f"{case}.nii.gz").layers[0]
        patch, label = (_crop(array, found, shape) for array in (volume, found))
        patch = patch.astype(np.float32)
        patches.append((patch - patch.mean()) / patch.std())
        labels.append(label.astype(np.int64))
    return torch.from_numpy(np.stack(patches)[:, None]), torch.from_numpy(np.stack(labels))


def _crop(array: Any, labels: Any, shape: tuple[int, int, int]) -> Any:
    box = np.argwhere(labels > 0)
    starts = (box.min(axis=0) + box.max(axis=0) + 1) // 2 - np.array(shape) // 2
    for axis, (start, side) in enumerate(zip(starts, shape, strict=True)):
        wanted = np.clip(np.arange(start, start + side), 0, array.shape[axis] - 1)
        array = np.take(array, wanted, axis)
    return array


def overfit(
    network: TrainableNetwork,
    crops: tuple[Tensor, Tensor],
    *,
    steps: int,
    rate: float = 3e-3,
    enough: float = 0.95,
    seed: int = 0,
) -> tuple[float, int]:
    """Return the mean Dice of both labels that is reached, and after how many steps."""
    torch.manual_seed(seed)
    volumes, labels = crops
    patches, truth = volumes, labels
    if len(network.divisors) == 2:
        patches = volumes.permute(0, 4, 1, 2, 3).flatten(0, 1)
        truth = labels.permute(0, 3, 1, 2).flatten(0, 1)
    form, answer = TrainingForm(network), InferenceForm(network)
    optimizer = torch.optim.AdamW(form.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    best = 0.0
    for step in range(1, steps + 1):
        form.train()
        optimizer.zero_grad()
        losses = [_loss(logits, truth) for logits in form(patches)]
        sum(loss / 2**level for level, loss in enumerate(losses)).backward()
        optimizer.step()
        schedule.step()
        if step % EVALUATE_EVERY == 0:
            best = max(best, mean_dice(answer, volumes, labels))
            if best >= enough:
                break
    return best, step


@torch.no_grad()
def mean_dice(answer: nn.Module, volumes: Tensor, labels: Tensor) -> float:
    """Return the mean Dice of each label in each crop."""
    found = answer.eval()(volumes).argmax(1)
    scores = [
        2.0
        * ((one == value) & (true == value)).sum()
        / ((one == value).sum() + (true == value).sum())
        for one, true in zip(found, labels, strict=True)
        for value in LABELS
    ]
    return float(torch.stack(scores).mean())


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return cross-entropy and Dice loss, on the grid of the logits."""
    hot = functional.one_hot(labels, logits.shape[1]).movedim(-1, 1).float()
    if hot.shape[2:] != logits.shape[2:]:
        pool = functional.avg_pool3d if hot.ndim == 5 else functional.avg_pool2d
        steps = [a // b for a, b in zip(hot.shape[2:], logits.shape[2:], strict=True)]
        hot = pool(hot, steps)
    axes = [0, *range(2, hot.ndim)]
    probabilities = logits.softmax(dim=1)
    overlap = (probabilities * hot).sum(dim=axes)
    dice = 1 - 2 * overlap / (probabilities.sum(dim=axes) + hot.sum(dim=axes)).clamp(min=1)
    return functional.cross_entropy(logits, hot) + dice[1:].mean()
