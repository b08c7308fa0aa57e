"""Says once per user that results are for research."""

import sys

NOTICE = "Results are for research and need a physician's check. (This is said once.)\n"
MARKER = "research-notice-shown"


def show_research_notice_once() -> None:
    """Write the notice to standard error unless this user has seen it."""
    from ..resources import data_folder

    marker = data_folder() / MARKER
    if marker.exists():
        return
    sys.stderr.write(NOTICE)
    marker.touch()
