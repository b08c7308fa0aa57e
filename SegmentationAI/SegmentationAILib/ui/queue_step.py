"""The step *Queue*: many scans, many networks, one run after the other."""

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from ..scene.panel_facts import NetworkFacts, QueuedFacts, Table
from .consent import has_consent
from .panel_logic import QueueLogic
from .panel_state import PanelState
from .plain_table import show_table
from .sections import load_section
from .status_line import StatusLine

_OVER = ("done", "failed", "canceled")


class QueueStep:
    """The step for cases times networks.

    Args:
        logic: Runs them, one after the other.
        status: Shows errors and how the chosen entry ended.
    """

    def __init__(self, logic: QueueLogic, status: StatusLine) -> None:
        self._logic, self._status = logic, status
        self._scans: tuple[slicer.vtkMRMLScalarVolumeNode, ...] = ()
        self._networks: tuple[NetworkFacts, ...] = ()
        self._entries: tuple[QueuedFacts, ...] = ()
        self.section, self._ui = load_section("Queue")
        for names in (self._ui.queueScans, self._ui.queueNetworks):
            names.connect("itemChanged(QListWidgetItem*)", self._show_readiness)
        self._ui.enqueueButton.connect("clicked()", self._enqueue)
        self._ui.queueTable.connect("itemSelectionChanged()", self._show_entry)
        self._ui.cancelOneButton.connect("clicked()", self._cancel_one)
        self._ui.cancelAllButton.connect("clicked()", self._cancel_all)
        self._ui.repeatButton.connect("clicked()", self._repeat)
        self._ui.clearButton.connect("clicked()", self._clear)
        logic.watch_queue(self._show_queue)

    def show(self, state: PanelState) -> None:
        """Nothing of this step is kept in the scene."""
        self._show_queue()

    def open(self) -> None:
        """List scans and networks; called when the step opens."""
        with self._status.answering():
            self._scans = self._logic.scans()
            everything = self._logic.networks(None)
            self._networks = tuple(n for n in everything if _can_wait(n))
        _list(self._ui.queueScans, [(node.GetName(), "") for node in self._scans])
        _list(self._ui.queueNetworks, [(n.title, n.task) for n in self._networks])
        self._show_queue()

    def close(self) -> None:
        """Nothing is held: the queue goes on while other steps are open."""

    def _enqueue(self) -> None:
        scans = _checked(self._ui.queueScans, self._scans)
        networks = _checked(self._ui.queueNetworks, self._networks)
        with self._status.answering():
            if has_consent(self._logic):
                count = self._logic.enqueue(scans, networks)
                said = _("{count} run was added.") if count == 1 else _("{count} runs were added.")
                self._status.say(said.format(count=count))

    def _show_queue(self) -> None:
        self._entries = self._logic.queued()
        rows = tuple((e.scan, e.network, self._state_of(e)) for e in self._entries)
        show_table(self._ui.queueTable, Table((_("Scan"), _("Network"), _("State")), rows))
        self._show_entry()
        self._show_readiness()

    def _show_readiness(self) -> None:
        count = len(_checked(self._ui.queueScans, self._scans)) * len(
            _checked(self._ui.queueNetworks, self._networks)
        )
        self._ui.enqueueButton.enabled = count > 0
        text = _("Add {count} runs") if count != 1 else _("Add {count} run")
        self._ui.enqueueButton.text = text.format(count=count)
        is_open = [entry.state not in _OVER for entry in self._entries]
        self._ui.cancelAllButton.enabled = any(is_open)
        self._ui.clearButton.enabled = not all(is_open)

    def _chosen(self) -> QueuedFacts | None:
        row = self._ui.queueTable.currentRow()
        return self._entries[row] if 0 <= row < len(self._entries) else None

    def _show_entry(self) -> None:
        entry = self._chosen()
        self._ui.queueLabel.text = "" if entry is None else entry.sentence
        self._ui.queueLabel.visible = bool(self._ui.queueLabel.text)
        self._ui.cancelOneButton.enabled = entry is not None and entry.state not in _OVER
        self._ui.repeatButton.enabled = entry is not None and entry.state in _OVER

    def _cancel_one(self) -> None:
        entry = self._chosen()
        assert entry is not None, "the button is enabled with an entry alone"
        with self._status.answering():
            self._logic.cancel_queued(entry.id)

    def _cancel_all(self) -> None:
        with self._status.answering():
            self._logic.cancel_all_queued()

    def _repeat(self) -> None:
        entry = self._chosen()
        assert entry is not None, "the button is enabled with an entry alone"
        with self._status.answering():
            if has_consent(self._logic):
                self._logic.repeat_queued(entry.id)

    def _clear(self) -> None:
        with self._status.answering():
            self._logic.clear_queue()

    @staticmethod
    def _state_of(entry: QueuedFacts) -> str:
        words = {
            "waiting": _("waiting"),
            "running": _("running"),
            "done": _("done"),
            "failed": _("not done"),
            "canceled": _("canceled"),
        }
        percent = entry.sentence.partition(",")[0]
        is_counted = entry.state == "running" and percent.endswith("%")
        return percent if is_counted else str(words[entry.state])


def _can_wait(network: NetworkFacts) -> bool:
    """Return whether a network runs without more being chosen: it reads one scan and is at hand."""
    return len(network.roles) == 1 and (network.state != "available" or network.can_be_installed)


def _list(widget: Any, rows: list[tuple[str, str]]) -> None:
    """Fill a list with check boxes; what was checked stays checked."""
    was_blocked = widget.blockSignals(True)
    checked = {
        widget.item(row).text()
        for row in range(widget.count)
        if widget.item(row).checkState() == qt.Qt.Checked
    }
    widget.clear()
    for text, tip in rows:
        item = qt.QListWidgetItem(text)
        item.setToolTip(tip or text)
        item.setCheckState(qt.Qt.Checked if text in checked else qt.Qt.Unchecked)
        widget.addItem(item)
    widget.blockSignals(was_blocked)


def _checked(widget: Any, things: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        thing
        for row, thing in enumerate(things)
        if row < widget.count and widget.item(row).checkState() == qt.Qt.Checked
    )
