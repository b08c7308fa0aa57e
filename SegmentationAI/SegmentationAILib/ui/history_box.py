"""The versions of the chosen case side by side, while their button is ticked."""

from typing import Any, Final

import qt
from slicer.i18n import tr as _

from ..core.errors import SegmentationAIError
from ..scene.case_history import CaseHistory, HistoryTile
from ..scene.panel_facts import Outcome
from ..scene.study_facts import CaseFacts, StudyFacts
from .curve_picture import png_picture
from .relabel_logic import HistoryLogic

# Three beside each other in the narrowest panel.
COLUMNS: Final = 3
TILE_WIDTH: Final = 112
CURRENT: Final = "●"
_NOTHING: Final = ("", "", 0, 0)


class HistoryBox:
    """Tiles of a case: one for each version.

    Args:
        check: Shows and hides the box.
        box: Gets the tiles; its layout is a grid.
        label: Says which slice is shown, or why none is.
        logic: Makes the pictures.
    """

    def __init__(self, check: Any, box: Any, label: Any, logic: HistoryLogic) -> None:
        self._check, self._box, self._label, self._logic = check, box, label, logic
        self._tiles: list[tuple[Any, Any]] = []
        self._asked: tuple[str, str, int, int] | None = None
        self._study: StudyFacts | None = None
        self._case: CaseFacts | None = None
        check.connect("toggled(bool)", self._look)
        self._show(())
        self._label.text = ""

    def refresh(self, study: StudyFacts | None, case: CaseFacts | None) -> None:
        """Show the chosen case of a study; pictures that are shown already are not made again."""
        self._study, self._case = study, case
        self._look()

    def _look(self) -> None:
        is_shown = bool(self._check.checked)
        self._box.visible = self._label.visible = is_shown
        if not is_shown:
            return
        wanted = self._wanted()
        if wanted == self._asked:
            return
        self._asked = wanted
        if wanted == _NOTHING or self._case is None:
            self._show(())
            self._label.text = _("Choose a case of the list.")
            return

        def came(history: CaseHistory) -> None:
            if wanted == self._asked:
                self._label.text = history.sentence
                self._show(history.tiles)

        def refused(outcome: Outcome) -> None:
            if wanted == self._asked:
                self._label.text = outcome.sentence
                self._show(())

        try:
            self._logic.case_history(self._case.id, came, refused)
        except SegmentationAIError as error:
            refused(Outcome(str(error), is_success=False))

    def _wanted(self) -> tuple[str, str, int, int]:
        """Return what tells one set of pictures from another: a version more is another one."""
        study, case = self._study, self._case
        if study is None or case is None:
            return _NOTHING
        return str(study.folder), case.id, case.version or 0, len(study.iterations)

    def _show(self, tiles: tuple[HistoryTile, ...]) -> None:
        while len(self._tiles) < len(tiles):
            self._add()
        for number, (picture, caption) in enumerate(self._tiles):
            is_there = number < len(tiles)
            picture.visible = caption.visible = is_there
            if is_there:
                tile = tiles[number]
                mark = f"{CURRENT} " if tile.is_current else ""
                picture.setPixmap(png_picture(tile.png, TILE_WIDTH))
                caption.text = mark + tile.caption
                picture.toolTip = caption.toolTip = tile.tip

    def _add(self) -> None:
        place, grid = len(self._tiles), self._box.layout()
        row, column = 2 * (place // COLUMNS), place % COLUMNS
        made = []
        for below, name in enumerate(("historyPicture", "historyCaption")):
            label = qt.QLabel()
            label.objectName = f"{name}{place}"
            label.setAlignment(qt.Qt.AlignHCenter | qt.Qt.AlignTop)
            grid.addWidget(label, row + below, column)
            made.append(label)
        self._tiles.append((made[0], made[1]))
