"""P12: saving labels and intensities, and reading them back bit for bit by four readers.

The labelmap has 29 blob-shaped structures in 256 x 256 x 128 voxels; the CT is a smooth body with
the noise of a scanner, 16 MiB of int16. Each case saves the same voxels with compression, as its
library does when nothing else is said. Ours flushes to the disk (fsync) and renames; peers do not,
so SimpleITK is measured with that promise as well.
"""

import os
import tempfile
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import scipy.ndimage as ndi
import SimpleITK
import slicer
from measure import Measurement, measure
from vtk.util.numpy_support import vtk_to_numpy

from SegmentationAILib.core.files import (
    read_labelmap,
    read_volume,
    write_labelmap,
    write_volume,
)
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.volume import Array, Volume

SHAPE = (256, 256, 128)
STRUCTURES = 29
GOAL = "P12: at least 3x SimpleITK at no more than 1.1x its size"
FLUSHED = "SimpleITK, flushed and renamed as ours"
AFFINE = np.diag([-0.8, -0.8, 2.0, 1.0])


def labels() -> Array:
    """Blobs as large as organs, in the order of the axes of a file (first axis fastest)."""
    rng = np.random.default_rng(0)
    coarse = rng.normal(size=(STRUCTURES, 12, 12, 6))
    zoom = [n / m for n, m in zip(SHAPE, coarse.shape[1:], strict=True)]
    best = np.full(SHAPE, 1.2, np.float32)
    layer = np.zeros(SHAPE, np.uint8, order="F")
    for value, field in enumerate(coarse, start=1):
        smooth = ndi.zoom(field, zoom, order=1).astype(np.float32)
        layer[smooth > best] = value
        np.maximum(best, smooth, out=best)
    return layer


def ct() -> Array:
    """Air, a body of soft tissue, and scanner noise of 15 HU."""
    rng = np.random.default_rng(1)
    axes = np.ogrid[-1:1:256j, -1:1:256j, -1:1:128j]
    inside = axes[0] ** 2 / 0.6 + axes[1] ** 2 / 0.35 + 0 * axes[2] < 1
    smooth = ndi.zoom(rng.normal(0, 60, (12, 12, 6)), (256 / 12, 256 / 12, 128 / 6), order=1)
    values = np.where(inside, 40 + smooth, -1000) + rng.normal(0, 15, SHAPE)
    return np.asfortranarray(np.clip(values, -1024, 3071).astype(np.int16))


def run() -> list[Measurement]:
    """Return labelmap and CT, each in NRRD and in NIfTI."""
    with tempfile.TemporaryDirectory() as folder:
        results = []
        for ending in (".nrrd", ".nii.gz"):
            results.append(_saving_labels(Path(folder), ending))
        for ending in (".nrrd", ".nii.gz"):
            results.append(_saving_ct(Path(folder), ending))
        return results


def _saving_labels(folder: Path, ending: str) -> Measurement:
    layer = labels()
    names = tuple(Label(value, f"structure {value}") for value in range(1, STRUCTURES + 1))
    labelmap = Labelmap((layer,), names, AFFINE)
    own = folder / ("labels.seg.nrrd" if ending == ".nrrd" else "labels.nii.gz")
    result = _measured(
        f"Save a labelmap as {own.name.removeprefix('labels')}, {layer.nbytes >> 20} MiB",
        folder, ending, layer, own, lambda: write_labelmap(labelmap, own),
    )  # fmt: skip
    result.remarks += [_sizes(folder, ending, own, layer), _readers(own, layer, ending)]
    if not np.array_equal(read_labelmap(own).layers[0], layer):
        result.remarks.append("**Our reader differs.**")
    return result


def _saving_ct(folder: Path, ending: str) -> Measurement:
    voxels = ct()
    volume = Volume(voxels[None], AFFINE)
    own = folder / f"ct{ending}"
    result = _measured(
        f"Save a CT as {ending}, {voxels.nbytes >> 20} MiB",
        folder, ending, voxels, own, lambda: write_volume(volume, own),
    )  # fmt: skip
    result.remarks += [_sizes(folder, ending, own, voxels), _readers(own, voxels, ending)]
    if not np.array_equal(read_volume(own).voxels[0], voxels):
        result.remarks.append("**Our reader differs.**")
    return result


def _measured(title, folder, ending, voxels, own, save) -> Measurement:
    image = SimpleITK.GetImageFromArray(voxels.T)
    cases = {
        "SegmentationAI": save,
        "SimpleITK": lambda: SimpleITK.WriteImage(image, str(folder / f"sitk{ending}"), True),
        FLUSHED: lambda: _flushed(image, folder / f"sitk-flushed{ending}"),
    }
    if ending == ".nrrd":
        cases["pynrrd"] = lambda: nrrd.write(str(folder / "pynrrd.nrrd"), voxels)
    else:
        nifti = nibabel.Nifti1Image(voxels, AFFINE)
        cases["nibabel"] = lambda: nibabel.save(nifti, folder / "nibabel.nii.gz")
    return measure(title, cases, ours="SegmentationAI", peer="SimpleITK", goal=GOAL, rounds=9)


def _flushed(image: SimpleITK.Image, path: Path) -> None:
    """Save as SimpleITK does and promise what ours does: whole on the disk, or the file before."""
    beside = path.with_name(f"beside-{path.name}")
    SimpleITK.WriteImage(image, str(beside), True)
    for opened, flags in ((beside, os.O_RDWR), (path.parent, os.O_RDONLY)):
        descriptor = os.open(opened, flags)
        os.fsync(descriptor)
        os.close(descriptor)
        if opened is beside:
            beside.replace(path)


def _sizes(folder: Path, ending: str, own: Path, voxels: Array) -> str:
    ours = own.stat().st_size
    peer = (folder / f"sitk{ending}").stat().st_size
    return (
        f"Size: {ours / voxels.nbytes:.4f} of the raw voxels, SimpleITK "
        f"{peer / voxels.nbytes:.4f}: {ours / peer:.2f}x."
    )


def _readers(own: Path, voxels: Array, ending: str) -> str:
    """Say which foreign readers get the very voxels back."""
    found = {"SimpleITK": SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(own))).T}
    if ending == ".nrrd":
        found["pynrrd"] = nrrd.read(str(own))[0]
    else:
        found["nibabel"] = np.asarray(nibabel.load(own).dataobj)
    found["Slicer"] = _slicer_voxels(own)
    equal = [name for name, read in found.items() if np.array_equal(read, voxels)]
    different = [name for name in found if name not in equal]
    sentence = f"Bit-identical in our reader and {', '.join(equal)}."
    return sentence + (f" **Differs in {', '.join(different)}.**" if different else "")


def _slicer_voxels(path: Path) -> Array:
    """Return the voxels as Slicer's own storage nodes read them."""
    scene = slicer.vtkMRMLScene()
    if path.name.endswith(".seg.nrrd"):
        node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
        storage.SetFileName(str(path))
        storage.ReadData(node)
        image = node.GetSegmentation().GetNthSegment(0).GetRepresentation("Binary labelmap")
    else:
        node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
        storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
        storage.SetFileName(str(path))
        storage.ReadData(node)
        image = node.GetImageData()
    scalars = vtk_to_numpy(image.GetPointData().GetScalars()).copy()
    return scalars.reshape(image.GetDimensions(), order="F")


if __name__ == "__main__":
    for measurement in run():
        print(measurement.markdown())
