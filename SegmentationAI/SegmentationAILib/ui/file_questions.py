"""Asks for the name of a file or a folder."""

from typing import Any

import ctk
import qt


def asked_file_to_write(parent: Any, title: str, suggested: str, kinds: str) -> str:
    """Return the file that a person chose to write, empty when none."""
    return _name_of(qt.QFileDialog.getSaveFileName(parent, title, suggested, kinds))


def asked_file_to_read(parent: Any, title: str, kinds: str) -> str:
    """Return the file that a person chose to read, empty when none."""
    return _name_of(qt.QFileDialog.getOpenFileName(parent, title, "", kinds))


def asked_folder(parent: Any, title: str) -> str:
    """Return the folder that a person chose, empty when none."""
    return _name_of(qt.QFileDialog.getExistingDirectory(parent, title))


def ask_for_folders(*lines: Any) -> None:
    """Let the buttons of ``ctkPathLineEdit`` lines ask for folders; as they come, for files."""
    for line in lines:
        line.filters = ctk.ctkPathLineEdit.Dirs


def _name_of(chosen: Any) -> str:
    # PySide returns the name and the filter, PythonQt the name alone.
    return str(chosen[0] if isinstance(chosen, tuple) else chosen)
