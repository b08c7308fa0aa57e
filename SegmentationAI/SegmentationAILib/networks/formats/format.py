"""The seam for networks of other tools: recognized by names, read as data, installed as ours.

A format is one module with two functions, and one line in `known.FORMATS`:

1. ``recognizes(found)`` looks at the names of the files only, and opens none.
2. ``read(found, staging)`` returns a `NetworkSource`: our card, and one safetensors file that it
   wrote into ``staging`` (see `source_of_weights`). What the files say is data: never imported,
   evaluated or unpickled here. Checkpoints of torch go through `checkpoint`, JSON through
   `strict_json`.

`install` does the rest, the same for all: it unpacks archives safely, holds the SHA-256 against
what was asked for, checks the tensors against the architecture of the card, and renames once. A
network that a format cannot run as its own tool would is refused by name, never approximated.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

import safetensors.numpy

from ...core.errors import WeightsError
from ..card import NetworkCard
from ..network_source import NetworkSource
from ..strict_json import json_from_bytes
from ..weights import Weights, sha256_of

MAX_FILES: Final = 1000
MAX_DEPTH: Final = 6
CONVERTED: Final = "converted.safetensors"


@dataclass(frozen=True)
class FoundFiles:
    """What a person handed over: a folder, an unpacked archive, or one file.

    Attributes:
        root: The folder; messages show its name.
        names: Its regular files relative to it, sorted; links are left out.
    """

    root: Path
    names: tuple[PurePosixPath, ...]

    def path(self, name: str | PurePosixPath) -> Path:
        """Return the place of one of the files.

        Raises:
            WeightsError: It is not among them.
        """
        if PurePosixPath(name) not in self.names:
            raise WeightsError(f"{self.root.name} has no file {name}, which its format needs.")
        return self.root / name

    def json(self, name: str | PurePosixPath, max_bytes: int) -> Any:
        """Return what a JSON file says, read strictly (see `strict_json`).

        Raises:
            WeightsError: Absent, larger than ``max_bytes``, or not JSON.
        """
        path = self.path(name)
        if path.stat().st_size > max_bytes:
            raise WeightsError(f"{path.name} of {self.root.name} has more than {max_bytes} bytes.")
        return json_from_bytes(path.read_bytes(), f"{name} of {self.root.name}", max_bytes)

    def below(self, folder: PurePosixPath) -> "FoundFiles":
        """Return the files inside one of the folders, named relative to it."""
        inside = (n.relative_to(folder) for n in self.names if n.is_relative_to(folder))
        return FoundFiles(self.root / folder, tuple(inside))


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        name: For messages.
        recognizes: See above.
        read: See above.
        has_card: Whether a card of ours belongs to it; of the others, one beside them says that
            the files are our own.
    """

    name: str
    recognizes: Callable[[FoundFiles], bool]
    read: Callable[[FoundFiles, Path], NetworkSource]
    has_card: bool = False


def files_in(path: Path) -> FoundFiles:
    """Return the files of a folder, or a single file, by name; nothing is opened.

    Raises:
        WeightsError: More files, or deeper folders, than a network has.
    """
    if not path.is_dir():
        return FoundFiles(path.parent, (PurePosixPath(path.name),))
    names: list[PurePosixPath] = []
    _collect(path, PurePosixPath(), names)
    return FoundFiles(path, tuple(sorted(names)))


def source_of_weights(card: NetworkCard, weights: Weights, staging: Path) -> NetworkSource:
    """Write ``weights`` into ``staging`` and return them with their card, which gets their hash.

    Args:
        card: Complete but for ``sha256``; ``converted_from`` is the hash of the origin's file.
        weights: Tensors by name, as the card's architecture names them.
        staging: Folder of `install`, on the disk of the store, removed afterwards.
    """
    target = staging / CONVERTED
    safetensors.numpy.save_file(weights, str(target))
    return NetworkSource(replace(card, sha256=sha256_of(target), address="", file=""), target)


def _collect(folder: Path, inside: PurePosixPath, names: list[PurePosixPath]) -> None:
    if len(inside.parts) > MAX_DEPTH:
        raise WeightsError(f"{inside.parts[0]!a} has more than {MAX_DEPTH} folders in each other.")
    for path in folder.iterdir():
        if path.is_symlink() or path.name.startswith("."):
            continue
        if path.is_dir():
            _collect(path, inside / path.name, names)
        elif path.is_file():
            names.append(inside / path.name)
        if len(names) > MAX_FILES:
            raise WeightsError(f"There are more than {MAX_FILES} files; name a network's folder.")
