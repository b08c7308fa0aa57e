"""Tables that are read, not edited: rows of text under headings."""

from typing import Any

import qt

from ..scene.panel_facts import Table

# Pixels in which a name of two words can be read.
LEAST_WIDTH = 90


def show_table(widget: Any, table: Table, wide_column: int = 0) -> None:
    """Fill a QTableWidget; the chosen row stays chosen where there is one of that number."""
    row = widget.currentRow()
    widget.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
    widget.setSelectionBehavior(qt.QAbstractItemView.SelectRows)
    widget.setSelectionMode(qt.QAbstractItemView.SingleSelection)
    widget.verticalHeader().setVisible(False)
    widget.setColumnCount(len(table.headings))
    # The unit on a line of its own keeps columns of numbers narrow.
    widget.setHorizontalHeaderLabels([text.replace(", ", ",\n") for text in table.headings])
    widget.setRowCount(len(table.rows))
    for number, cells in enumerate(table.rows):
        for column, text in enumerate(cells):
            item = widget.item(number, column)
            if item is None:
                item = qt.QTableWidgetItem()
                widget.setItem(number, column, item)
            item.setText(text)
            item.setToolTip(text)
    widget.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
    widget.horizontalHeader().setSectionResizeMode(wide_column, qt.QHeaderView.Stretch)
    if widget.columnWidth(wide_column) < LEAST_WIDTH:
        # Numbers would take all the room; the table is scrolled sideways instead.
        widget.horizontalHeader().setSectionResizeMode(wide_column, qt.QHeaderView.Interactive)
        widget.setColumnWidth(wide_column, LEAST_WIDTH)
    # A row that is chosen already would be scrolled to.
    if 0 <= row < len(table.rows) and row != widget.currentRow():
        widget.selectRow(row)
