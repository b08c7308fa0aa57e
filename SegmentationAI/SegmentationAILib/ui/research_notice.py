"""Says once per person that results are for research."""

from slicer.i18n import tr as _

from ..resources import data_folder

# The command line leaves the same mark.
MARKER = "research-notice-shown"


def research_notice() -> str:
    """Return the notice the first time, and nothing from then on.

    Raises:
        OSError: The data folder cannot be written.
    """
    marker = data_folder() / MARKER
    if marker.exists():
        return ""
    marker.touch()
    return str(_("Results are for research and need a physician's check. (This is said once.)"))
