"""The pixels of one DICOM image as intensities: decoded, rescaled, judged.

Source: DICOM PS3.5 8 (pixel data), PS3.3 C.11.1 (modality LUT: ``slope * stored + intercept``).
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import get_decoder
from pydicom.uid import UID

from ..errors import FileFormatError
from ..volume import Array

_NATIVE = {
    "1.2.840.10008.1.2": "<",
    "1.2.840.10008.1.2.1": "<",
    "1.2.840.10008.1.2.1.99": "<",
    "1.2.840.10008.1.2.2": ">",
}
_BITS_ALLOCATED = (8, 16, 32)
_GRAY = ("MONOCHROME1", "MONOCHROME2")


def check_pixels(image: Dataset, name: str) -> None:
    """Raise unless the pixels of an image are of a kind that can be read here.

    Raises:
        FileFormatError: They are not; the message names what they are.
    """
    syntax = UID(image.file_meta.get("TransferSyntaxUID", ""))
    frames = int(image.get("NumberOfFrames") or 1)
    photometric = str(image.get("PhotometricInterpretation", "absent"))
    if frames != 1:
        raise _refusal(name, f"holds {frames} frames in one image (multi-frame)", "one slice each")
    if photometric not in _GRAY or int(image.get("SamplesPerPixel", 1)) != 1:
        raise _refusal(name, f"has pixels of kind {photometric}", "gray ones (MONOCHROME2)")
    if "ModalityLUTSequence" in image:
        raise _refusal(name, "maps intensities by a table (Modality LUT)", "slope and intercept")
    allocated, stored, high = (
        int(image.get(key, 0)) for key in ("BitsAllocated", "BitsStored", "HighBit")
    )
    if allocated not in _BITS_ALLOCATED or not 1 <= stored <= allocated or high != stored - 1:
        found = f"stores {stored} of {allocated} bits up to bit {high}"
        raise _refusal(name, found, "8, 16 or 32 bits, filled from the lowest")
    if syntax not in _NATIVE and not _can_decode(syntax):
        raise _refusal(name, f"is compressed as {syntax.name}", "a codec for it, or no compression")
    if not all(math.isfinite(v) for v in rescaling(image)) or rescaling(image)[0] == 0:
        raise _refusal(name, "is rescaled by {:g} and {:g}".format(*rescaling(image)), "numbers")


def rescaling(image: Dataset) -> tuple[float, float]:
    """Return slope and intercept, 1 and 0 where the image has none."""
    slope, intercept = image.get("RescaleSlope"), image.get("RescaleIntercept")
    return (
        1.0 if slope in (None, "") else float(slope),
        0.0 if intercept in (None, "") else float(intercept),
    )


def intensities(image: Dataset, name: str) -> Array:
    """Return rescaled intensities ``(rows, columns)``: int16 or int32 where exact, else float32.

    Raises:
        FileFormatError: The pixels are damaged or cut off.
    """
    stored: NDArray[Any] = _stored_values(image, name)
    slope, intercept = rescaling(image)
    if not (slope.is_integer() and intercept.is_integer()):
        return np.asarray(stored * slope + intercept, np.float32)
    low, high = (float(v) * slope + intercept for v in (stored.min(), stored.max()))
    for dtype in (np.int16, np.int32):
        if np.iinfo(dtype).min <= min(low, high) and max(low, high) <= np.iinfo(dtype).max:
            wide: NDArray[Any] = stored.astype(np.int64 if stored.dtype.itemsize > 2 else np.int32)
            if (slope, intercept) != (1.0, 0.0):
                wide = wide * int(slope) + int(intercept)
            return wide.astype(dtype)
    return np.asarray(stored * slope + intercept, np.float32)


def _stored_values(image: Dataset, name: str) -> Array:
    rows, columns, allocated = int(image.Rows), int(image.Columns), int(image.BitsAllocated)
    order = _NATIVE.get(str(image.file_meta.TransferSyntaxUID))
    kind = "i" if int(image.get("PixelRepresentation", 0)) else "u"
    if order is None:
        try:
            values: Array = image.pixel_array
        except Exception as error:
            # Codecs raise what they like; a damaged stream is the only cause left here.
            raise _refusal(name, "has damaged compressed pixels", "intact ones") from error
        if values.shape != (rows, columns):
            raise _refusal(name, f"decodes to {values.shape}", f"{(rows, columns)} pixels")
    else:
        dtype = np.dtype(f"{order}{kind}{allocated // 8}")
        needed, found = rows * columns * dtype.itemsize, len(image.PixelData)
        if not needed <= found <= needed + 1:  # values are padded to an even length
            raise _refusal(name, f"has {found} bytes of pixels", f"{needed} (it may be cut off)")
        values = np.frombuffer(image.PixelData, dtype, rows * columns).reshape(rows, columns)
        values = values.astype(dtype.newbyteorder("="), copy=False)
    return _without_unused_bits(values, int(image.BitsStored))


def _without_unused_bits(values: Array, used: int) -> Array:
    """Return values whose unused high bits (old scanners put overlays there) repeat the sign."""
    unused = 8 * values.dtype.itemsize - used
    if unused == 0:
        return values
    wide: NDArray[Any] = values
    shifted: Array = (wide << unused) >> unused
    return shifted


def _can_decode(syntax: UID) -> bool:
    try:
        return bool(get_decoder(syntax).is_available)
    except NotImplementedError:
        return False


def _refusal(name: str, found: str, expected: str) -> FileFormatError:
    return FileFormatError(
        f"{name} {found}, and {expected} was expected; convert or export the series again."
    )
