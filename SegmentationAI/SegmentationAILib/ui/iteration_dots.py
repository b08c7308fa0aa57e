"""Iterations as dots on a line, each with its score; the current one is filled."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import qt
from slicer.i18n import tr as _

from ..scene.study_facts import IterationFacts, StudyFacts

FILLED: Final = "●"
HOLLOW: Final = "○"
GONE: Final = "×"


class IterationDots:
    """A row of buttons; they are made once each and hidden when there are fewer iterations.

    Args:
        box: Gets the buttons; its layout ends with a spacer.
        on_click: Told the number of the iteration whose dot was clicked.
    """

    def __init__(self, box: Any, on_click: Callable[[int], None]) -> None:
        self._box, self._on_click = box, on_click
        self._dots: list[Any] = []
        self._lines: list[Any] = []

    def show(self, study: StudyFacts | None, is_enabled: bool) -> None:
        """Show the iterations of a study.

        Args:
            study: None hides all.
            is_enabled: Whether one may go back now.
        """
        iterations = () if study is None else study.iterations
        while len(self._dots) < len(iterations):
            self._add()
        for number, dot in enumerate(self._dots):
            dot.visible = number < len(iterations)
            if number:
                self._lines[number - 1].visible = dot.visible
        if study is None:
            return
        for dot, one in zip(self._dots, iterations, strict=False):
            is_current = one.number == study.current
            mark = FILLED if is_current else GONE if one.is_rolled_back else HOLLOW
            score = "–" if one.holdout_dice is None else f"{one.holdout_dice:.3f}"
            dot.text = "\n".join((mark, name_of_iteration(one.number), score))
            dot.toolTip = _tip(one, is_current)
            dot.enabled = is_enabled and not one.is_rolled_back

    def _add(self) -> None:
        number, layout = len(self._dots), self._box.layout()
        # The spacer at the end stays there.
        place = layout.count() - 1
        if number:
            line = qt.QFrame()
            line.setFrameShape(qt.QFrame.HLine)
            line.setMinimumWidth(12)
            layout.insertWidget(place, line)
            self._lines.append(line)
            place += 1
        dot = qt.QToolButton()
        dot.objectName = f"iterationDot{number}"
        dot.autoRaise = True
        dot.connect("clicked()", partial(self._on_click, number))
        layout.insertWidget(place, dot)
        self._dots.append(dot)


def name_of_iteration(number: int) -> str:
    """Return what an iteration is called under its dot."""
    return str(number) if number else _("first")


def _tip(one: IterationFacts, is_current: bool) -> str:
    if one.number == 0:
        said = [_("The first labels of each case.")]
    else:
        said = [_("Iteration {number}.").format(number=one.number)]
    if one.holdout_dice is not None:
        more = _("Dice {dice:.3f} on the held-out cases, against their locked labels.")
        said.append(more.format(dice=one.holdout_dice))
    if one.dice_to_previous is not None:
        more = _("Dice {dice:.3f} to the labels that it learned from.")
        said.append(more.format(dice=one.dice_to_previous))
    said += [one.verdict] if one.verdict else []
    if one.is_rolled_back:
        said.append(_("It was given up; its labels are kept."))
    elif not is_current:
        said.append(_("A click goes back to its labels."))
    return " ".join(said)
