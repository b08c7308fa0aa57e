"""P7: how many network calls a real head needs, at equal Dice.

The gray and white matter MeshNet, run patch by patch on the T1 scan beside the repository. It was
made to see the whole head at once, and that is the reference: patches of 96 voxels see less around
them, so the Dice of every way says what its windows cost, and their difference is what counts.
"""

import os
from pathlib import Path

import numpy as np
import torch
from measure import Measurement, measure
from monai.inferers import SlidingWindowInferer

from SegmentationAILib.core.body import body_box
from SegmentationAILib.core.boundary import winning_channels
from SegmentationAILib.core.empty_windows import EmptyWindows
from SegmentationAILib.core.files import read_volume
from SegmentationAILib.core.histogram import histogram_of
from SegmentationAILib.core.patches import logits_slabs
from SegmentationAILib.core.preprocess import prepare
from SegmentationAILib.core.windows import plan_windows
from SegmentationAILib.networks.catalog import catalog
from SegmentationAILib.networks.expected_shapes import built_network
from SegmentationAILib.networks.segmenter import recipe_of
from SegmentationAILib.networks.weights import read_weights

SHARED = Path(os.environ.get("SEGMENTATIONAI_SHARED", Path(__file__).parents[3] / "shared"))
PATCH = (96, 96, 96)
HALF, QUARTER = "body and content only, overlap 0.5", "body and content only, overlap 0.25"
PEER = "MONAI gaussian, overlap 0.5"


class Counting(torch.nn.Module):
    """A network that counts the patches it is given."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network
        self.calls = 0

    def forward(self, patch: torch.Tensor) -> torch.Tensor:
        self.calls += len(patch)
        return self.network(patch)


def run() -> list[Measurement]:
    """Return calls and Dice of MONAI and of two overlaps of ours."""
    torch.set_grad_enabled(False)
    card = catalog().by_id("model5_gw_ae")
    network = built_network(card, read_weights(SHARED / "weights" / "model5_gw_ae" / "model.pth"))
    volume = read_volume(SHARED / "data" / "brain-t1" / "t1.nii.gz")
    prepared = prepare(volume, recipe_of(card).rules)
    array = prepared.array
    reference = network(torch.from_numpy(array)[None])[0].argmax(0).to(torch.uint8).numpy()
    calls: dict[str, int] = {}

    def monai() -> np.ndarray:
        counting = Counting(network)
        infer = SlidingWindowInferer(PATCH, overlap=0.5, mode="gaussian", progress=False)
        labels = infer(torch.from_numpy(array)[None], counting)[0].argmax(0)
        calls[PEER] = counting.calls
        return labels.to(torch.uint8).numpy()

    def ours(name: str, overlap: float) -> np.ndarray:
        counting = Counting(network)
        box = body_box(array[0], histogram_of(array[0], "volume"), (1.0, 1.0, 1.0))
        windows = plan_windows(box.shape, PATCH, overlap)
        slabs = logits_slabs(
            array[(slice(None), *box.slices)],
            lambda patch: counting(torch.from_numpy(patch)).numpy(),
            windows,
            empty=EmptyWindows(prepared.background),
            padding=prepared.background,
        )
        parts = [(slab.axis, winning_channels(slab.logits)) for slab in slabs]
        labels = np.zeros(array.shape[1:], np.uint8)
        labels[box.slices] = np.concatenate([part for _, part in parts], axis=parts[0][0])
        calls[name] = counting.calls
        return labels

    result = measure(
        "Network calls on a head of 256^3 with patches of 96^3",
        {QUARTER: lambda: ours(QUARTER, 0.25), HALF: lambda: ours(HALF, 0.5), PEER: monai},
        ours=QUARTER,
        peer=PEER,
        goal="P7: at least 2x fewer calls than MONAI at overlap 0.5, Dice equal to 0.001",
        rounds=1,
        warm_up=False,
    )
    for name, count in calls.items():
        labels = result.cases[name].output
        scores = ", ".join(f"{dice(reference, labels, value):.4f}" for value in (1, 2))
        against = ", ".join(
            f"{dice(result.cases[PEER].output, labels, value):.4f}" for value in (1, 2)
        )
        result.remarks.append(
            f"- {name}: {count} calls, {calls[PEER] / count:.1f}x fewer than MONAI; Dice of white "
            f"and gray matter {scores} against the whole head at once, {against} against MONAI."
        )
    return [result]


def dice(reference: np.ndarray, labels: np.ndarray, value: int) -> float:
    """Return twice the overlap over the sum of the two sizes."""
    a, b = reference == value, labels == value
    return float(2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)))


if __name__ == "__main__":
    for measurement in run():
        print(measurement.markdown())
