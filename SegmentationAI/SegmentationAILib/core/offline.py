"""The switch that keeps the program off the network: ``SEGMENTATIONAI_OFFLINE=1``.

It is a variable of the process, so that every child process inherits it. Whatever opens a
connection to another machine asks here first; what an offline bundle brings needs none.
"""

import os
from typing import Final

from .errors import SegmentationAIError

OFFLINE_VARIABLE: Final = "SEGMENTATIONAI_OFFLINE"
_OFF: Final = ("", "0", "false", "no", "off")


class OfflineError(SegmentationAIError):
    """Something wanted the network while the switch forbids it."""


def is_offline() -> bool:
    """Whether the switch is set.

    Examples:
        >>> set_offline(True)
        >>> is_offline()
        True
        >>> set_offline(False)
        >>> is_offline()
        False
    """
    return os.environ.get(OFFLINE_VARIABLE, "").strip().lower() not in _OFF


def set_offline(offline: bool) -> None:
    """Set the switch for this process and every child that it starts from now on."""
    os.environ[OFFLINE_VARIABLE] = "1" if offline else "0"


def check_online(purpose: str) -> None:
    """Raise when the switch is set.

    Args:
        purpose: What wants the network, as the beginning of a sentence.

    Raises:
        OfflineError: It is set; the sentence says how to go on without the network.
    """
    if is_offline():
        raise OfflineError(
            f"{purpose} needs the network, and the program is set to stay off it; import an "
            f"offline bundle or a file instead, or switch offline work off in the settings "
            f"({OFFLINE_VARIABLE}=0)."
        )
