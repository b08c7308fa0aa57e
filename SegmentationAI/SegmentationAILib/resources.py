"""Where things lie: what ships with the program, and what it keeps for the person using it."""

import errno
import os
import sys
from pathlib import Path
from typing import Final

HOME_VARIABLE: Final = "SEGMENTATIONAI_HOME"
OWNER_ONLY: Final = 0o700

_LIBRARY = Path(__file__).resolve().parent
# From source Resources lies at the top of the repository; installed, beside the library.
_PLACES = (_LIBRARY.parents[1] / "Resources", _LIBRARY.parent / "Resources")


def resource(name: str) -> Path:
    """Return the path of a file or folder that ships with the program.

    Args:
        name: Path relative to ``Resources``, such as ``networks.json``.

    Raises:
        FileNotFoundError: The installation lacks it.
    """
    for place in _PLACES:
        if (place / name).exists():
            return place / name
    raise FileNotFoundError(
        errno.ENOENT, "missing from this installation's Resources; install the program again", name
    )


def data_folder() -> Path:
    """Return the folder of everything the program keeps, made for its owner alone when absent.

    It is ``SEGMENTATIONAI_HOME`` when that is set, else the user's data folder of this system.

    Raises:
        OSError: The folder cannot be made.
    """
    set_by_user = os.environ.get(HOME_VARIABLE, "").strip()
    folder = Path(set_by_user).expanduser() if set_by_user else _user_data_folder()
    folder.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
    return folder


def _user_data_folder() -> Path:
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "SegmentationAI"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "SegmentationAI"
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "segmentationai"
