"""P2: logits of 30 classes on the network grid to labels on the source grid.

Every case takes the same logits ``(30, 128, 128, 128)`` float32 and makes labels of
256 x 256 x 128 voxels. The logits are smooth blobs of about 20 voxels, so that boundaries are as
frequent as those of organs.
"""

import numpy as np
import torch
from measure import Measurement, measure
from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg_to_shape
from totalsegmentator.resampling import resample_one_hot_crop

from SegmentationAILib.core.axis_map import AxisPlan, axis_map
from SegmentationAILib.core.patches import LogitsSlab
from SegmentationAILib.core.restore import restore_labels

CLASSES = 30
NETWORK = (128, 128, 128)
SOURCE = (128, 256, 256)
OURS, PEER = "SegmentationAI, boundary cells only", "nnU-Net default resampling, arg-max"


def blobs() -> torch.Tensor:
    """Smooth random logits with the background ahead."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, CLASSES, *[n // 20 for n in NETWORK], generator=generator) * 6
    logits = torch.nn.functional.interpolate(coarse, size=NETWORK, mode="trilinear")[0]
    logits[0] += 4
    return logits.contiguous()


def run() -> list[Measurement]:
    """Return the comparison with nnU-Net, TotalSegmentator and plain torch."""
    tensor = blobs()
    logits = tensor.numpy()
    plans = [
        AxisPlan(axis, False, length=s, start=0, stop=s, covered=(0, s), scaled=n, offset=0, size=n)
        for axis, (s, n) in enumerate(zip(SOURCE, NETWORK, strict=True))
    ]
    mapping = axis_map((plans[0], plans[1], plans[2]))

    def ours() -> np.ndarray:
        # In slabs of a 96^3 network at overlap 0.5, as they come out of the sliding window.
        slabs = (
            LogitsSlab(0, start, min(start + 48, 128), logits[:, start : start + 48])
            for start in range(0, 128, 48)
        )
        return restore_labels(slabs, mapping, range(CLASSES))

    def nnunet() -> np.ndarray:
        spacing = [n / s for n, s in zip(NETWORK, SOURCE, strict=True)]
        whole = resample_data_or_seg_to_shape(
            logits, SOURCE, [1.0] * 3, spacing, False, order=1, order_z=0
        )
        return np.asarray(whole).argmax(0).astype(np.uint8)

    def whole_torch() -> np.ndarray:
        whole = torch.nn.functional.interpolate(tensor[None], size=SOURCE, mode="trilinear")
        return whole[0].argmax(0).to(torch.uint8).numpy()

    def totalsegmentator() -> np.ndarray:
        labels = tensor.argmax(0).to(torch.uint8).numpy()
        return resample_one_hot_crop(labels, SOURCE, order=1, nr_cpus=2)

    result = measure(
        "Labels on the source grid: 30 classes, 128^3 to 256 x 256 x 128",
        {
            OURS: ours,
            PEER: nnunet,
            "torch trilinear, whole, arg-max": whole_torch,
            "TotalSegmentator one-hot (of labels)": totalsegmentator,
        },
        ours=OURS,
        peer=PEER,
        goal="P2: at least 25x nnU-Net's default, identical labels, at most 5 % of its memory",
    )
    reference = result.cases[PEER].output
    for name, case in result.cases.items():
        if case.output is not None:
            agreement = int((np.asarray(case.output) != reference).sum())
            result.remarks.append(f"- {name}: {agreement} of {reference.size} voxels differ.")
    share = result.cases[OURS].extra_mib / max(result.cases[PEER].extra_mib, 1)
    result.remarks.append(f"- Extra memory: {100 * share:.1f} % of nnU-Net's.")
    return [result]


if __name__ == "__main__":
    for measurement in run():
        print(measurement.markdown())
