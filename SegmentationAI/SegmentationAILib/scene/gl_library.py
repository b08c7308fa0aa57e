"""Which library draws without a screen, and what to say when there is none."""

import ctypes
import os
import sys
from importlib.util import find_spec
from typing import Final

_VARIABLE: Final = "VTK_DEFAULT_OPENGL_WINDOW"
# OSMesa first: it needs no driver and prints nothing; the names are those that VTK looks for.
_OFF_SCREEN: Final = (
    ("vtkOSOpenGLRenderWindow", ("libOSMesa.so.8", "libOSMesa.so.6", "libOSMesa.so")),
    ("vtkEGLRenderWindow", ("libEGL.so.1",)),
)


def missing_view_libraries() -> str:
    """Return a sentence about what rendered pictures lack here, empty when nothing is missing.

    On Windows and macOS the system's own OpenGL is taken for granted.
    """
    if find_spec("trame_slicer") is None:
        return (
            "Slice and 3D views need the package trame-slicer: pip install 'segmentationai[scene]'."
        )
    if sys.platform != "linux" or os.environ.get(_VARIABLE) or _off_screen_window():
        return ""
    if os.environ.get("DISPLAY"):
        return ""
    return (
        "Slice and 3D views need a library that draws without a screen: "
        "apt-get install libosmesa6 libegl1 libgl1-mesa-dri."
    )


def choose_off_screen_window() -> None:
    """Tell VTK which library to draw with; a choice that the environment has made stays."""
    window = _off_screen_window() if sys.platform == "linux" else ""
    if window:
        os.environ.setdefault(_VARIABLE, window)


def _off_screen_window() -> str:
    """Return VTK's name of the first off-screen window whose library loads, empty for none."""
    for window, libraries in _OFF_SCREEN:
        if any(_loads(library) for library in libraries):
            return window
    return ""


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
