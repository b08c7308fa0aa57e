"""What a person set for this computer: where packages come from, a server, staying offline.

It lies in the data folder and not in scenes: a scene that is handed on must not say where the next
person's scans are sent.
"""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

from ..core.atomic import whole_file
from ..core.errors import SegmentationAIError
from .translation import tr as _

FILE: Final = "settings.json"
LARGEST_FILE: Final = 64 << 10


@dataclass(frozen=True)
class ComputerSettings:
    """Text is empty where the usual holds.

    Attributes:
        server: Address of a server that runs the networks, empty for this computer.
        token_file: File whose first line is the token for the server.
        server_ca_file: Certificates (PEM) to trust for the server.
        index: Address of the package index.
        torch_index: Address of PyTorch's package index; ``{build}`` in it stands for the build.
        proxy: ``http://[user:password@]host:port``.
        ca_file: Certificates (PEM) to trust for packages and downloads.
        is_offline: Whether nothing may use the network.
    """

    server: str = ""
    token_file: str = ""
    server_ca_file: str = ""
    index: str = ""
    torch_index: str = ""
    proxy: str = ""
    ca_file: str = ""
    is_offline: bool = False


def read_settings(home: Path) -> ComputerSettings:
    """Return the settings in a data folder; those of a new folder are all the usual ones.

    Raises:
        SegmentationAIError: The file cannot be read or is not one of ours. Nothing is guessed: it
            may be what keeps this computer off the network.
    """
    try:
        with (home / FILE).open("rb") as file:
            found = json.loads(file.read(LARGEST_FILE))
    except FileNotFoundError:
        return ComputerSettings()
    except (OSError, ValueError) as error:
        raise _damaged(home) from error
    kinds = {field.name: field.type for field in fields(ComputerSettings)}
    if not isinstance(found, dict) or not set(found) <= set(kinds):
        raise _damaged(home)
    if any(type(value) is not kinds[name] for name, value in found.items()):
        raise _damaged(home)
    return ComputerSettings(**found)


def write_settings(home: Path, settings: ComputerSettings) -> None:
    """Write the settings into a data folder, whole or not at all, for their owner's eyes alone.

    Raises:
        SegmentationAIError: The folder cannot be written.
    """
    with whole_file(home / FILE) as beside:
        beside.write_text(json.dumps(asdict(settings), indent=1), encoding="utf-8")
        beside.chmod(0o600)  # a proxy's address can hold a password


def _damaged(home: Path) -> SegmentationAIError:
    said = _(
        "The settings in {folder}/{file} cannot be read, so nothing is started; delete that file "
        "and set them again in the step Settings."
    )
    return SegmentationAIError(said.format(folder=home.name, file=FILE))
