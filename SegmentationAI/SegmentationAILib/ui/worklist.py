"""The worklist's table: which cases are shown, in what order, and which one comes next."""

from collections.abc import Callable
from typing import Any, Final

import qt
from slicer.i18n import tr as _

from ..scene.case_origin import ORIGIN_COLORS
from ..scene.panel_facts import Table
from ..scene.study_facts import CaseFacts, StudyFacts
from .plain_table import show_table

Fits = Callable[[CaseFacts], bool]
_DECIDED: Final = ("accepted", "skipped", "failed")
_STATE_COLUMN: Final = 1
_SWATCH: Final = 10
HELD_OUT: Final = "◆"


def filters() -> tuple[tuple[str, Fits], ...]:
    """Return what can be listed: title, and whether a case belongs to it."""
    return (
        (_("All cases"), lambda case: True),
        (_("To do"), lambda case: case.state not in _DECIDED),
        (_("Corrected"), lambda case: case.state == "corrected"),
        (_("Accepted"), lambda case: case.state == "accepted"),
        (_("Skipped"), lambda case: case.state == "skipped"),
        (_("Not readable"), lambda case: case.state == "failed"),
    )


class Worklist:
    """Shows the cases of a study in a table.

    Args:
        table: ``QTableWidget``.
    """

    def __init__(self, table: Any) -> None:
        self._table = table
        # Cases of one study differ at the end of their names.
        table.setTextElideMode(qt.Qt.ElideMiddle)
        table.setWordWrap(False)
        self._swatches: dict[str, Any] = {}
        self.rows: tuple[CaseFacts, ...] = ()
        # Where the open case was, so that Next goes on there when it is listed no more.
        self._place = -1

    def show(self, study: StudyFacts | None, fits: Fits, open_case: str) -> None:
        """List the cases of a study that fit; the open one is marked."""
        self.rows = () if study is None else tuple(c for c in study.cases if fits(c))
        headings = (_("Case"), _("State"), _("Time, min"), _("Dice"), _("Who"))
        cells = tuple(_cells(case, case.id == open_case) for case in self.rows)
        show_table(self._table, Table(headings, cells))
        for row, case in enumerate(self.rows):
            item = self._table.item(row, _STATE_COLUMN)
            item.setIcon(self._swatch(case.provenance))
            item.setToolTip(_tip(case))
        names = [case.id for case in self.rows]
        if open_case in names:
            self._place = names.index(open_case)

    def chosen(self) -> CaseFacts | None:
        """Return the case of the chosen row, None without one."""
        row = self._table.currentRow()
        return self.rows[row] if 0 <= row < len(self.rows) else None

    def choose(self, case_id: str) -> None:
        """Choose the row of a case, where it is listed."""
        names = [case.id for case in self.rows]
        if case_id in names and self._table.currentRow() != names.index(case_id):
            self._table.selectRow(names.index(case_id))

    def next_after(self, open_case: str) -> str:
        """Return the case below the open one, empty at the end."""
        names = [case.id for case in self.rows]
        place = names.index(open_case) + 1 if open_case in names else max(self._place, 0)
        return names[place] if place < len(names) else ""

    def back_before(self, open_case: str) -> str:
        """Return the case above the open one, empty at the beginning."""
        names = [case.id for case in self.rows]
        place = names.index(open_case) if open_case in names else self._place
        return names[place - 1] if 0 < place <= len(names) else ""

    def _swatch(self, provenance: str) -> Any:
        if provenance not in self._swatches:
            pixmap = qt.QPixmap(_SWATCH, _SWATCH)
            color = qt.QColor(0, 0, 0, 0)
            if provenance in ORIGIN_COLORS:
                color = qt.QColor()
                color.setRgbF(*ORIGIN_COLORS[provenance])
            pixmap.fill(color)
            self._swatches[provenance] = qt.QIcon(pixmap)
        return self._swatches[provenance]


def state_in_words(case: CaseFacts) -> str:
    """Return where a case stands, as the table says it."""
    words = {
        "new": _("no labels"),
        "weak": _("weak"),
        "predicted": _("predicted"),
        "corrected": _("corrected"),
        "accepted": _("accepted"),
        "skipped": _("skipped"),
        "failed": _("not readable"),
    }
    return str(words.get(case.state, case.state))


def _tip(case: CaseFacts) -> str:
    said = case.reason or state_in_words(case)
    if case.is_held_out:
        more = _("Held out: no network learns from it, its locked labels give the score.")
        return f"{said}. {more}"
    return said


def _cells(case: CaseFacts, is_open: bool) -> tuple[str, ...]:
    name = f"▸ {case.id}" if is_open else case.id
    dice = "–" if case.dice is None else f"{case.dice:.3f}"
    state = state_in_words(case)
    if case.is_held_out:
        state = f"{state} {HELD_OUT}"
    return (name, state, f"{case.seconds / 60:.1f}", dice, case.who)
