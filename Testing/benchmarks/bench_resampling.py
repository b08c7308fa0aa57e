"""P4: cubic resampling against nnU-Net's default and others, at two sizes."""

from functools import partial

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk  # noqa: N813 - the name its own documentation uses
import torch
from measure import Measurement, measure
from monai.data import MetaTensor
from monai.transforms import Spacing
from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg_to_shape

from SegmentationAILib.core.resample import resample_to_shape

OURS, PEER = "three matrix products", "nnU-Net default (order 3)"
LINEAR, LINEAR_PEER = "ours, linear", "scipy zoom (order 1)"
Shape = tuple[int, int, int]


def run() -> list[Measurement]:
    """Measure both sizes, cubic and linear."""
    small = (256, 256, 128), (0.8, 0.8, 1.5), 1.0
    large = (512, 512, 200), (0.75, 0.75, 1.5), 1.5
    return [
        _cubic(*small, goal="P4: at least 25x, equal to 1e-5 standard deviations", rounds=5),
        _cubic(*large, goal="P4: at least 10x, equal to 1e-5 standard deviations", rounds=5),
        _linear(*small),
    ]


def _volume(shape: Shape, spacing: tuple[float, ...], target: float) -> tuple[np.ndarray, Shape]:
    voxels = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    i, j, k = (round(n * s / target) for n, s in zip(shape, spacing, strict=True))
    return ndi.gaussian_filter(voxels, 1.0) * np.float32(300), (i, j, k)


def _cubic(
    shape: Shape, spacing: tuple[float, ...], target: float, *, goal: str, rounds: int
) -> Measurement:
    voxels, wanted = _volume(shape, spacing, target)
    zoom = [n / o for n, o in zip(wanted, shape, strict=True)]
    cases = {
        OURS: lambda: resample_to_shape(voxels[None], wanted, 3)[0],
        PEER: lambda: resample_data_or_seg_to_shape(
            voxels[None], wanted, spacing, [target] * 3, False, 3, 0, False
        )[0],
        "scipy zoom (TotalSegmentator)": lambda: ndi.zoom(voxels, zoom, order=3, mode="nearest"),
        "SimpleITK B-spline": partial(_by_simpleitk, voxels, spacing, target, wanted),
        "MONAI Spacing (order 3)": partial(_by_monai, voxels, spacing, target),
    }
    title = f"Cubic resampling {shape} to {wanted}"
    measured = measure(title, cases, ours=OURS, peer=PEER, goal=goal, rounds=rounds)
    ours, peer = measured.cases[OURS].output, measured.cases[PEER].output
    apart = float(np.abs(ours - peer).max() / peer.std())
    measured.remarks.append(f"Largest difference to nnU-Net: {apart:.2g} standard deviations.")
    _forget_outputs(measured)
    return measured


def _linear(shape: Shape, spacing: tuple[float, ...], target: float) -> Measurement:
    voxels, wanted = _volume(shape, spacing, target)
    zoom = [n / o for n, o in zip(wanted, shape, strict=True)]
    cases = {
        LINEAR: lambda: resample_to_shape(voxels[None], wanted, 1)[0],
        LINEAR_PEER: lambda: ndi.zoom(voxels, zoom, order=1, mode="nearest", grid_mode=True),
    }
    title = f"Linear resampling {shape} to {wanted}"
    measured = measure(title, cases, ours=LINEAR, peer=LINEAR_PEER, goal="none of its own")
    ours, peer = (measured.cases[name].output for name in (LINEAR, LINEAR_PEER))
    apart = float(np.abs(ours - peer).max() / peer.std())
    measured.remarks.append(f"Largest difference to scipy: {apart:.2g} standard deviations.")
    _forget_outputs(measured)
    return measured


def _forget_outputs(measured: Measurement) -> None:
    for case in measured.cases.values():
        case.output = None


def _by_simpleitk(
    voxels: np.ndarray, spacing: tuple[float, ...], target: float, wanted: Shape
) -> np.ndarray:
    moving = sitk.GetImageFromArray(voxels)
    moving.SetSpacing(spacing[::-1])
    resample = sitk.ResampleImageFilter()
    resample.SetInterpolator(sitk.sitkBSpline3)
    resample.SetSize(wanted[::-1])
    resample.SetOutputSpacing([target] * 3)
    resample.SetOutputOrigin([0.5 * (target - s) for s in spacing[::-1]])
    return sitk.GetArrayFromImage(resample.Execute(moving))


def _by_monai(voxels: np.ndarray, spacing: tuple[float, ...], target: float) -> np.ndarray:
    moving = MetaTensor(
        torch.from_numpy(voxels)[None], affine=torch.diag(torch.tensor([*spacing, 1.0]))
    )
    return Spacing([target] * 3, mode=3, padding_mode="nearest")(moving).numpy()


if __name__ == "__main__":
    for measurement in run():
        print(measurement.markdown())
