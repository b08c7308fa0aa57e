"""Converted networks on disk: made once, read in milliseconds, never half written."""

import hashlib
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ..resources import OWNER_ONLY, data_folder
from .device import cpu_model

# Raise it when a network is rewritten in another way for conversion.
CONVERSION: Final = "1"
MODEL: Final = "network.xml"


def cache_folder() -> Path:
    """Return ``cache/openvino`` in the data folder, made for its owner alone when absent."""
    folder = data_folder() / "cache" / "openvino"
    folder.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
    return folder


def cache_key(*parts: str) -> str:
    """Return a name for what was converted from ``parts`` for this processor."""
    whole = "\n".join((CONVERSION, cpu_model(), *parts))
    return hashlib.sha256(whole.encode()).hexdigest()[:32]


def read_or_convert(
    core: Any, key: str, convert: Callable[[], Any], save: Callable[[Any, Path], None]
) -> tuple[Any, str]:
    """Return the converted network of that key and a note, which is empty unless it was mended.

    Args:
        core: An ``openvino.Core``.
        key: See `cache_key`.
        convert: Makes it when there is none.
        save: Writes it to a path.
    """
    folder = cache_folder() / key
    note = ""
    if (folder / MODEL).is_file():
        try:
            return core.read_model(folder / MODEL), ""
        except RuntimeError:
            note = "The stored compiled network was damaged and has been made again."
            shutil.rmtree(folder, ignore_errors=True)
    model = convert()
    beside = folder.with_name(f".{key[:8]}-{secrets.token_hex(4)}")
    beside.mkdir(mode=OWNER_ONLY)
    try:
        save(model, beside / MODEL)
        beside.rename(folder)
    except OSError:
        # Another process was faster, or the disk is full: what is in memory serves as well.
        shutil.rmtree(beside, ignore_errors=True)
    return model, note
