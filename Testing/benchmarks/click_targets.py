"""What is pointed at: the targets of the click benchmark, none of which any engine was made from.

Chosen before any engine ran, by rules that look at sizes alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cc3d
import numpy as np
import SimpleITK

from SegmentationAILib.core.files import read_labelmap, read_volume
from SegmentationAILib.core.volume import Grid, Volume, check_same_grid

HIPPOCAMPI, NUCLEI, LESIONS = 8, 6, 6
# Of the torso MR: organs with fewer voxels than this are parts of organs at the scan's ends.
LEAST_ORGAN_VOXELS = 400
NAMES = (
    "sarcoma CT", "sarcoma MR T1", "sarcoma PET", "MS lesions FLAIR", "spinal cord T1",
    "nuclei fluorescence", "brain tumor T1-Gd", "torso MR", "hippocampus T1",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Target:
    """Something to segment.

    Attributes:
        group: one of `NAMES`.
        name: within the group.
        volume: the scan.
        mask: what is wanted, bool `(I, J, K)` on its grid.
    """

    group: str
    name: str
    volume: Volume
    mask: np.ndarray


def targets(data: Path, group: str) -> Iterator[Target]:
    """Yield the targets of one group.

    Args:
        data: folder ``shared/data``.
        group: one of `NAMES`.
    """
    if group.startswith("sarcoma"):
        role = {"sarcoma CT": "CT", "sarcoma MR T1": "MR_T1", "sarcoma PET": "PET"}[group]
        folder = data / "sarcoma" / "STS_001"
        yield _one(group, "tumor", folder / f"{role}.nii.gz", folder / f"{role}_tumor.nii.gz")
    elif group == "MS lesions FLAIR":
        folder = data / "ms-lesions" / "patient19"
        volume, labels = read_volume(folder / "FLAIR.nii.gz"), _labels(folder / "lesions.nii.gz")
        parts = cc3d.connected_components(labels > 0, connectivity=26)
        for rank, value in enumerate(_largest(parts)[:LESIONS], start=1):
            yield Target(group, f"lesion {rank}", volume, parts == value)
    elif group == "spinal cord T1":
        folder = data / "spinal-cord"
        yield _one(group, "cord", folder / "t1w.nii.gz", folder / "t1w_cord.nii.gz")
    elif group == "nuclei fluorescence":
        volume = Volume(_tif(data / "nuclei" / "img3d.tif")[None].astype(np.float32), np.eye(4))
        labels = _tif(data / "nuclei" / "mask3d.tif").astype(np.int32)
        values = _largest(labels)
        # Every size from the largest to the smallest is there.
        for rank in np.linspace(0, len(values) - 1, NUCLEI).round().astype(int):
            yield Target(group, f"nucleus {rank + 1}", volume, labels == values[rank])
    elif group == "brain tumor T1-Gd":
        folder = data / "brain-tumor"
        yield _one(group, "tumor", folder / "brain1_image.nrrd", folder / "brain1_label.nrrd")
    elif group == "torso MR":
        folder = data / "mr-torso-3mm"
        volume, labels = read_volume(folder / "mr_small.nii.gz"), _labels(
            folder / "mr_small_labels.nii.gz"
        )  # fmt: skip
        for value in sorted(int(v) for v in np.unique(labels) if v):
            if np.count_nonzero(labels == value) >= LEAST_ORGAN_VOXELS:
                yield Target(group, f"label {value}", volume, labels == value)
    else:
        folder = data / "hippocampus"
        for path in sorted((folder / "imagesTr").glob("hippocampus_*.nii.gz"))[:HIPPOCAMPI]:
            yield _one(group, path.name.split(".")[0], path, folder / "labelsTr" / path.name)


def _one(group: str, name: str, volume_path: Path, labels_path: Path) -> Target:
    volume, labelmap = read_volume(volume_path), read_labelmap(labels_path)
    labels = Grid(labelmap.layers[0].shape, labelmap.affine)
    check_same_grid(volume.grid, labels, ("the scan", "its labels"))
    return Target(group, name, volume, labelmap.layers[0] > 0)


def _labels(path: Path) -> np.ndarray:
    return read_labelmap(path).layers[0].astype(np.int32)


def _tif(path: Path) -> np.ndarray:
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))).T


def _largest(labels: np.ndarray) -> np.ndarray:
    """Return label values but 0, the largest first."""
    values, counts = np.unique(labels[labels > 0], return_counts=True)
    return values[np.argsort(-counts, kind="stable")]
