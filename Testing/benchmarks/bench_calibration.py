"""Do the probabilities mean what they say, and does a low score tell which case is bad?

Three networks of one kind are trained, so many steps each, on 60 hippocampus cases and asked
about 40 others, which no network saw: alone, on mirrored copies, with dropout, together. For each
way: the mean Dice, the expected calibration error of the chosen label (over the voxels that are
in either label), Spearman's rank correlation of expected Dice and Dice over the cases, and how many
of the ten worst cases are among the ten of the lowest expected Dice (by chance two or three).
"""

import argparse
import os
import random
from pathlib import Path

import numpy as np
import torch
from monai.losses.dice import DiceCELoss
from numpy.typing import NDArray
from scipy.stats import spearmanr

from SegmentationAILib.core.calibration import expected_calibration_error
from SegmentationAILib.core.expected_dice import ExpectedDice
from SegmentationAILib.core.files import read_labelmap, read_volume
from SegmentationAILib.core.flips import FlipAverage
from SegmentationAILib.core.mean_logits import probabilities
from SegmentationAILib.core.patches import LogitsSlab
from SegmentationAILib.core.window_logits import Network
from SegmentationAILib.networks.dropout_samples import DropoutSamples, switch_dropout_on
from SegmentationAILib.networks.ensemble import Ensemble
from SegmentationAILib.networks.registry import build
from SegmentationAILib.networks.run_torch import TorchNetwork

SHARED = Path(
    os.environ.get("SEGMENTATIONAI_SHARED", Path(__file__).resolve().parents[2].parent / "shared")
)
DATA = SHARED / "data" / "hippocampus"
SHAPE = (40, 56, 40)
SETTINGS = {
    "in_channels": 1, "out_channels": 3, "channels": (8, 16, 32, 64), "strides": (2, 2, 2),
    "dropout": 0.2,
}  # fmt: skip
TRAINED, ASKED, BATCH, SAMPLES, MEMBERS, STEPS = 60, 40, 2, 6, 3, 250
WORST = 10
THREADS = 2
# Left and right hippocampi are both among the cases; front and back never change places.
MIRROR = (0,)

Case = tuple[NDArray[np.float32], NDArray[np.uint8]]


def cases(count: int, skip: int = 0) -> list[Case]:
    """Return intensities (mean 0, deviation 1) and labels, the order shuffled by seed 0."""
    names = sorted(path.name for path in (DATA / "imagesTr").glob("*.nii.gz"))
    random.Random(0).shuffle(names)
    found = []
    for name in names[skip : skip + count]:
        volume = read_volume(DATA / "imagesTr" / name).voxels[0].astype(np.float32)
        labels = np.asarray(read_labelmap(DATA / "labelsTr" / name).layers[0])
        found.append((_fitted((volume - volume.mean()) / volume.std()), _fitted(labels)))
    return found


def trained(train: list[Case], steps: int, seed: int) -> torch.nn.Module:
    """Return a network trained for so many steps, flips and noise included."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = build("unet", SETTINGS)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-4)
    loss_of = DiceCELoss(to_onehot_y=True, softmax=True, include_background=False)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * (1.0 - step / steps) ** 0.9
        chosen = [train[n] for n in rng.choice(len(train), BATCH, replace=False)]
        patch, truth = (
            torch.from_numpy(np.stack(part)[:, None]) for part in zip(*chosen, strict=True)
        )
        if rng.random() < 0.5:
            patch, truth = patch.flip(2), truth.flip(2)
        patch = patch * rng.uniform(0.8, 1.2) + 0.1 * torch.randn(patch.shape)
        loss = loss_of(network(patch), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def judged(network: Network, asked: list[Case]) -> tuple[float, float, float, int]:
    """Return mean Dice, calibration error, rank correlation, and worst cases that were told."""
    dice, expected, confidence, right = [], [], [], []
    for volume, truth in asked:
        logits = network(volume[None, None])
        found = logits[0].argmax(axis=0)
        score = ExpectedDice(3)
        score.add(LogitsSlab(0, 0, SHAPE[0], logits[0]))
        expected.append(np.mean([value or 0.0 for value in score.scores()]))
        dice.append(np.mean([_dice(found == value, truth == value) for value in (1, 2)]))
        near = (found > 0) | (truth > 0)
        confidence.append(probabilities(logits, "softmax")[0].max(axis=0)[near])
        right.append((found == truth)[near])
    error = expected_calibration_error(np.concatenate(confidence), np.concatenate(right))
    told = set(np.argsort(expected)[:WORST]) & set(np.argsort(dice)[:WORST])
    return float(np.mean(dice)), error, float(spearmanr(expected, dice).statistic), len(told)


def main() -> None:
    """Train, ask, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, help="training of each network")
    steps = parser.parse_args().steps
    torch.set_num_threads(THREADS)
    train, asked = cases(TRAINED), cases(ASKED, skip=TRAINED)
    modules = [trained(train, steps, seed) for seed in range(MEMBERS)]
    plain = [TorchNetwork(module, 3) for module in modules]
    ways: dict[str, Network] = {
        "one network": plain[0],
        "mirrored copies (2)": FlipAverage(plain[0], MIRROR, "softmax"),
        f"ensemble ({MEMBERS})": Ensemble(plain, "softmax"),
        f"ensemble ({MEMBERS}), mirrored": FlipAverage(
            Ensemble(plain, "softmax"), MIRROR, "softmax"
        ),
    }
    rows = [(name, *judged(network, asked)) for name, network in ways.items()]
    switch_dropout_on(modules[0], "unet")
    rows.append(
        (
            f"dropout samples ({SAMPLES})",
            *judged(DropoutSamples(plain[0], SAMPLES, "softmax"), asked),
        )
    )
    print(
        f"### Uncertainty on hippocampus\n\n{MEMBERS} U-Nets, {steps} steps of {BATCH} crops each "
        f"on {TRAINED} cases; {ASKED} other cases.\n"
    )
    print(
        "| probabilities of | mean Dice | calibration error | rank correlation with Dice "
        f"| of the {WORST} worst cases, told |\n|---|---|---|---|---|"
    )
    for name, dice, error, correlation, told in rows:
        print(f"| {name} | {dice:.3f} | {error:.3f} | {correlation:.2f} | {told} |")


def _fitted(array: NDArray) -> NDArray:
    """Cut or repeat the edges about the middle, to `SHAPE`."""
    for axis, side in enumerate(SHAPE):
        first = (array.shape[axis] - side) // 2
        wanted = np.clip(np.arange(first, first + side), 0, array.shape[axis] - 1)
        array = np.take(array, wanted, axis)
    return np.ascontiguousarray(array)


def _dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return 2.0 * (found & truth).sum() / max(1, found.sum() + truth.sum())


if __name__ == "__main__":
    main()
