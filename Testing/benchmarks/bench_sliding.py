"""P5: what a sliding window costs beyond its network.

A stand-in answers with a copy of fixed logits, so that the time above that copy is merging alone.
It checks nothing about accuracy; the tests and `bench_windows` do.
"""

import statistics
import types

import numpy as np
import torch
from measure import Measurement, measure
from monai.inferers import SlidingWindowInferer
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

from SegmentationAILib.core.boundary import winning_channels
from SegmentationAILib.core.patches import logits_slabs
from SegmentationAILib.core.windows import plan_windows

VOLUME, PATCH, CLASSES = (256, 256, 128), (96, 96, 96), 30
SECONDS_PER_WINDOW = 0.5
OURS, PEER = "SegmentationAI, one slab", "MONAI gaussian"
FORWARD, NNUNET = "the answers alone", "nnU-Net gaussian, float16"


class FixedAnswer(torch.nn.Module):
    """Answers every patch with a copy of the same logits."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = torch.randn(1, CLASSES, *PATCH, generator=torch.Generator().manual_seed(1))

    def forward(self, patch: torch.Tensor) -> torch.Tensor:
        return self.logits.clone()


def merging() -> Measurement:
    """Return the cost of merging 50 windows of 30 classes into labels on the network grid."""
    torch.set_grad_enabled(False)
    network = FixedAnswer()
    array = np.random.default_rng(0).normal(size=(1, *VOLUME)).astype(np.float32)
    tensor = torch.from_numpy(array)[None]
    windows = plan_windows(VOLUME, PATCH, 0.5)

    def forward() -> None:
        for _ in range(windows.count):
            network(tensor)

    def ours() -> np.ndarray:
        slabs = logits_slabs(array, lambda patch: network(torch.from_numpy(patch)).numpy(), windows)
        parts = [(slab.axis, winning_channels(slab.logits)) for slab in slabs]
        return np.concatenate([labels for _, labels in parts], axis=parts[0][0])

    monai = SlidingWindowInferer(PATCH, overlap=0.5, mode="gaussian", progress=False)
    nnunet = _nnunet(network)
    result = measure(
        f"Sliding window: merging {windows.count} windows of 30 x 96^3 over 256 x 256 x 128",
        {
            OURS: ours,
            PEER: lambda: monai(tensor, network).argmax(1).to(torch.uint8).numpy(),
            NNUNET: lambda: nnunet.predict_sliding_window_return_logits(tensor[0]).argmax(0),
            FORWARD: forward,
        },
        ours=OURS,
        peer=PEER,
        goal="P5: at most 5 % of a forward of 0.5 s per window; half of MONAI's merge and memory",
    )
    result.remarks += _merge_remarks(result, windows.count)
    return result


def _merge_remarks(result: Measurement, count: int) -> list[str]:
    answers = statistics.median(result.cases[FORWARD].wall_seconds)
    merge = {
        name: statistics.median(result.cases[name].wall_seconds) - answers
        for name in (OURS, PEER, NNUNET)
    }
    share = merge[OURS] / (count * SECONDS_PER_WINDOW)
    memory = result.cases[OURS].extra_mib / result.cases[PEER].extra_mib
    return [
        f"- Above the answers: ours {merge[OURS]:.2f} s, MONAI {merge[PEER]:.2f} s, nnU-Net "
        f"{merge[NNUNET]:.2f} s; ours is {merge[OURS] / merge[PEER]:.2f} of MONAI's.",
        f"- Ours is {100 * share:.1f} % of a forward of {SECONDS_PER_WINDOW} s per window "
        "(arg-max included).",
        f"- Extra memory: {memory:.2f} of MONAI's.",
    ]


def _nnunet(network: torch.nn.Module) -> nnUNetPredictor:
    predictor = nnUNetPredictor(
        tile_step_size=0.5,
        use_gaussian=True,
        use_mirroring=False,
        perform_everything_on_device=True,
        device=torch.device("cpu"),
        allow_tqdm=False,
    )
    predictor.network = network
    predictor.configuration_manager = types.SimpleNamespace(patch_size=list(PATCH))
    predictor.label_manager = types.SimpleNamespace(num_segmentation_heads=CLASSES)
    predictor.allowed_mirroring_axes = None
    return predictor


def run() -> list[Measurement]:
    """Return P5."""
    return [merging()]


if __name__ == "__main__":
    for measurement in run():
        print(measurement.markdown())
