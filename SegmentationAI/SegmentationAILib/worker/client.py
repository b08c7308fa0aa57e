"""The host's way to a worker, on this machine or on another: the same calls, the same answers.

Needs the standard library and numpy alone. Every call returns at once with a `Call`; threads of its
own speak with the worker and call ``on_event``.
"""

import atexit
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from ..core.labelmap import Labelmap
from ..core.volume import Volume
from ..resources import data_folder
from .address import Address, address_of
from .call import Call, OnEvent, ignore_event
from .conversation import Link
from .dialogue import Dialogue
from .exchange import Exchange, OwnedExchange
from .frame import Array, Frame
from .process import WorkerProcess, WorkerPython
from .protocol import DEFAULT_MAX_BODY_BYTES, OK, Event, WorkerError, check_health
from .wire_refine import RefineAnswer, RefineAsked, answer_of_frame, frame_of_asked
from .wire_study import (
    StudyAnswer,
    StudyAsked,
    frame_of_study_asked,
    study_answer_of_frame,
)
from .wire_train import (
    CollectedScan,
    TrainAnswer,
    TrainAsked,
    frame_of_training,
    train_answer_of_frame,
)
from .wire_volumes import (
    FILE,
    SegmentResult,
    frame_of_labelmap,
    frame_of_volumes,
    most_result_bytes,
    result_of_frame,
)

__all__ = [
    "Call",
    "CollectedScan",
    "Event",
    "LocalWorker",
    "RefineAnswer",
    "RefineAsked",
    "RemoteWorker",
    "SegmentResult",
    "StudyAnswer",
    "StudyAsked",
    "TrainAnswer",
    "TrainAsked",
    "Worker",
    "WorkerError",
    "WorkerPython",
]

T = TypeVar("T")
LabelPair = tuple[tuple[str, int] | None, tuple[str, int] | None]
MOST_ANSWER_BYTES: Final = 64 << 20
WITHOUT_EXCHANGE: Final = (
    "The data folder cannot be written: the volume went to the worker over a connection instead, "
    "with the same labels."
)
logger = logging.getLogger(__name__)


class Worker:
    """What `LocalWorker` and `RemoteWorker` share: the calls."""

    def segment(
        self,
        volume: Volume,
        others: Mapping[str, Volume] | None,
        network_id: str,
        options: Mapping[str, Any] | None = None,
        on_event: OnEvent = ignore_event,
    ) -> Call[SegmentResult]:
        """Segment a volume; the result lies on its grid, voxel for voxel.

        Args:
            volume: The first channel; its voxels must stay as they are until the call is over.
            others: Role to volume for further channels, on any grid.
            network_id: Of a network that is installed where the worker is.
            options: ``roi_ras`` (six numbers, RAS mm), ``structures`` (names), ``overlap``,
                ``mirror``, ``uncertainty``, ``device``, ``precision``; all can be left out.
            on_event: Told of the progress, on another thread.
        """
        started = time.monotonic()

        def decode(frame: Frame) -> SegmentResult:
            result = result_of_frame(frame, volume)
            seconds = result.report.setdefault("seconds", {})
            whole = time.monotonic() - started
            # What the worker did not spend went into waiting, sending and fetching.
            seconds["read"] = round(max(whole - float(seconds.get("total", 0.0)), 0.0), 4)
            seconds["total"] = round(whole, 4)
            result.report["notes"] = [*result.report.get("notes", ()), *self.notes()]
            return result

        header = {"network": network_id, "options": _plain(options or {})}
        frame = frame_of_volumes(header, volume, others or {})
        return self._start("segment", frame, decode, most_result_bytes(volume), on_event)

    def networks(self, on_event: OnEvent = ignore_event) -> Call[list[dict[str, Any]]]:
        """List the networks at the worker: ``id``, ``state``, ``installed``, ``card`` and more."""
        return self._ask("networks", {}, lambda header: list(header["networks"]), on_event)

    def install(
        self,
        source: str,
        network_id: str = "",
        sha256: str = "",
        on_event: OnEvent = ignore_event,
        replaces: bool = False,
    ) -> Call[dict[str, Any]]:
        """Install a network from a catalogue's ID or an address (on this machine, also a path).

        ``replaces`` lets it take the place of an installed one of its ID, once it is whole.
        """
        header = {"source": source, "id": network_id, "sha256": sha256, "replaces": replaces}
        return self._ask("install", header, lambda header: dict(header["network"]), on_event)

    def remove(self, network_id: str, on_event: OnEvent = ignore_event) -> Call[str]:
        """Remove an installed network."""
        return self._ask("remove", {"id": network_id}, lambda h: str(h["removed"]), on_event)

    def device(
        self, device: str = "auto", on_event: OnEvent = ignore_event
    ) -> Call[dict[str, Any]]:
        """Return facts of the device: name, kind, free memory, precisions, why no GPU."""
        return self._ask("device", {"device": device}, dict, on_event)

    def compare(
        self,
        arrays: Mapping[str, Array],
        pairs: Sequence[LabelPair],
        spacing: tuple[float, float, float],
        tolerance_mm: float,
        on_event: OnEvent = ignore_event,
    ) -> Call[list[dict[str, Any]]]:
        """Return the scores (`core.metrics.Scores`) of pairs of labels on one grid.

        Args:
            arrays: Label values ``(I, J, K)`` by name.
            pairs: Name of an array and label value, twice; None where a side lacks the label.
            spacing: mm.
            tolerance_mm: Distance up to which surfaces agree.
            on_event: Told of the progress, on another thread.
        """
        header = {"pairs": pairs, "spacing": list(spacing), "tolerance_mm": tolerance_mm}

        def decode(frame: Frame) -> list[dict[str, Any]]:
            scores = frame.header.get("scores")
            if not isinstance(scores, list) or len(scores) != len(pairs):
                raise WorkerError("The worker's answer to compare is not understood.")
            return scores

        return self._start("compare", Frame(header, arrays), decode, MOST_ANSWER_BYTES, on_event)

    def dicom_seg(
        self, labelmap: Labelmap, sources: Sequence[Path], on_event: OnEvent = ignore_event
    ) -> Call[bytes]:
        """Return the bytes of a DICOM Segmentation of the series that labels were made from.

        Args:
            labelmap: On the voxels of the series.
            sources: Files of the series; the worker has to be on this machine.
            on_event: Told of the progress, on another thread.
        """

        def decode(frame: Frame) -> bytes:
            if FILE not in frame.arrays:
                raise WorkerError("The worker's answer to dicom_seg is not understood.")
            return frame.arrays[FILE].tobytes()

        header = {"sources": [str(path.absolute()) for path in sources]}
        most = DEFAULT_MAX_BODY_BYTES
        return self._start("dicom_seg", frame_of_labelmap(header, labelmap), decode, most, on_event)

    def refine(self, asked: RefineAsked, on_event: OnEvent = ignore_event) -> Call[RefineAnswer]:
        """Ask something of a correction; ``open`` brings the scan, all else its session.

        The voxels of a scan have to stay as they are until its call is over.
        """
        frame = frame_of_asked(asked)
        return self._start("refine", frame, answer_of_frame, DEFAULT_MAX_BODY_BYTES, on_event)

    def train(self, asked: TrainAsked, on_event: OnEvent = ignore_event) -> Call[TrainAnswer]:
        """Ask something of a training; the curves come as facts of the events of ``start``."""
        frame = frame_of_training(asked)
        return self._start("train", frame, train_answer_of_frame, MOST_ANSWER_BYTES, on_event)

    def study(self, asked: StudyAsked, on_event: OnEvent = ignore_event) -> Call[StudyAnswer]:
        """Ask something of a relabelling study in a folder of this computer.

        Labels that are stored have to stay as they are until the call is over.
        """
        frame = frame_of_study_asked(asked)
        most = DEFAULT_MAX_BODY_BYTES
        return self._start("study", frame, study_answer_of_frame, most, on_event)

    def health(self) -> dict[str, Any]:
        """Return version, device and load of the worker; waits for the answer.

        Raises:
            WorkerError: It cannot be reached, or is of another version.
        """
        return _health(self._connect().address)

    def notes(self) -> tuple[str, ...]:
        """Return what the report of every run has to say about the way to the worker."""
        return ()

    def close(self) -> None:
        """Give up the worker; calls that run are lost."""

    def _connect(self) -> Link:
        raise NotImplementedError

    def _ask(
        self, name: str, header: dict[str, Any], take: Callable[[Any], T], on_event: OnEvent
    ) -> Call[T]:
        def decode(frame: Frame) -> T:
            try:
                return take(frame.header)
            except (KeyError, TypeError, ValueError) as error:
                raise WorkerError(f"The worker's answer to {name} is not understood.") from error

        return self._start(name, Frame(header, {}), decode, MOST_ANSWER_BYTES, on_event)

    def _start(
        self, name: str, frame: Frame, decode: Callable[[Frame], T], most: int, on_event: OnEvent
    ) -> Call[T]:
        call: Call[T] = Call(on_event)
        Dialogue(call, self._connect, name, frame, decode, most).start()
        return call


class LocalWorker(Worker):
    """A worker on this machine, as a child process that starts with the first call.

    It ends with this process, however that ends; after a crash the next call starts a new one.

    Args:
        python: Interpreter that has the packages of ``requirements-worker.txt``.
        home: Data folder of the worker, None for the person's own.
    """

    def __init__(self, python: WorkerPython | None = None, home: Path | None = None) -> None:
        self._python = python or WorkerPython()
        self._home = home
        self._lock = threading.Lock()
        self._process: WorkerProcess | None = None
        self._exchange: Exchange | None = None
        self._notes: tuple[str, ...] = ()
        self._is_closed = False
        atexit.register(self.close)

    @property
    def pid(self) -> int | None:
        """Process ID of the worker, None when none runs."""
        process = self._process
        return process.pid if process is not None and process.is_alive else None

    def notes(self) -> tuple[str, ...]:
        """Return a sentence when volumes travel over a connection instead of shared pages."""
        return self._notes

    def close(self) -> None:
        """End the worker and remove what was exchanged with it."""
        atexit.unregister(self.close)
        with self._lock:
            self._is_closed = True
            process, self._process = self._process, None
            exchange, self._exchange = self._exchange, None
        if process is not None:
            process.close()
        if exchange is not None:
            exchange.remove()

    def _connect(self) -> Link:
        with self._lock:
            if self._is_closed:
                raise WorkerError("The worker was closed.")
            if self._process is None or not self._process.is_alive:
                self._process = self._started()
            self._process.wait_until_ready()
            return _LocalLink(self._process, self._exchange)

    def _started(self) -> WorkerProcess:
        if self._exchange is None and not self._notes:
            try:
                self._exchange = OwnedExchange(self._home or data_folder())
            except OSError as error:
                logger.info("no folder for an exchange: %s", error.strerror)
                self._notes = (WITHOUT_EXCHANGE,)
        folder = self._exchange.folder if self._exchange else None
        return WorkerProcess(self._python, self._home, folder)


class RemoteWorker(Worker):
    """A worker on another machine (or another port), served by ``segmentationai serve``.

    Args:
        url: ``https://name:port``; http for this machine itself only.
        token: As the server's token file has it.
        ca_file: Certificates (PEM) to trust, None for the system's.

    Raises:
        WorkerError: The address or the token cannot be one.
    """

    def __init__(self, url: str, token: str, ca_file: Path | None = None) -> None:
        self._address = address_of(url, token, ca_file)
        self._max_body_bytes: int | None = None

    def _connect(self) -> Link:
        if self._max_body_bytes is None:
            limit = _health(self._address).get("max_body_bytes")
            self._max_body_bytes = limit if type(limit) is int else DEFAULT_MAX_BODY_BYTES
        return _RemoteLink(self._address, self._max_body_bytes)


@dataclass(frozen=True, eq=False)
class _LocalLink:
    process: WorkerProcess
    exchange: Exchange | None
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES

    @property
    def address(self) -> Address:
        return Address("127.0.0.1", self.process.port, self.process.token)

    def end(self) -> None:
        self.process.end()

    def why_lost(self) -> str:
        return self.process.why_it_ended()


@dataclass(frozen=True)
class _RemoteLink:
    address: Address
    max_body_bytes: int
    exchange: None = None

    def end(self) -> None:
        """Nothing: the server belongs to others too; hanging up ends this call there."""

    def why_lost(self) -> str:
        return f"The connection to {self.address.shown} broke."


def _health(address: Address) -> dict[str, Any]:
    status, facts = address.ask("GET", "/health")
    check_health(facts if status == OK else None, address.shown)
    return dict(facts)


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with tuples as lists and numbers of numpy as Python's."""
    plain: dict[str, Any] = {}
    for name, value in options.items():
        if name == "roi_ras" and value is not None:
            plain[name] = [float(number) for number in value]
        else:
            plain[name] = list(value) if isinstance(value, tuple) else value
    return plain
