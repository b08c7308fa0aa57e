"""One section of the panel from its ``.ui`` file."""

from typing import Any

import slicer

from ..resources import resource


def load_section(name: str) -> tuple[Any, Any]:
    """Return the root widget of ``Resources/UI/<name>.ui``, and its named widgets as attributes.

    Raises:
        FileNotFoundError: The installation lacks the file.
    """
    root = slicer.util.loadUI(str(resource(f"UI/{name}.ui")))
    return root, slicer.util.childWidgetVariables(root)
