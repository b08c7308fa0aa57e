"""The office of the worker: takes calls, puts each in its lane, hands out what became of it."""

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from ..core.errors import SegmentationAIError
from ..resources import data_folder
from .exchange import RESULT, Exchange
from .frame import Frame, chunks_of_frame, size_of_chunks
from .history import RunHistory
from .lane import Lane
from .protocol import PROGRAM, PROGRAM_VERSION, PROTOCOL_VERSION, WorkerError
from .served_call import ServedCall
from .wire_study import FREE_ACTIONS
from .wire_study import LONG_ACTIONS as LONG_ON_STUDIES
from .wire_train import LONG_ACTIONS

IDLE_SECONDS: Final = 300.0
# A result that nobody fetched; its host is gone.
KEEP_RESULT_SECONDS: Final = 300.0


class Office:
    """All calls of one worker process.

    Args:
        exchange: Folder through which a host on this machine takes results, None for bodies.
        takes_paths: Whether networks may be installed from files of this machine.
        idle_seconds: Networks are closed when no run came for so long.
    """

    def __init__(
        self, exchange: Exchange | None, *, takes_paths: bool, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self.exchange = exchange
        self._takes_paths = takes_paths
        self._history = RunHistory(data_folder())
        self._calls: dict[str, tuple[ServedCall, Lane]] = {}
        self._device = ""
        self._warm: Any = None
        self.runs = Lane("networks", self._warm_up, self._release, idle_seconds)
        self._installs = Lane("installs")
        self._answers = Lane("answers")
        self._lock = threading.Lock()
        self._trainings: Any = None
        self._training = Lane("trainings")
        self._studies: Any = None
        self._study_answers = Lane("studies")
        # Minutes where a network makes the first labels: neither cases nor trainings wait for it.
        self._new_studies = Lane("new studies")
        self._corrections: Any = None
        self._prompts = Lane("prompts", idle=self._forget_corrections, idle_seconds=idle_seconds)

    def health(self) -> dict[str, Any]:
        """Return what ``GET /health`` tells everyone."""
        return {
            "program": PROGRAM,
            "version": PROGRAM_VERSION,
            "protocol": PROTOCOL_VERSION,
            "device": self._device or "starting",
            "load": {"running": self.runs.running, "waiting": self.runs.waiting},
        }

    def begin(self, name: str, frame: Frame, owner: str) -> ServedCall:
        """Take a call of one of `protocol.CALL_NAMES` and return it; it runs when its turn comes.

        Raises:
            WorkerError: Too many calls wait already.
        """
        self._forget_old()
        own = {"segment": self.runs, "install": self._installs, "refine": self._prompts}
        if name == "train" and frame.header.get("action") in LONG_ACTIONS:
            own["train"] = self._training
        if name == "study":
            is_long = frame.header.get("action") in LONG_ON_STUDIES
            own["study"] = self._training if is_long else self._study_answers
            if frame.header.get("action") in FREE_ACTIONS:
                own["study"] = self._new_studies
        lane = own.get(name, self._answers)
        if lane.is_full:
            raise WorkerError(f"{lane.waiting} calls wait already; try again later.")
        works: dict[str, Callable[[Frame, ServedCall], Frame]] = {
            "segment": self._segment,
            "networks": self._networks,
            "install": self._install,
            "remove": self._remove,
            "device": self._device_facts,
            "compare": self._compare,
            "dicom_seg": self._dicom_seg,
            "refine": self._refine,
            "train": self._train,
            "study": self._study,
        }
        work, key = works[name], str(frame.header.get("mapped", ""))
        held = [frame]

        def deliver(call: ServedCall) -> dict[str, Any]:
            chunks = chunks_of_frame(work(held.pop(), call))
            facts = {"bytes": size_of_chunks(chunks), "mapped": bool(key)}
            if key and self.exchange is not None:
                self.exchange.put(key, RESULT, chunks)
            else:
                call.result = chunks
            return facts

        call = ServedCall(owner, deliver)
        self._calls[call.id] = (call, lane)
        lane.add(call)
        return call

    def find(self, call_id: str, owner: str) -> ServedCall | None:
        """Return a call, None when there is none or it is another's."""
        call, _ = self._calls.get(call_id, (None, None))
        return call if call is not None and call.owner == owner else None

    def cancel(self, call: ServedCall) -> None:
        """End a call, or drop its result when it is finished."""
        if call.is_finished:
            self.forget(call)
        elif call.id in self._calls:
            self._calls[call.id][1].cancel(call)

    def forget(self, call: ServedCall) -> None:
        """Drop a call and its result."""
        self._calls.pop(call.id, None)

    def close(self) -> None:
        """End all calls."""
        for lane in self._lanes:
            lane.close()

    def wait_until_ended(self, seconds: float) -> bool:
        """Wait for the threads to end after `close`; return whether all have."""
        return all(lane.wait_until_ended(seconds) for lane in self._lanes)

    @property
    def _lanes(self) -> tuple[Lane, ...]:
        return (
            self.runs,
            self._installs,
            self._answers,
            self._prompts,
            self._training,
            self._study_answers,
            self._new_studies,
        )

    def _forget_old(self) -> None:
        now = time.monotonic()
        for call, _ in list(self._calls.values()):
            if call.finished_at is not None and now - call.finished_at > KEEP_RESULT_SECONDS:
                self.forget(call)

    def _warm_up(self) -> None:
        """Load what takes seconds to load on the thread that will use it."""
        from ..networks.device import choose_device
        from .warm_networks import WarmNetworks

        self._warm = WarmNetworks()
        self._device = choose_device().name

    def _release(self) -> None:
        self._warm.release()

    def _segment(self, frame: Frame, call: ServedCall) -> Frame:
        from .segment_work import segment

        return segment(frame, call, self._warm, self._history)

    def _refine(self, frame: Frame, call: ServedCall) -> Frame:
        from .refine_work import RefineSessions

        if self._corrections is None:
            self._corrections = RefineSessions(keeps_networks=self._takes_paths)
        corrections: RefineSessions = self._corrections
        return corrections.do(frame, call.owner, call.progress())

    def _train(self, frame: Frame, call: ServedCall) -> Frame:
        if not self._takes_paths:
            # What a training keeps, scans of patients among it, lies in a data folder that all who
            # have a token would share.
            raise WorkerError(
                "Networks are trained on one's own computer, not on a server; choose this computer "
                "in the step Settings, or run on the server itself: segmentationai train"
            )
        from .train_work import Trainings

        with self._lock:  # two lanes ask for it
            self._trainings = self._trainings or Trainings()
        trainings: Trainings = self._trainings
        return trainings.do(frame, call)

    def _forget_corrections(self) -> None:
        if self._corrections is not None:
            self._corrections.forget_old()

    def _networks(self, _: Frame, __: ServedCall) -> Frame:
        from .network_work import networks

        return networks(self._history)

    def _install(self, frame: Frame, call: ServedCall) -> Frame:
        from .network_work import install_network

        return install_network(frame.header, call.progress(), takes_paths=self._takes_paths)

    def _remove(self, frame: Frame, _: ServedCall) -> Frame:
        from .network_work import remove_network

        return remove_network(frame.header)

    def _study(self, frame: Frame, call: ServedCall) -> Frame:
        from .study_work import StudyDesk

        with self._lock:  # two lanes ask for it
            self._studies = self._studies or StudyDesk()
        desk: StudyDesk = self._studies
        return desk.do(frame, call.owner, call.progress(), takes_paths=self._takes_paths)

    def _compare(self, frame: Frame, call: ServedCall) -> Frame:
        from .compare_work import compare_labels

        return compare_labels(frame, call.progress())

    def _dicom_seg(self, frame: Frame, call: ServedCall) -> Frame:
        from .dicom_seg_work import dicom_seg

        return dicom_seg(frame, call.progress(), takes_paths=self._takes_paths)

    def _device_facts(self, frame: Frame, _: ServedCall) -> Frame:
        from .network_work import device_facts

        wanted = frame.header.get("device", "auto")
        if not isinstance(wanted, str):
            raise SegmentationAIError("A device is named by text.")
        return device_facts(wanted)
