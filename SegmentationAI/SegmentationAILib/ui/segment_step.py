"""The step *Segment*: a scan, a network, what is wanted of it, and the run."""

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from ..scene.panel_facts import NetworkFacts, Request
from .network_choice import NetworkChoice
from .panel_logic import RunLogic
from .panel_state import EXTRA_CHANNELS, PanelState
from .run_box import OnResult, RunBox
from .sections import load_section
from .status_line import StatusLine


class SegmentStep:
    """The first step.

    Args:
        logic: Does the work.
        status: Shows errors.
        scene: Its volumes, boxes and segmentations can be chosen.
        state: Gets the choices.
        on_result: Told which segmentation has an accepted result.
    """

    def __init__(
        self,
        logic: RunLogic,
        status: StatusLine,
        scene: slicer.vtkMRMLScene,
        state: PanelState,
        on_result: OnResult,
    ) -> None:
        self._logic, self._status, self._scene = logic, status, scene
        self._state = state
        self._is_showing = False
        self._channel_labels: list[Any] = []
        self._channel_selectors: list[Any] = []
        self.section, self._ui = load_section("Segment")
        self._selectors = {
            "volume": self._ui.volumeSelector,
            "roi": self._ui.roiSelector,
            "into": self._ui.outputSelector,
        }
        for selector in self._selectors.values():
            selector.setMRMLScene(scene)
        self._run = RunBox(self._ui, self.section, logic, status, on_result)
        self._networks = NetworkChoice(self._ui, self._network_chosen)
        self._ui.volumeSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._volume_chosen)
        self._ui.roiSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._nodes_chosen)
        self._ui.outputSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._nodes_chosen)
        self._ui.showAllCheck.connect("toggled(bool)", self._show_all)
        self._ui.replaceCheck.connect("toggled(bool)", self._replace_chosen)
        self._ui.structuresList.connect("itemChanged(QListWidgetItem*)", self._structures_chosen)
        self._ui.segmentButton.connect("clicked()", self._segment)

    def show(self, state: PanelState) -> None:
        """Show what the state says; from now on the person's choices go there."""
        self._state = state
        self._is_showing = True
        for name, selector in self._selectors.items():
            selector.setCurrentNode(getattr(state, name))
        self._ui.showAllCheck.checked = state.shows_all
        self._ui.replaceCheck.checked = state.replaces_work
        self._is_showing = False
        self._volume_chosen(state.volume)

    def open(self) -> None:
        """Choose the scan that is there, where none is chosen yet."""
        # What was hidden while the section was folded shows when it unfolds.
        self._run.set_open(True)
        self._ui.channelsBox.visible = bool(self._channel_selectors)
        self._ui.replaceCheck.visible = self._state.into is not None
        # A result that was chosen in another step has brought its scan along.
        if self._state.volume is not None:
            self._ui.volumeSelector.setCurrentNode(self._state.volume)
        if self._ui.volumeSelector.currentNode() is None:
            node = self._scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
            self._ui.volumeSelector.setCurrentNode(node)

    def close(self) -> None:
        """Let go of the keys; a run goes on while other steps are open."""
        self._run.set_open(False)

    def refresh(self) -> None:
        """List the networks again, as after one was installed or removed."""
        self._volume_chosen(self._state.volume)

    def _volume_chosen(self, node: slicer.vtkMRMLScalarVolumeNode | None) -> None:
        if self._is_showing:
            return
        self._state.volume = node
        with self._status.answering():
            self._ui.runsOnLabel.text = self._logic.badge()
            self._ui.kindLabel.text = "" if node is None else self._logic.describe_volume(node)
            self._networks.show(self._logic.networks(node), self._state.network)

    def _network_chosen(self, network: NetworkFacts | None) -> None:
        if network is not None:
            self._state.network = network.id
        self._show_channels(network)
        self._show_structures(network)
        self._show_readiness()

    def _show_channels(self, network: NetworkFacts | None) -> None:
        """Offer a selector for each further input channel of the network."""
        form = self._ui.channelsBox.layout()
        for old in (*self._channel_labels, *self._channel_selectors):
            old.setParent(None)
            old.deleteLater()
        self._channel_labels, self._channel_selectors = [], []
        roles = () if network is None else network.roles[1:]
        for name, (_role, title) in zip(EXTRA_CHANNELS, roles, strict=False):
            selector = slicer.qMRMLNodeComboBox(self._ui.channelsBox)
            selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
            selector.noneEnabled, selector.addEnabled = True, False
            selector.removeEnabled = False
            selector.toolTip = _("The scan for this input; spacing and grid may differ (mm).")
            selector.setMRMLScene(self._scene)
            selector.setCurrentNode(getattr(self._state, name))
            selector.connect("currentNodeChanged(vtkMRMLNode*)", self._nodes_chosen)
            label = qt.QLabel(f"{title}:", self._ui.channelsBox)
            form.addRow(label, selector)
            self._channel_labels.append(label)
            self._channel_selectors.append(selector)
        self._ui.channelsBox.visible = bool(self._channel_selectors)

    def _show_structures(self, network: NetworkFacts | None) -> None:
        names = self._ui.structuresList
        was_blocked = names.blockSignals(True)
        names.clear()
        for name in () if network is None else network.structures:
            item = qt.QListWidgetItem(name)
            is_wanted = name not in self._state.left_out
            item.setCheckState(qt.Qt.Checked if is_wanted else qt.Qt.Unchecked)
            names.addItem(item)
        names.blockSignals(was_blocked)

    def _nodes_chosen(self) -> None:
        if self._is_showing:
            return
        self._state.roi = self._ui.roiSelector.currentNode()
        self._state.into = self._ui.outputSelector.currentNode()
        self._ui.replaceCheck.visible = self._state.into is not None
        for name, selector in zip(EXTRA_CHANNELS, self._channel_selectors, strict=False):
            setattr(self._state, name, selector.currentNode())
        self._show_readiness()

    def _show_all(self, shows_all: bool) -> None:
        if not self._is_showing:
            self._state.shows_all = shows_all

    def _replace_chosen(self, replaces_work: bool) -> None:
        if not self._is_showing:
            self._state.replaces_work = replaces_work

    def _structures_chosen(self) -> None:
        self._state.left_out = [name for name, is_wanted in self._structures() if not is_wanted]
        self._show_readiness()

    def _structures(self) -> list[tuple[str, bool]]:
        names = self._ui.structuresList
        items = [names.item(row) for row in range(names.count)]
        return [(item.text(), item.checkState() == qt.Qt.Checked) for item in items]

    def _show_readiness(self) -> None:
        wanted = [name for name, is_wanted in self._structures() if is_wanted]
        channels = [selector.currentNode() for selector in self._channel_selectors]
        network = self._networks.current
        self._run.set_ready(
            self._state.volume is not None
            and network is not None
            and (network.state != "available" or network.can_be_installed)
            and bool(wanted)
            and None not in channels
        )

    def _segment(self) -> None:
        network = self._networks.current
        assert network is not None, "the button is enabled with a network alone"
        structures = self._structures()
        wanted = tuple(name for name, is_wanted in structures if is_wanted)
        chosen = [selector.currentNode() for selector in self._channel_selectors]
        roles = [role for role, _title in network.roles[1:]]
        self._run.start(
            Request(
                volume=self._state.volume,
                network_id=network.id,
                others=dict(zip(roles, chosen, strict=True)),
                roi=self._state.roi,
                structures=None if len(wanted) == len(structures) else wanted,
                into=self._state.into,
                replaces_work=self._state.replaces_work,
            )
        )
