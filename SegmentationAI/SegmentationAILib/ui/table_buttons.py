"""*Copy* and *CSV* under a table."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from ..scene.panel_facts import Table
from .file_questions import asked_file_to_write
from .status_line import StatusLine


def copy_table(table: Table, status: StatusLine) -> None:
    """Put a table on the clipboard, ready to paste into a spreadsheet."""
    lines = ["\t".join(cells) for cells in (table.headings, *table.rows)]
    qt.QApplication.clipboard().setText("\n".join(lines))
    status.say(_("The table is on the clipboard."))


def ask_and_write(
    parent: Any, suggested: str, write: Callable[[Path], str], status: StatusLine
) -> None:
    """Ask for a file, write the table into it, and say so."""
    name = asked_file_to_write(parent, _("Write the table"), suggested, "CSV (*.csv)")
    if name:
        with status.answering():
            status.say(write(Path(name)))
