"""The panel: steps from top to bottom, only the current one open, and a status line."""

from functools import partial
from typing import Any

import slicer

from ..scene.panel_facts import Accepted
from .correct_step import CorrectStep
from .export_step import ExportStep
from .measure_step import MeasureStep
from .networks_step import NetworksStep
from .panel_logic import PanelLogic
from .panel_state import PanelState
from .research_notice import research_notice
from .restore_box import RestoreBox
from .segment_step import SegmentStep
from .settings_step import SettingsStep
from .status_line import StatusLine
from .step import Step


class Panel:
    """All steps in one layout.

    Args:
        layout: Gets the sections.
        logic: Does the work.
        scene: Its nodes can be chosen.
        state: Choices of the person; see `show`.
    """

    def __init__(
        self, layout: Any, logic: PanelLogic, scene: slicer.vtkMRMLScene, state: PanelState
    ) -> None:
        self.status = StatusLine()
        self._state = state
        self.segment = SegmentStep(logic, self.status, scene, state, self._accepted)
        self.correct = CorrectStep(logic, self.status, scene, state)
        self.measure = MeasureStep(logic, self.status, state)
        self.export = ExportStep(logic, self.status, state)
        self.networks = NetworksStep(logic, self.status, self.segment.refresh)
        self.settings = SettingsStep(logic, self.status, self.segment.refresh)
        self._steps: dict[str, Step] = {
            "Segment": self.segment,
            "Correct": self.correct,
            "Measure": self.measure,
            "Export": self.export,
            "Networks": self.networks,
            "Settings": self.settings,
        }
        self.restore = RestoreBox(logic, self.status)
        layout.addWidget(self.restore.widget)
        for name, step in self._steps.items():
            step.section.collapsed = True
            step.section.connect("contentsCollapsed(bool)", partial(self._toggled, name))
            layout.addWidget(step.section)
        layout.addWidget(self.status.widget)
        layout.addStretch(1)
        with self.status.answering():
            self.status.say(research_notice())

    def show(self, state: PanelState) -> None:
        """Show what a parameter node says, and open the step that was open in it."""
        self._close_all()
        self.restore.refresh()
        self._state = state
        for step in self._steps.values():
            step.show(state)
        self.open(state.step if state.step in self._steps else "Segment")

    def open(self, name: str) -> None:
        """Open one step and close the others."""
        self._steps[name].section.collapsed = False

    def leave(self) -> None:
        """Let go of views, keys and observers; the open step stays marked in the state."""
        self._close_all()

    def _toggled(self, name: str, is_collapsed: bool) -> None:
        step = self._steps[name]
        if is_collapsed:
            step.close()
            return
        for other, others_step in self._steps.items():
            if other != name:
                others_step.section.collapsed = True
        self._state.step = name
        step.open()

    def _close_all(self) -> None:
        for step in self._steps.values():
            step.section.collapsed = True

    def _accepted(self, accepted: Accepted) -> None:
        """Go on to *Correct* with an accepted result."""
        self._state.result = accepted.node
        self.correct.show(self._state)
        self.status.say(accepted.sentence, accepted.details)
        self.open("Correct")
