"""A folder with one DICOM series, read by pydicom in a process of its own."""

import os
from pathlib import Path

from ..admission import shown_name
from ..child_reader import read_in_child
from ..errors import FileFormatError
from ..volume import Volume

# A start takes 0.4 s; JPEG 2000, the slowest syntax, decodes 1.8 MB of file a second on one core.
_SECONDS_TO_START = 30.0
_SLOWEST_BYTES_PER_SECOND = 250_000


def read(path: Path) -> Volume:
    """Return the volume of a folder with one series; a tilted gantry leaves it sheared.

    Intensities are rescaled (CT: Hounsfield units), int16 where they fit. Only files that lie in
    the folder are read, never one that a file names.

    Raises:
        FileFormatError: The folder has no images, several series, slices that do not make one
            volume, or a compression that cannot be decoded here.
        GeometryError: The slices do not lie on a grid.
        MemoryBudgetError: The volume does not fit the memory.
    """
    try:
        with os.scandir(path) as entries:
            stored = sum(entry.stat().st_size for entry in entries if entry.is_file())
    except OSError as error:
        raise FileFormatError(
            f"{shown_name(path)} is not a folder that can be read; name the folder of one DICOM "
            "series."
        ) from error
    seconds = _SECONDS_TO_START + stored / _SLOWEST_BYTES_PER_SECOND
    return read_in_child("dicom_series", path, seconds)
