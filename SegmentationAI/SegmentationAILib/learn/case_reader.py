"""One case of a data set from its files: the volume with all channels, and its labelmap."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..core.channels import stack_channels
from ..core.errors import FileFormatError, GeometryError
from ..core.files import read_labelmap, read_volume
from ..core.labelmap import Labelmap
from ..core.one_layer import merged
from ..core.shown_text import shown_text
from ..core.system_paths import reachable
from ..core.volume import Volume
from .dataset import CaseFiles, Dataset

READ_BYTES = 1 << 20


@dataclass(frozen=True, eq=False)
class RawCase:
    """A case as its files have it.

    Attributes:
        files: Where it came from.
        volume: With all channels of the data set.
        labelmap: In one layer; whether it lies on the volume's grid is not checked here.
    """

    files: CaseFiles
    volume: Volume
    labelmap: Labelmap


def read_case(dataset: Dataset, files: CaseFiles) -> RawCase:
    """Return a case; channels are put together as they are when a volume is segmented.

    Raises:
        FileFormatError: A file is missing, damaged, or of a kind that is not read.
        GeometryError: The channels are not those of the data set, or lie beside each other.
        MemoryBudgetError: A file does not fit the memory.
    """
    roles = [channel.role for channel in dataset.channels]
    volumes = [read_volume(path) for path in files.volumes]
    if len(volumes) == 1 and volumes[0].channels != len(roles):
        raise GeometryError(
            f"{shown_text(files.volumes[0].name)} has {volumes[0].channels} channel(s) and the "
            f"data set names {len(roles)} ({', '.join(roles)}); correct its modality or the file."
        )
    others = dict(zip(roles[1:], volumes[1:], strict=False))
    volume = stack_channels(volumes[0], others, roles)
    return RawCase(files, volume, merged(read_labelmap(files.label)))


def sha256_of_files(paths: Iterable[Path]) -> tuple[str, ...]:
    """Return the SHA-256 of each file's bytes, lower-case hex.

    Raises:
        FileFormatError: One cannot be read.
    """
    return tuple(_sha256(reachable(path)) for path in paths)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(READ_BYTES):
                digest.update(block)
    except OSError as error:
        raise FileFormatError(
            f"{shown_text(path.name)} cannot be read ({error.strerror or 'system error'}); check "
            "that it is there and that you may read it."
        ) from error
    return digest.hexdigest()
