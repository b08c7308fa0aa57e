"""The controls of a correction, for the panel's step and the Segment Editor's effect alike."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import qt
from slicer.i18n import tr as _

from ..core.prompts import PointRas, Prompt
from ..scene.panel_facts import Accepted
from ..scene.refine_facts import CorrectionAsked, CorrectionFacts
from .prompt_hand import PromptHand, Tool
from .refine_logic import RefineLogic
from .status_line import StatusLine

MODES: Final = ("add and remove", "add only", "remove only")
RUN_MODES: Final = ("on release", "live", "on apply")
Ask = Callable[[], CorrectionAsked | None]


class RefineBox:
    """Tools, rules, prompts, doubts, *Accept* and *Discard*.

    Args:
        ui: Widgets of ``Refine.ui`` by name.
        logic: Corrects.
        status: Shows errors.
        ask: Returns what the next click begins to correct; None when nothing is chosen.
        on_accepted: Told what was written.
        show_cursor: Told whether the next click adds.
    """

    def __init__(
        self,
        ui: Any,
        logic: RefineLogic,
        status: StatusLine,
        ask: Ask,
        on_accepted: Callable[[Accepted], None],
        show_cursor: Callable[[bool], None],
    ) -> None:
        self._ui, self._logic, self._status = ui, logic, status
        self._ask, self._on_accepted = ask, on_accepted
        self.save_state: Callable[[], None] = lambda: None
        self.on_kept: Callable[[], None] = lambda: None
        self.facts = CorrectionFacts()
        self.hand = PromptHand(self._give, self._draw, show_cursor, self.press_key)
        self._shown: tuple[str, ...] | None = None
        self._buttons: list[Any] = []
        ui.modeSelector.addItems([_("Adds and removes"), _("Adds only"), _("Removes only")])
        ui.runSelector.addItems([_("When released"), _("While drawing"), _("On Apply")])
        self._tools: dict[Tool, Any] = {
            "draw": ui.drawTool,
            "box": ui.boxTool,
            "lasso": ui.lassoTool,
        }
        for name, button in self._tools.items():
            button.connect("clicked()", partial(self._choose_tool, name))
        ui.modeSelector.connect("currentIndexChanged(int)", self._rules_chosen)
        ui.runSelector.connect("currentIndexChanged(int)", self._rules_chosen)
        ui.brushSpin.connect("valueChanged(double)", self._brush_chosen)
        ui.slicesList.connect("itemClicked(QListWidgetItem*)", self._slice_chosen)
        for button, act in (
            (ui.undoPromptButton, logic.undo_prompt),
            (ui.redoPromptButton, logic.redo_prompt),
            (ui.applyPromptsButton, logic.apply_prompts),
            (ui.doubtButton, logic.next_doubt),
            (ui.agreeButton, logic.agree),
        ):
            button.connect("clicked()", partial(self._do, act))
        ui.keepNetworkButton.connect("clicked()", self._keep)
        ui.keepIdLine.connect("textChanged(QString)", lambda: self._show_keeping())
        ui.acceptCorrectionButton.connect("clicked()", self.accept)
        ui.discardCorrectionButton.connect("clicked()", self.discard)
        self._brush_chosen(ui.brushSpin.value)
        self._show_tool()
        self._show(self.facts)

    @property
    def rules(self) -> tuple[str, str]:
        """What prompts may do, and when they are answered."""
        mode, run = self._ui.modeSelector.currentIndex, self._ui.runSelector.currentIndex
        return MODES[max(0, mode)], RUN_MODES[max(0, run)]

    def press_key(self, name: str) -> bool:
        """Do what a key means; return whether it means something."""
        keys: dict[str, Callable[[], None]] = {
            "b": partial(self._choose_tool, "box"),
            "l": partial(self._choose_tool, "lasso"),
            "n": partial(self._do, self._logic.next_doubt),
            "z": partial(self._do, self._logic.undo_prompt),
            "Z": partial(self._do, self._logic.redo_prompt),
            "Return": self.accept,
            "Escape": self.discard,
        }
        line = self._ui.keepIdLine
        if name in ("Return", "Escape") and line.focus and line.text:
            # These keys belong to the line then: Accept would end what is about to be kept.
            keys = {"Return": self._keep, "Escape": line.clear}
        act = keys.get(name)
        if act is None or (name not in ("b", "l") and not self.facts.is_open):
            return False
        act()
        return True

    def accept(self) -> None:
        """Write what is shown into the segment."""
        with self._status.answering():
            self._logic.accept_correction(self._accepted, self.save_state)

    def discard(self) -> None:
        """Forget what is being drawn, or else throw the correction away."""
        if self.hand.is_down:
            self.hand.drop()
            return
        if self.facts.is_open:
            self._logic.discard_correction()
            self._status.say(_("The correction was thrown away; the segment is as it was."))

    def _keep(self) -> None:
        """Keep the network that was adapted, under the ID that was typed."""
        if self._ui.keepNetworkButton.enabled:
            self._do(partial(self._logic.keep_network, self._ui.keepIdLine.text, self._kept))

    def _kept(self, sentence: str) -> None:
        self._ui.keepIdLine.clear()
        # Qt moves the focus from the button to the line; keys mean the correction again.
        self._ui.refineTools.setFocus()
        self._status.say(sentence)
        self.on_kept()

    def _accepted(self, accepted: Accepted) -> None:
        self._status.say(accepted.sentence, accepted.details)
        self._on_accepted(accepted)

    def _give(self, prompt: Prompt, is_finished: bool) -> None:
        with self._status.answering():
            if not self.facts.is_open:
                if self._logic.correction().is_open:
                    # There is one correction for the panel and all Segment Editors.
                    self._status.say(
                        _("A segment is being corrected in another place already, in the step "
                          "Refine or in a Segment Editor; accept or discard that first.")
                    )  # fmt: skip
                    return
                asked = self._ask()
                if asked is None:
                    self._status.say(_("Choose the segment that is to be corrected."))
                    return
                self._logic.correct(asked, self._show)
            self._logic.prompt(prompt, is_finished)
        if is_finished:
            self._show_tool()

    def _draw(self, points: Sequence[PointRas], is_closed: bool, positive: bool) -> None:
        self._logic.show_drawing(points, is_closed, positive)

    def _do(self, act: Callable[[], None]) -> None:
        with self._status.answering():
            act()

    def _choose_tool(self, tool: Tool) -> None:
        self.hand.tool = tool
        self._show_tool()

    def _show_tool(self) -> None:
        for name, button in self._tools.items():
            button.checked = name == self.hand.tool

    def _rules_chosen(self) -> None:
        mode, run_mode = self.rules
        self.hand.is_live = run_mode == "live"
        if self.facts.is_open:
            self._do(partial(self._logic.set_refine_rules, mode, run_mode))
        self._show(self.facts)

    def _brush_chosen(self, radius_mm: float) -> None:
        self.hand.radius_mm = radius_mm

    def _slice_chosen(self) -> None:
        row = self._ui.slicesList.currentRow
        if 0 <= row < len(self.facts.slices):
            self._do(partial(self._logic.jump_to, self.facts.slices[row].place))

    def _remove(self, index: int) -> None:
        self._do(partial(self._logic.remove_prompt, index))

    def _show(self, facts: CorrectionFacts) -> None:
        """Bring the widgets in line with how the correction stands."""
        self.facts, ui = facts, self._ui
        ui.refineLabel.text = facts.sentence
        ui.refineLabel.visible = bool(facts.sentence)
        ui.undoPromptButton.enabled = facts.can_undo
        ui.redoPromptButton.enabled = facts.can_redo
        ui.applyPromptsButton.visible = self.rules[1] == "on apply"
        ui.applyPromptsButton.enabled = facts.waiting > 0
        waiting = _("Apply {count}").format(count=facts.waiting)
        ui.applyPromptsButton.text = waiting if facts.waiting else _("Apply")
        ui.doubtButton.enabled = facts.is_open and bool(facts.prompts)
        ui.agreeButton.enabled = facts.proposed is not None
        ui.acceptCorrectionButton.enabled = facts.is_open and facts.has_change
        ui.discardCorrectionButton.enabled = facts.is_open
        self._show_keeping()
        score = "" if facts.score is None else _("Expected Dice near the last prompt: {score:.2f}")
        ui.scoreLabel.text = score.format(score=facts.score)
        ui.scoreLabel.visible = bool(score)
        ui.slicesList.visible = bool(facts.slices)
        texts = [one.text for one in facts.slices]
        if [ui.slicesList.item(row).text() for row in range(ui.slicesList.count)] != texts:
            ui.slicesList.clear()
            ui.slicesList.addItems(texts)
        if facts.prompts != self._shown:
            self._show_prompts(facts.prompts)

    def _show_keeping(self) -> None:
        ui, facts = self._ui, self.facts
        ui.keepTools.visible = facts.adapts
        is_ready = facts.adapts and bool(facts.prompts) and not facts.is_busy
        ui.keepNetworkButton.enabled = is_ready and bool(ui.keepIdLine.text.strip())

    def _show_prompts(self, prompts: tuple[str, ...]) -> None:
        self._shown, table = prompts, self._ui.promptsTable
        table.setColumnCount(2)
        table.setRowCount(0)
        table.setRowCount(len(prompts))
        table.horizontalHeader().setVisible(False)
        table.verticalHeader().setVisible(False)
        table.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
        for row, text in enumerate(prompts):
            table.setItem(row, 0, qt.QTableWidgetItem(text))
            cross = qt.QPushButton("×")
            cross.toolTip = _("Takes this prompt out; those after it are answered anew.")
            cross.connect("clicked()", partial(self._remove, row))
            table.setCellWidget(row, 1, cross)
        table.horizontalHeader().setSectionResizeMode(0, qt.QHeaderView.Stretch)
        table.horizontalHeader().setSectionResizeMode(1, qt.QHeaderView.ResizeToContents)
        table.scrollToBottom()
