"""The cursor that shows what a click does: an amber plus adds, a violet minus removes."""

from typing import Any

import qt

from ..scene.refine_preview import CORRECTED_COLOR, TAKEN_COLOR

_SIZE = 25
_ARM = 9


def prompt_cursor(adds: bool) -> Any:
    """Return the cursor; its sign tells without its color."""
    pixmap = qt.QPixmap(_SIZE, _SIZE)
    pixmap.fill(qt.QColor(0, 0, 0, 0))
    painter = qt.QPainter(pixmap)
    middle = _SIZE // 2
    color = qt.QColor()
    color.setRgbF(*(CORRECTED_COLOR if adds else TAKEN_COLOR))
    # Dark below, so that it is seen on bright tissue too.
    for drawn, width in ((qt.QColor(0, 0, 0), 5), (color, 3)):
        pen = qt.QPen(drawn)
        pen.setWidth(width)
        painter.setPen(pen)
        painter.drawLine(middle - _ARM, middle, middle + _ARM, middle)
        if adds:
            painter.drawLine(middle, middle - _ARM, middle, middle + _ARM)
    painter.end()
    return qt.QCursor(pixmap, middle, middle)
