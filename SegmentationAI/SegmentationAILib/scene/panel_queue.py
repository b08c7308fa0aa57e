"""Cases times networks, one run after the other; each result is placed beside its scan."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import slicer

from ..core.errors import SegmentationAIError
from .commit import Committed
from .jobs import Asked, Run
from .logic import Preview, SegmentationLogic
from .panel_facts import NetworkFacts, QueuedFacts
from .panel_runs import sentence_of_run
from .prepared_runs import PreparedRun, PreparedRuns
from .translation import tr as _

_OPEN = ("waiting", "running")


@dataclass(eq=False)
class _Entry:
    facts: QueuedFacts
    volume: slicer.vtkMRMLScalarVolumeNode
    network_id: str
    prepared: PreparedRun | None = None


class PanelQueue:
    """Runs that wait for one another. One that ends badly costs none of the others.

    Args:
        scene: Its scans can be chosen.
        logic: Commits results.
        runs: Starts runs, with what they lack.
    """

    def __init__(
        self, scene: slicer.vtkMRMLScene, logic: SegmentationLogic, runs: PreparedRuns
    ) -> None:
        self._scene, self._logic, self._runs = scene, logic, runs
        self._entries: list[_Entry] = []
        self._next_id = 1
        self._on_change: Callable[[], None] = lambda: None
        self._tag = scene.AddObserver(scene.StartCloseEvent, lambda *_: self.empty_queue())

    def scans(self) -> tuple[slicer.vtkMRMLScalarVolumeNode, ...]:
        """Return the scans of the scene that a person can see, in their order."""
        kind = "vtkMRMLScalarVolumeNode"
        count = self._scene.GetNumberOfNodesByClass(kind)
        nodes = (self._scene.GetNthNodeByClass(index, kind) for index in range(count))
        # Labelmap volumes are scalar volumes too, and no scans.
        return tuple(n for n in nodes if n.GetClassName() == kind and not n.GetHideFromEditors())

    def watch_queue(self, on_change: Callable[[], None]) -> None:
        """Call ``on_change`` whenever an entry changes."""
        self._on_change = on_change

    def queued(self) -> tuple[QueuedFacts, ...]:
        """Return all entries in order."""
        return tuple(entry.facts for entry in self._entries)

    def enqueue(
        self,
        volumes: Sequence[slicer.vtkMRMLScalarVolumeNode],
        networks: Sequence[NetworkFacts],
    ) -> int:
        """Add every network on every scan; return how many entries that are.

        Consent to what they lack was given.
        """
        added = [
            _Entry(
                QueuedFacts(self._new_id(), volume.GetName(), network.title, "waiting", ""),
                volume,
                network.id,
            )
            for volume in volumes
            for network in networks
        ]
        self._entries += added
        self._go_on()
        return len(added)

    def cancel_queued(self, entry_id: int) -> None:
        """End one entry; the next one begins."""
        entry = self._entry(entry_id)
        if entry is None or entry.facts.state not in _OPEN:
            return
        if entry.prepared is not None:
            self._runs.cancel(entry.prepared)
        else:
            self._set(entry, "canceled", _("Canceled before it began."))

    def cancel_all_queued(self) -> None:
        """End everything that waits or runs."""
        # Those that wait first: the end of the one that runs would begin the next.
        for entry in reversed(self._entries):
            self.cancel_queued(entry.facts.id)

    def repeat_queued(self, entry_id: int) -> None:
        """Let an entry wait once more, such as one that was canceled or could not be done."""
        entry = self._entry(entry_id)
        if entry is not None and entry.facts.state not in _OPEN:
            self._set(entry, "waiting", "")
            self._go_on()

    def clear_queue(self) -> None:
        """Take the entries off the list that neither wait nor run."""
        self._entries = [entry for entry in self._entries if entry.facts.state in _OPEN]
        self._on_change()

    def empty_queue(self) -> None:
        """End everything and forget it, as when the scene is closed."""
        self.cancel_all_queued()
        self._entries = []
        self._on_change()

    def close_queue(self) -> None:
        """End everything and stop following the scene."""
        self._on_change = lambda: None
        self.empty_queue()
        self._scene.RemoveObserver(self._tag)

    def _go_on(self) -> None:
        """Begin the first entry that waits, when none runs."""
        self._on_change()
        if any(entry.facts.state == "running" for entry in self._entries):
            return
        entry = next((one for one in self._entries if one.facts.state == "waiting"), None)
        if entry is not None:
            self._begin(entry)

    def _begin(self, entry: _Entry) -> None:
        self._set(entry, "running", _("Starting"))

        def progress(fraction: float, sentence: str, seconds_left: float | None) -> None:
            self._set(entry, "running", f"{fraction:.0%}, {sentence}")

        def ended(run: Run, preview: Preview | None) -> None:
            entry.prepared = None
            if preview is None:
                self._end(entry, run.state, run.sentence)
                return
            self._set(entry, "running", _("Placing the result beside its scan"))
            try:
                self._logic.accept(preview, lambda done, error: written(run, done, error))
            except SegmentationAIError as error:
                self._logic.discard(preview)
                self._end(entry, "failed", str(error))

        def written(run: Run, done: Committed | None, error: BaseException | None) -> None:
            if done is None:
                self._end(entry, "failed", str(error))
            else:
                self._end(entry, "done", sentence_of_run(run))

        asked = Asked(entry.volume, entry.network_id)
        try:
            entry.prepared = self._runs.start(asked, progress, ended)
        except SegmentationAIError as error:
            self._end(entry, "failed", str(error))

    def _end(self, entry: _Entry, state: str, sentence: str) -> None:
        self._set(entry, state, sentence)
        self._go_on()

    def _set(self, entry: _Entry, state: str, sentence: str) -> None:
        entry.facts = replace(entry.facts, state=state, sentence=sentence)
        self._on_change()

    def _entry(self, entry_id: int) -> _Entry | None:
        return next((entry for entry in self._entries if entry.facts.id == entry_id), None)

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1
