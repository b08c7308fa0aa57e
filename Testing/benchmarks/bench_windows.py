"""P7: how many network calls a head needs, at equal Dice against labels that are known.

The shipped network over whole heads at 1 mm: a label map that its training never saw, drawn in four
contrasts, so that the truth is known voxel for voxel. Every way runs the very same network; they
differ in the windows alone. Ours is what its card says and the pipeline does: all of the body at
once. MONAI's patch is as large as the heads that the training drew.
"""

import os
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from measure import Measurement, measure
from monai.inferers import SlidingWindowInferer

from SegmentationAILib.core.body import body_box
from SegmentationAILib.core.boundary import winning_channels
from SegmentationAILib.core.empty_windows import EmptyWindows
from SegmentationAILib.core.histogram import histogram_of
from SegmentationAILib.core.patches import logits_slabs
from SegmentationAILib.core.windows import plan_windows
from SegmentationAILib.learn.brain_any_contrast import HELD_OUT, validation_volumes
from SegmentationAILib.learn.label_map_head import read_heads
from SegmentationAILib.networks.build import RunningNetwork, available_precisions, load_network
from SegmentationAILib.networks.catalog import catalog
from SegmentationAILib.networks.device import CPU
from SegmentationAILib.networks.precision import label_dice
from SegmentationAILib.networks.weights import read_weights
from SegmentationAILib.resources import resource

SHARED = Path(os.environ.get("SEGMENTATIONAI_SHARED", Path(__file__).parents[3] / "shared"))
SHAPE, PATCH, SPACING = (192, 224, 192), (160, 192, 160), (1.0, 1.0, 1.0)
SEED = 7
PEER = "MONAI gaussian, overlap 0.5"
OURS = "all of the body at once"


class Counting:
    """A network that counts the patches it is given."""

    def __init__(self, network: RunningNetwork) -> None:
        self.network, self.calls = network, 0

    def __call__(self, patch: np.ndarray, /) -> np.ndarray:
        self.calls += len(patch)
        return self.network(patch)


def run() -> list[Measurement]:
    """Return calls and Dice of MONAI and of ours."""
    card = catalog().by_id("brain-any-contrast")
    assert card is not None
    heads = read_heads([SHARED / "data" / "brain-label-maps" / HELD_OUT[0]])
    drawn = validation_volumes(heads, SEED, shape=SHAPE)
    volumes = [pair for contrast in drawn.values() for pair in contrast]
    precision = "bf16" if "bf16" in available_precisions(CPU) else "fp32"
    with tempfile.TemporaryDirectory() as home:
        os.environ["SEGMENTATIONAI_HOME"] = home
        network = load_network(card, read_weights(resource(card.file)), "cpu", precision)
        ways: dict[str, Callable[[], list[np.ndarray]]] = {}
        counters = {name: Counting(network) for name in (OURS, PEER)}
        ways[OURS] = partial(_all, partial(ours, counters[OURS], card.divisible_by), volumes)
        ways[PEER] = partial(_all, partial(monai, counters[PEER]), volumes)
        result = measure(
            f"Network calls on {len(volumes)} heads of {SHAPE} mm, MONAI in patches of {PATCH}",
            ways,
            ours=OURS,
            peer=PEER,
            goal="P7: at least 2x fewer calls than MONAI at overlap 0.5, Dice equal to 0.001",
            rounds=1,
            warm_up=False,
        )
    truths = [channels for _, channels in volumes]
    scores = {name: _mean_dice(truths, result.cases[name].output) for name in ways}
    for name, counter in counters.items():
        change = statistics.mean(scores[name]) - statistics.mean(scores[PEER])
        worst = min(a - b for a, b in zip(scores[name], scores[PEER], strict=True))
        result.remarks.append(
            f"- {name}: {counter.calls} calls, {counters[PEER].calls / counter.calls:.2f}x fewer "
            f"than MONAI; mean Dice against the true labels {statistics.mean(scores[name]):.4f} "
            f"({change:+.4f} of MONAI's, {worst:+.4f} on the worst head)."
        )
    result.remarks.append(f"- Mean over {card.out_channels - 1} structures; run in {precision}.")
    return [result]


def monai(network: Counting, array: np.ndarray) -> np.ndarray:
    """Return the winning channels as MONAI's users get them."""
    infer = SlidingWindowInferer(PATCH, overlap=0.5, mode="gaussian", progress=False)
    logits = infer(torch.from_numpy(array)[None], lambda p: torch.from_numpy(network(p.numpy())))
    return logits[0].argmax(0).to(torch.uint8).numpy()


def ours(network: Counting, multiple: int, array: np.ndarray) -> np.ndarray:
    """Return the winning channels within the body; what lies around it is background."""
    box = body_box(array[0], histogram_of(array[0], "volume"), SPACING)
    background = (float(array.min()),)
    whole = tuple(-(-side // multiple) * multiple for side in box.shape)
    slabs = logits_slabs(
        np.ascontiguousarray(array[(slice(None), *box.slices)]),
        network,
        plan_windows(box.shape, whole, 0.0),
        empty=EmptyWindows(background),
        padding=background,
    )
    parts = [(slab.axis, winning_channels(slab.logits)) for slab in slabs]
    labels = np.zeros(array.shape[1:], np.uint8)
    labels[box.slices] = np.concatenate([part for _, part in parts], axis=parts[0][0])
    return labels


def _all(
    way: Callable[[np.ndarray], np.ndarray], volumes: list[tuple[np.ndarray, np.ndarray]]
) -> list[np.ndarray]:
    return [way(array[None]) for array, _ in volumes]


def _mean_dice(truths: list[np.ndarray], found: list[np.ndarray]) -> list[float]:
    pairs = zip(truths, found, strict=True)
    return [float(np.mean(label_dice(truth, labels))) for truth, labels in pairs]


if __name__ == "__main__":
    for measurement in run():
        print(measurement.markdown())
