"""The formats of other tools that are read, in the order in which they are asked."""

from pathlib import Path, PurePosixPath
from typing import Final

from ..network_source import CARD, NetworkSource
from . import auto3dseg, monai, nnunet, onnx
from .format import Format, FoundFiles, files_in

FORMATS: Final[tuple[Format, ...]] = (
    Format("nnU-Net v2", nnunet.recognizes, nnunet.read),
    Format("MONAI bundle", monai.recognizes, monai.read),
    Format("SlicerMONAIAuto3DSeg", auto3dseg.recognizes, auto3dseg.read),
    Format("ONNX", onnx.recognizes, onnx.read, has_card=True),
)


def format_of(found: FoundFiles) -> Format | None:
    """Return the first format that recognizes these files by their names, None when none does.

    Files with a card of ours are ours, but for those of a format to which one belongs.
    """
    is_ours = PurePosixPath(CARD) in found.names
    asked = (one for one in FORMATS if one.has_card or not is_ours)
    return next((one for one in asked if one.recognizes(found)), None)


def foreign_source(path: Path, staging: Path) -> NetworkSource | None:
    """Return the network in a folder or file of another tool, None when it is no such thing.

    Args:
        path: Folder (of an unpacked archive, too) or file.
        staging: Where converted weights may be written.

    Raises:
        WeightsError: It is, and it was refused; the message says why.
    """
    found = files_in(path)
    known = format_of(found)
    return None if known is None else known.read(found, staging)
