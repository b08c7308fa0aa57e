"""The curves of a training as a picture: loss of the steps, Dice on what is held out."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import qt
from slicer.i18n import tr as _

from ..scene.training_facts import Curves, Point

WIDTH, HEIGHT = 360, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 38, 34, 20, 18
# Blue and orange are told apart by all; the Dice has marks besides.
_LOSS_COLOR: Final = (31, 119, 180)
_DICE_COLOR: Final = (214, 106, 16)
_MARK = 2


def curve_picture(curves: Curves) -> Any:
    """Return a pixmap: loss on the left scale, Dice from 0 to 1 on the right one, by steps."""
    pixmap = qt.QPixmap(WIDTH, HEIGHT)
    pixmap.fill(qt.QColor(255, 255, 255))
    painter = qt.QPainter(pixmap)
    _frame(painter)
    steps = max([curves.steps, *(int(x) for x, _ in (*curves.losses, *curves.dice))], default=1)
    losses = [y for _, y in curves.losses]
    high = max(losses, default=1.0) or 1.0
    low = min([0.0, *losses])
    loss = places(curves.losses, steps, low, high)
    dice = places(curves.dice, steps, 0.0, 1.0)
    _line(painter, loss, _LOSS_COLOR)
    _line(painter, dice, _DICE_COLOR)
    for x, y in dice:
        painter.drawRect(x - _MARK, y - _MARK, 2 * _MARK, 2 * _MARK)
    _texts(painter, curves, (low, high), steps)
    painter.end()
    return pixmap


def places(points: Sequence[Point], steps: int, low: float, high: float) -> list[tuple[int, int]]:
    """Return the pixels of points, from the top left.

    Examples:
        >>> places([(0, 0.0), (10, 1.0)], 10, 0.0, 1.0)
        [(38, 162), (326, 20)]
    """
    across, down = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    span = (high - low) or 1.0
    return [
        (
            _LEFT + round(across * x / max(steps, 1)),
            HEIGHT - _BOTTOM - round(down * (y - low) / span),
        )
        for x, y in points
    ]


def _frame(painter: Any) -> None:
    painter.setPen(qt.QPen(qt.QColor(200, 200, 200)))
    for quarter in range(5):
        y = _TOP + round((HEIGHT - _TOP - _BOTTOM) * quarter / 4)
        painter.drawLine(_LEFT, y, WIDTH - _RIGHT, y)


def _line(painter: Any, pixels: Sequence[tuple[int, int]], color: tuple[int, int, int]) -> None:
    pen = qt.QPen(qt.QColor(*color))
    pen.setWidth(2)
    painter.setPen(pen)
    for (x, y), (next_x, next_y) in pairwise(pixels):
        painter.drawLine(x, y, next_x, next_y)


def _texts(painter: Any, curves: Curves, scale: tuple[float, float], steps: int) -> None:
    low, high = scale
    painter.setPen(qt.QPen(qt.QColor(*_LOSS_COLOR)))
    painter.drawText(2, _TOP + 4, f"{high:.2g}")
    painter.drawText(2, HEIGHT - _BOTTOM + 4, f"{low:.2g}")
    if curves.losses:
        painter.drawText(_LEFT, _TOP - 6, _("Loss {loss:.3f}").format(loss=curves.losses[-1][1]))
    painter.setPen(qt.QPen(qt.QColor(*_DICE_COLOR)))
    painter.drawText(WIDTH - _RIGHT + 6, _TOP + 4, "1")
    painter.drawText(WIDTH - _RIGHT + 6, HEIGHT - _BOTTOM + 4, "0")
    if curves.dice and curves.best is not None:
        words = _("Dice held out {dice:.3f}, best {best:.3f}")
        words = words.format(dice=curves.dice[-1][1], best=curves.best)
        painter.drawText(_LEFT + 90, _TOP - 6, words)
    painter.setPen(qt.QPen(qt.QColor(90, 90, 90)))
    painter.drawText(_LEFT, HEIGHT - 3, _("step 0"))
    painter.drawText(WIDTH - _RIGHT - 50, HEIGHT - 3, str(steps))


def png_picture(data: bytes, width: int) -> Any:
    """Return a pixmap of a PNG file, made narrower where it is wider than ``width`` pixels."""
    pixmap = qt.QPixmap()
    pixmap.loadFromData(data, "PNG")
    if pixmap.width() > width:
        return pixmap.scaledToWidth(width, qt.Qt.SmoothTransformation)
    return pixmap
