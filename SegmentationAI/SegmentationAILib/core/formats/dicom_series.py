"""One DICOM series from the files of a folder; runs in the child process of `child_reader`.

Only files that lie in the folder are opened, each once; names inside files (a DICOMDIR, referenced
instances) are never followed (CVE-2026-32711). Messages carry numbers and kinds, never names of
patients, descriptions or dates.
"""

import io
import os
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from ..admission import check_sizes, open_regular, shown_name
from ..errors import FileFormatError
from ..volume import Array, Volume
from .dicom_pixels import check_pixels, intensities, rescaling
from .dicom_slices import Slice, arranged

MOST_FILES = 20_000
_SIGNATURE_AT = 128
_SIGNATURE = b"DICM"


def load(folder: Path) -> Volume:
    """Return the volume of the one series in a folder.

    Raises:
        FileFormatError: There is none, more than one, or it does not make one volume.
        GeometryError: The slices do not lie on a grid.
        MemoryBudgetError: The volume does not fit the memory.
    """
    warnings.simplefilter("ignore")  # pydicom warns about values of every second scanner
    name = shown_name(folder)
    images, notes = _images(folder, name)
    _check_one_series(images, name)
    for image in images:
        check_pixels(image, name)
    order, affine, place_notes = arranged(
        [_slice(image, at, name) for at, image in enumerate(images)], name
    )
    notes += place_notes + _kind_notes(images)
    sizes = (int(images[0].Columns), int(images[0].Rows), len(order))
    check_sizes(sizes, np.dtype(np.int16).itemsize, name)
    ordered: list[Dataset | None] = [images[at] for at in order]
    del images
    return Volume(_stacked(ordered, sizes, name), affine, notes)


def _images(folder: Path, name: str) -> tuple[list[Dataset], tuple[str, ...]]:
    """Return all images of a folder and sentences about what else lies there."""
    images, others, left_out = [], 0, 0
    for path in _files(folder, name):
        dataset = _dataset(path)
        if dataset is None:
            others += 1
        elif "PixelData" in dataset and "Rows" in dataset and "Columns" in dataset:
            images.append(dataset)
        else:
            left_out += 1
    if not images:
        raise FileFormatError(
            f"{name} holds no DICOM images ({others} other files); name the folder in which the "
            "files of one series lie."
        )
    notes = []
    if others:
        notes.append(f"Files of the folder that are no DICOM files and were left out: {others}.")
    if left_out:
        notes.append(f"DICOM files of the folder that hold no image and were left out: {left_out}.")
    return images, tuple(notes)


def _files(folder: Path, name: str) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_file())
    if len(names) > MOST_FILES:
        raise FileFormatError(
            f"{name} holds {len(names)} files and {MOST_FILES} are read at most; put the files of "
            "one series into a folder of their own."
        )
    return (folder / file for file in names if file.upper() != "DICOMDIR")


def _dataset(path: Path) -> Dataset | None:
    """Return what a DICOM file holds, None when it is another kind of file."""
    with open_regular(path) as file:
        start = file.read(_SIGNATURE_AT + len(_SIGNATURE))
        if start[_SIGNATURE_AT:] != _SIGNATURE:
            return None
        content = start + file.read()
    try:
        return pydicom.dcmread(io.BytesIO(content))
    except MemoryError:
        raise
    except Exception as error:
        # pydicom raises what its parsing happens to meet (KeyError, struct.error, zlib.error ...).
        raise FileFormatError(
            f"{shown_name(path)} is a damaged DICOM file; copy or export it again."
        ) from error


def _check_one_series(images: list[Dataset], name: str) -> None:
    counts = Counter(str(image.get("SeriesInstanceUID", "")) for image in images)
    if len(counts) == 1:
        return
    kinds = {str(image.get("SeriesInstanceUID", "")): image for image in images}
    shown = ", ".join(
        f"{_word(kinds[uid].get('Modality'))} series {_word(kinds[uid].get('SeriesNumber'))} "
        f"(images: {count})"
        for uid, count in counts.most_common(5)
    )
    raise FileFormatError(
        f"{name} holds {len(counts)} series: {shown}; one was expected: put each series into a "
        "folder of its own."
    )


def _word(value: object) -> str:
    text = "".join(c for c in str(value) if c.isalnum())
    return text[:12] if value not in (None, "") else "?"


def _slice(image: Dataset, index: int, name: str) -> Slice:
    row_spacing, column_spacing = _numbers(image, "PixelSpacing", 2, name)
    thickness = image.get("SpacingBetweenSlices") or image.get("SliceThickness") or 0.0
    return Slice(
        index=index,
        shape=(int(image.Columns), int(image.Rows)),
        spacing=(column_spacing, row_spacing),
        directions=np.reshape(_numbers(image, "ImageOrientationPatient", 6, name), (2, 3)),
        position=np.array(_numbers(image, "ImagePositionPatient", 3, name)),
        content=hash((image.PixelData, rescaling(image))),
        thickness=float(thickness),
    )


def _numbers(image: Dataset, key: str, count: int, name: str) -> list[float]:
    value = image.get(key)
    numbers = [float(v) for v in value] if isinstance(value, MultiValue) else []
    if len(numbers) == count and np.isfinite(numbers).all():
        return numbers
    raise FileFormatError(
        f"{name} has images whose {key} is absent or not {count} numbers, so their place is not "
        "known; a series of slices with positions was expected: export it from the scanner again."
    )


def _kind_notes(images: list[Dataset]) -> tuple[str, ...]:
    notes = []
    if any(str(image.get("LossyImageCompression", "")) == "01" for image in images):
        notes.append("The images were compressed with loss before they came here.")
    if images[0].PhotometricInterpretation == "MONOCHROME1":
        notes.append("Low values are meant to be shown bright (MONOCHROME1); values were kept.")
    return tuple(notes)


def _stacked(ordered: list[Dataset | None], sizes: tuple[int, int, int], name: str) -> Array:
    """Return voxels ``(1, I, J, K)``, each image let go as soon as it is decoded."""
    stack: Array = np.empty(sizes[::-1], np.int16)
    for k in range(len(ordered)):
        image, ordered[k] = ordered[k], None
        assert image is not None
        pixels = intensities(image, name)
        wanted = np.promote_types(stack.dtype, pixels.dtype)
        if wanted != stack.dtype:
            # float32 holds every int32 that a scanner stores with a slope, which is the only mix.
            wanted = np.dtype(np.float32) if wanted == np.float64 else wanted
            stack = stack.astype(wanted)
        stack[k] = pixels
    return stack.T[None]
