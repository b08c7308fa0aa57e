"""The DICOM images that a volume was read from: their headers in order, and their grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from ..admission import open_regular, shown_name
from ..errors import FileFormatError, GeometryError
from ..labelmap import LabelArray
from ..volume import Affine, Grid
from .dicom_slices import Slice, arranged

# Slicer's and our own way to a series' affine differ by rounding; half a voxel is another place.
LARGEST_OFFSET_VOXELS: Final = 0.05
# What places the images, and what a segmentation repeats of them; anonymizing can take it out.
WANTED: Final = (
    "Rows", "Columns", "ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing",
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class DicomSource:
    """A series.

    Attributes:
        headers: Of its images without their pixels, in order of position.
        grid: Columns, rows, images; RAS mm.
    """

    headers: tuple[Dataset, ...]
    grid: Grid

    def in_order_of_images(self, layer: LabelArray, affine: Affine) -> LabelArray:
        """Return label values ``(I, J, K)`` as ``(image, row, column)``.

        Args:
            layer: On the voxels of the series; its axes may be in another order or turned.
            affine: Of ``layer``, to RAS mm.

        Raises:
            GeometryError: They are not the voxels of the series.
        """
        to_source = np.linalg.inv(self.grid.affine) @ affine
        axes = np.abs(to_source[:3, :3]).argmax(axis=1)
        last = np.array(layer.shape) - 1
        corners = np.array([to_source[:3, 3], to_source[:3, :3] @ last + to_source[:3, 3]])
        turned = to_source[:3, :3][range(3), axes] < 0
        if sorted(axes) == [0, 1, 2]:
            wanted = np.array([np.zeros(3), np.array(self.grid.shape) - 1])
            wanted[:, turned] = wanted[::-1, turned]
            straight = np.zeros((3, 3))
            straight[range(3), axes] = np.where(turned, -1, 1)
            slant = np.abs((to_source[:3, :3] - straight) @ np.diag(last)).max()
            off = max(np.abs(corners - wanted).max(), slant)
        else:
            off = np.inf
        if off > LARGEST_OFFSET_VOXELS:
            raise GeometryError(
                "The segmentation does not lie on the voxels of the DICOM series "
                f"({layer.shape} and {self.grid.shape} voxels): a DICOM segmentation is not "
                "resampled. Export it for the scan that was loaded, without a transform."
            )
        ordered = np.transpose(layer, tuple(axes))[
            tuple(slice(None, None, -1 if t else 1) for t in turned)
        ]
        return np.ascontiguousarray(ordered.transpose(2, 1, 0))


def read_dicom_source(files: Sequence[Path]) -> DicomSource:
    """Return the series of these files, read without their pixels.

    Raises:
        FileFormatError: A file is no image of a series with positions, or they are of several.
        GeometryError: The images do not lie on a grid.
    """
    headers = [_header(path) for path in files]
    if len({header.SeriesInstanceUID for header in headers}) != 1:
        raise FileFormatError(
            f"The {len(files)} DICOM files are of several series; a segmentation belongs to one."
        )
    slices = [_slice(header, at) for at, header in enumerate(headers)]
    order, affine, _ = arranged(slices, "The DICOM series")
    columns, rows = slices[0].shape
    grid = Grid((columns, rows, len(order)), affine)
    return DicomSource(tuple(headers[at] for at in order), grid)


def _header(path: Path) -> Dataset:
    try:
        with open_regular(path) as file:
            header = pydicom.dcmread(file, stop_before_pixels=True)
        lacks = [name for name in WANTED if header.get(name) in (None, "")]
    except FileFormatError:
        raise
    except Exception as error:
        # pydicom raises what its parsing happens to meet.
        raise FileFormatError(
            f"{shown_name(path)} cannot be read as DICOM; load the scan from DICOM again."
        ) from error
    if lacks or "NumberOfFrames" in header:
        what = f"lacks {lacks[0]}" if lacks else "holds several frames"
        raise FileFormatError(
            f"{shown_name(path)} {what}; a series of single images with their places and IDs was "
            "expected: export as .seg.nrrd instead."
        )
    return header


def _slice(header: Dataset, index: int) -> Slice:
    row_spacing, column_spacing = (float(mm) for mm in header.PixelSpacing)
    thickness = header.get("SpacingBetweenSlices") or header.get("SliceThickness") or 0.0
    return Slice(
        index=index,
        shape=(int(header.Columns), int(header.Rows)),
        spacing=(column_spacing, row_spacing),
        directions=np.reshape([float(n) for n in header.ImageOrientationPatient], (2, 3)),
        position=np.array([float(mm) for mm in header.ImagePositionPatient]),
        # Pixels are not read: what lies twice at one place is taken once.
        content=0,
        thickness=float(thickness),
    )
