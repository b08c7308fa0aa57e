"""P3: what a 512 x 512 x 800 scan with 118 classes needs beside its input.

A stand-in answers every patch with the same smooth logits, which it holds once (they count as
the network's memory). It checks nothing about accuracy: what is measured is the memory from the
prepared array to the labels on the source grid. No peer holds this on a workstation: whole logits
of 118 classes on the 1.5 mm grid alone are 15 GiB in single precision.
"""

import numpy as np
from bench_restore import blobs
from measure import Measurement, measure

from SegmentationAILib.core.axis_map import AxisPlan, axis_map
from SegmentationAILib.core.patches import SumType, logits_slabs
from SegmentationAILib.core.restore import restore_labels
from SegmentationAILib.core.slab_memory import sliding_bytes
from SegmentationAILib.core.windows import plan_windows

SOURCE, NETWORK, PATCH, CLASSES = (512, 512, 800), (256, 256, 533), (128, 128, 128), 118
HALF = "sums in half precision"
HALF_TYPE: SumType = "float16"


class BlobNetwork:
    """Answers with fixed smooth logits; holds one patch of them."""

    def __init__(self) -> None:
        few = blobs().numpy()
        self.logits = np.empty((1, CLASSES, *PATCH), np.float32)
        for channel in range(CLASSES):
            np.subtract(few[channel % len(few)], channel // len(few), out=self.logits[0, channel])

    def __call__(self, patch: np.ndarray, /) -> np.ndarray:
        return self.logits


def segment(sum_in: SumType) -> int:
    """Return how many labels were found; everything is made here, so that it is counted."""
    plans = [
        AxisPlan(
            axis, axis < 2, length=s, start=0, stop=s, covered=(0, s), scaled=n, offset=0, size=n
        )
        for axis, (s, n) in enumerate(zip(SOURCE, NETWORK, strict=True))
    ]
    array = np.ones((1, *NETWORK), np.float32)
    windows = plan_windows(NETWORK, PATCH, 0.5)
    slabs = logits_slabs(array, BlobNetwork(), windows, sum_in=sum_in)
    labels = restore_labels(slabs, axis_map((plans[0], plans[1], plans[2])), range(CLASSES))
    return len(np.unique(labels[::8, ::8, ::8]))


def run() -> list[Measurement]:
    """Return the peak memory in the precision that 4 GiB allow."""
    result = measure(
        "Memory of 118 classes on 512 x 512 x 800 (256 x 256 x 533 at 1.5 mm)",
        {HALF: lambda: segment(HALF_TYPE)},
        ours=HALF,
        peer=HALF,
        goal="P3: under 4 GiB extra, beside the input",
        rounds=1,
        warm_up=False,
    )
    windows = plan_windows(NETWORK, PATCH, 0.5)
    found = result.cases[HALF].extra_mib / 1024
    half, single = (sliding_bytes(windows, CLASSES, t) / 2**30 for t in (HALF_TYPE, "float32"))
    verdict = "holds" if found < 4 else "does not hold"
    result.remarks += [
        f"- {found:.2f} GiB at the peak ({verdict}), of which the slab and patches {half:.2f}.",
        f"- Sums in single precision, which are taken where they fit, need {single:.2f} for these.",
        "- No peer was run: whole logits on the network's grid alone are 15 GiB.",
    ]
    return [result]


if __name__ == "__main__":
    for measurement in run():
        print(measurement.markdown())
