"""The panel: steps from top to bottom, only the current one open, and a status line."""

from functools import partial
from typing import Any

import slicer

from ..scene.panel_facts import Accepted
from .compare_step import CompareStep
from .correct_step import CorrectStep
from .export_step import ExportStep
from .measure_step import MeasureStep
from .networks_step import NetworksStep
from .panel_logic import PanelLogic
from .panel_state import PanelState, choose_result
from .queue_step import QueueStep
from .refine_step import RefineStep
from .relabel_step import RelabelStep
from .research_notice import research_notice
from .restore_box import RestoreBox
from .segment_step import SegmentStep
from .settings_step import SettingsStep
from .status_line import StatusLine
from .step import Step
from .train_step import TrainStep


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
        self._has_asked_server = False
        self._logic, self._state = logic, state
        self.segment = SegmentStep(logic, self.status, scene, state, self._accepted)
        self.correct = CorrectStep(logic, self.status, scene, state)
        self.refine = RefineStep(
            logic,
            self.status,
            scene,
            state,
            on_accepted=self.correct.refresh,
            save_state=self.correct.save_state_of,
            on_kept=self._networks_changed,
        )
        self.queue = QueueStep(logic, self.status)
        self.relabel = RelabelStep(logic, self.status, self._case_opened)
        self.measure = MeasureStep(logic, self.status, scene, state)
        self.compare = CompareStep(logic, self.status, scene, state)
        self.export = ExportStep(logic, self.status, state)
        self.train = TrainStep(logic, self.status, self._networks_changed)
        self.networks = NetworksStep(logic, self.status, self._networks_changed)
        self.settings = SettingsStep(logic, self.status, self._networks_changed)
        self._steps: dict[str, Step] = {
            "Segment": self.segment,
            "Queue": self.queue,
            "Correct": self.correct,
            "Refine": self.refine,
            "Relabel": self.relabel,
            "Measure": self.measure,
            "Compare": self.compare,
            "Export": self.export,
            "Train": self.train,
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
        if not self._has_asked_server:
            self._has_asked_server = True
            self.settings.server.ask()

    def say_who_made_it(self) -> None:
        """Say which networks, in which version, made the result of a scene that was loaded."""
        with self.status.answering():
            if self._state.result is not None:
                self.status.say(self._logic.made_by(self._state.result))

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

    def _networks_changed(self) -> None:
        """List the networks again: some came or went, or they run elsewhere now."""
        self.segment.refresh()
        for name in ("Queue", "Networks"):
            if not self._steps[name].section.collapsed:
                self._steps[name].open()

    def _case_opened(self, volume: Any, labels: Any) -> None:
        """Let all steps work on a case of a study: its scan and its labels."""
        self._state.volume, self._state.result = volume, labels
        for step in self._steps.values():
            if step is not self.relabel:
                step.show(self._state)

    def _accepted(self, accepted: Accepted) -> None:
        """Go on to *Correct* with an accepted result."""
        assert accepted.node is not None, "only what was written is told"
        choose_result(self._state, accepted.node, self._logic.scan_of(accepted.node))
        self.correct.show(self._state)
        self.status.say(accepted.sentence, accepted.details)
        self.open("Correct")
