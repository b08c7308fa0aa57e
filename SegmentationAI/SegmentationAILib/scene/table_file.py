"""A table of the panel as a file: comma separated, whole or not at all."""

import csv
import io
from pathlib import Path

from ..core.atomic import whole_file
from .panel_facts import Table
from .translation import tr as _


def write_table(table: Table, path: Path) -> str:
    """Write a table as CSV (UTF-8); return what was written.

    Raises:
        SegmentationAIError: The file cannot be written; one of that name is as it was.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([table.headings, *table.rows])
    with whole_file(path) as beside:
        beside.write_text(text.getvalue(), encoding="utf-8")
    return _("Wrote {count} rows to {name}.").format(count=len(table.rows), name=path.name)
