"""What is known about one case after a single look at its voxels."""

import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

import nibabel.orientations as directions
import numpy as np
from numpy.typing import NDArray

from ..core.histogram import histogram_of
from ..core.nonzero import nonzero_box
from ..core.one_layer import present_values
from ..core.orientation import oriented_axes
from ..core.volume import Volume
from .case_reader import RawCase, sha256_of_files

# nnU-Net takes as many from every case for the statistics of a modality with a fixed scale.
SAMPLED_VOXELS: Final = 10_000


@dataclass(frozen=True, eq=False)
class CaseFacts:
    """One case in numbers; nothing in it can be shown as a picture of the patient.

    Attributes:
        id: Of the case.
        patient: That it is of.
        files_sha256: Of the bytes of its files, the label last.
        voxels_sha256: Of the intensities, turned to RAS and as float32: the same for a scan that
            was stored again in another format, orientation or type.
        shape: Voxels along its own axes.
        spacing_mm: Along its own axes.
        orientation: Nearest axis code, such as ``LPS``.
        nonzero_shape: Of the smallest box that holds all that is not 0.
        label_voxels: Voxels of each label value that occurs.
        voxel_ml: Volume of one voxel.
        samples: ``(C, n)`` float32, intensities of up to `SAMPLED_VOXELS` labeled voxels.
        notes: What was mended while reading.
    """

    id: str
    patient: str
    files_sha256: tuple[str, ...]
    voxels_sha256: str
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    orientation: str
    nonzero_shape: tuple[int, int, int]
    label_voxels: dict[int, int]
    voxel_ml: float
    samples: NDArray[np.float32] = field(repr=False)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the facts for a report, the samples left out."""
        return {
            "id": self.id,
            "files_sha256": list(self.files_sha256),
            "voxels_sha256": self.voxels_sha256,
            "shape": list(self.shape),
            "spacing_mm": [round(s, 4) for s in self.spacing_mm],
            "orientation": self.orientation,
            "label_ml": {
                str(value): round(count * self.voxel_ml, 4)
                for value, count in self.label_voxels.items()
            },
            "notes": list(self.notes),
        }


def facts_of(case: RawCase) -> CaseFacts:
    """Return the facts of a case.

    Raises:
        SegmentationAIError: A channel has no numbers, or one value everywhere.
        FileFormatError: A file cannot be read any more.
    """
    volume, layer = case.volume, case.labelmap.layers[0]
    for channel in volume.voxels:
        histogram_of(channel, case.files.id)  # refuses what nothing can be learned from
    values = present_values(layer)
    counts = np.bincount(layer.ravel(order="K"), minlength=1) if values else np.zeros(1, int)
    return CaseFacts(
        id=case.files.id,
        patient=case.files.patient,
        files_sha256=sha256_of_files(case.files.files),
        voxels_sha256=voxels_sha256(volume),
        shape=volume.grid.shape,
        spacing_mm=volume.spacing,
        orientation="".join(directions.aff2axcodes(volume.affine)),
        nonzero_shape=nonzero_box(volume.voxels).shape,
        label_voxels={value: int(counts[value]) for value in values},
        voxel_ml=volume.grid.voxel_volume_ml,
        samples=_samples(case),
        notes=(*volume.notes, *case.labelmap.notes),
    )


def voxels_sha256(volume: Volume) -> str:
    """Return the hash by which the same scan is known again, lower-case hex.

    Its format, storage type and axis order make no difference, its place in space neither.
    """
    digest = hashlib.sha256()
    axes = oriented_axes(volume.affine, "RAS")
    for channel in volume.voxels:
        view = channel.transpose([source for source, _ in axes])
        x, y, z = (slice(None, None, -1 if flipped else 1) for _, flipped in axes)
        turned = np.ascontiguousarray(view[x, y, z], np.float32)
        digest.update(repr(turned.shape).encode())
        digest.update(turned.data)
    return digest.hexdigest()


def _samples(case: RawCase) -> NDArray[np.float32]:
    """Return intensities of labeled voxels, the same ones every time."""
    layer, voxels = case.labelmap.layers[0], case.volume.voxels
    if layer.shape != voxels.shape[1:]:
        return np.empty((len(voxels), 0), np.float32)
    labeled = np.flatnonzero(layer)
    if len(labeled) > SAMPLED_VOXELS:
        labeled = labeled[np.linspace(0, len(labeled) - 1, SAMPLED_VOXELS).astype(np.intp)]
    where = np.unravel_index(labeled, layer.shape)
    found = np.stack([channel[where] for channel in voxels]).astype(np.float32)
    return found[:, np.isfinite(found).all(axis=0)]
