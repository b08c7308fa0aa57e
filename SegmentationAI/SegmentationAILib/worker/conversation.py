"""One conversation with a worker that is ready: hand a call over, hear its events, take its result.

Blocks; `dialogue` runs it on a thread, watches it from another, and begins a new one where the
worker was lost before the call had its turn.
"""

import http.client
import json
import logging
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

from ..core.errors import Cancelled
from .address import Address
from .call import Call
from .exchange import REQUEST, RESULT, Exchange
from .frame import Frame, chunks_of_frame, size_of_chunks
from .protocol import (
    LONGEST_LINE_BYTES,
    NOT_UNDERSTOOD,
    OK,
    Event,
    WorkerError,
    error_of_failure,
    event_of_line,
    in_one_line,
)

PIECE_BYTES: Final = 1 << 20
SECONDS_BETWEEN_EVENTS: Final = 0.05
CANCEL_SECONDS: Final = 1.0
logger = logging.getLogger(__name__)


class Link(Protocol):
    """A worker that is ready for calls."""

    @property
    def address(self) -> Address:
        """Where it listens."""

    @property
    def exchange(self) -> Exchange | None:
        """Folder through which frames go as files, None for bodies."""

    @property
    def max_body_bytes(self) -> int:
        """The largest body that it takes."""

    def end(self) -> None:
        """End it now, where it is this host's own."""

    def why_lost(self) -> str:
        """Return a sentence about why the connection broke."""


class LostError(Exception):
    """The connection broke; the message is a sentence that says why."""


class Conversation:
    """One try of a call.

    Args:
        link: The worker.
        call: Told of the events.
        name: Of the call.

    Attributes:
        call_id: Given by the worker, empty until then.
        has_begun: Whether the worker has begun to do it.
        heard: When the last sign of life came, in seconds of the monotonic clock.
    """

    def __init__(self, link: Link, call: Call[Any], name: str) -> None:
        self.link = link
        self.call_id = ""
        self.has_begun = False
        self.heard = time.monotonic()
        self._call, self._name = call, name
        self._key = secrets.token_hex(16)
        self._socket: socket.socket | None = None

    def result_of(self, frame: Frame, most_bytes: int) -> Any:
        """Send a frame and return the bytes of the one that comes back, at most ``most_bytes``.

        Raises:
            LostError: The connection broke.
            Cancelled: The call was canceled.
            SegmentationAIError: The worker refused or failed; the sentence says why.
        """
        self._check_canceled()
        try:
            chunks = self._handed_over(chunks_of_frame(frame))
            try:
                return self._fetched(self._last_facts(self._answer_to(chunks)), most_bytes)
            except (OSError, http.client.HTTPException) as error:
                raise LostError(self.link.why_lost()) from error
        finally:
            self.hang_up()
            if self.link.exchange is not None:
                self.link.exchange.drop(self._key)

    def ask_to_cancel(self) -> None:
        """Ask the worker to end the call; whether it does is seen by the end of the events."""
        try:
            self.link.address.ask("DELETE", f"/calls/{self.call_id}", CANCEL_SECONDS)
        except WorkerError as error:
            logger.debug("a cancel was not heard: %s", error)

    def hang_up(self) -> None:
        """Close the connection, also under a thread that reads from it."""
        held, self._socket = self._socket, None
        if held is not None:
            try:
                held.shutdown(socket.SHUT_RDWR)
            except OSError as error:
                logger.debug("the connection had ended: %s", error)
            held.close()

    def _handed_over(self, chunks: list[memoryview]) -> list[memoryview]:
        """Put a frame where the worker takes it from; return what is sent, here or instead."""
        size = size_of_chunks(chunks)
        if size > self.link.max_body_bytes:
            raise WorkerError(
                f"The volume has {size / 2**20:.0f} MB; the server takes "
                f"{self.link.max_body_bytes / 2**20:.0f} MB at most. Crop it first."
            )
        if self.link.exchange is None:
            return chunks
        try:
            self.link.exchange.put(self._key, REQUEST, chunks)
        except OSError as error:
            why = error.strerror or str(error)
            raise WorkerError(f"The volume could not be handed to the worker: {why}.") from error
        return chunks_of_frame(Frame({"mapped": self._key}, {}))

    def _answer_to(self, chunks: list[memoryview]) -> http.client.HTTPResponse:
        size = size_of_chunks(chunks)
        headers = self.link.address.headers(
            Content_Type="application/octet-stream", Content_Length=str(size)
        )
        path = f"{self.link.address.prefix}/calls/{self._name}"
        connection = self._connected()
        try:
            connection.request("POST", path, self._pieces(chunks, size), headers)
        except OSError as error:
            # The server may have refused before it had read everything; then it says why.
            logger.debug("sending ended early: %s", error)
        return _accepted(connection.getresponse())

    def _last_facts(self, answer: http.client.HTTPResponse) -> dict[str, Any]:
        """Pass the events on and return the facts of the end."""
        while line := answer.readline(LONGEST_LINE_BYTES):
            event = event_of_line(line)
            self.heard = time.monotonic()
            if event.kind == "started":
                self.call_id = str((event.facts or {}).get("id", ""))
            elif event.kind == "failed":
                raise error_of_failure(event)
            elif event.kind == "canceled":
                raise Cancelled
            elif event.kind == "done":
                return dict(event.facts or {})
            else:
                self.has_begun = self.has_begun or event.kind == "progress"
                self._call.tell(event)
        raise ConnectionResetError("the events ended early")

    def _fetched(self, facts: dict[str, Any], most_bytes: int) -> Any:
        if facts.get("mapped") and self.link.exchange is not None:
            return self.link.exchange.take(self._key, RESULT, most_bytes)
        connection = self._connected()
        path = f"{self.link.address.prefix}/calls/{self.call_id}/result"
        connection.request("GET", path, headers=self.link.address.headers())
        answer = _accepted(connection.getresponse())
        size = answer.length
        if size is None or size > most_bytes or size != facts.get("bytes"):
            raise WorkerError(f"The server answers with {size} bytes; {most_bytes} are the most.")
        whole = bytearray(size)
        view, come = memoryview(whole), 0
        while come < size:
            self._check_canceled()
            count = answer.readinto(view[come : come + PIECE_BYTES])
            if not count:
                raise ConnectionResetError("the result ended early")
            come += count
            self.heard = time.monotonic()
        return whole

    def _pieces(self, chunks: Sequence[memoryview], size: int) -> Iterator[memoryview]:
        sent, told = 0, time.monotonic()
        for chunk in chunks:
            for start in range(0, len(chunk), PIECE_BYTES):
                self._check_canceled()
                piece = chunk[start : start + PIECE_BYTES]
                yield piece
                sent += len(piece)
                self.heard = time.monotonic()
                if self.heard - told > SECONDS_BETWEEN_EVENTS:
                    told = self.heard
                    sentence = f"Sending, {sent / 2**20:.0f} of {size / 2**20:.0f} MB"
                    self._call.tell(Event("queued", 0.0, sentence))

    def _connected(self) -> http.client.HTTPConnection:
        try:
            connection = self.link.address.connected()
        except WorkerError as error:
            raise ConnectionResetError(str(error)) from error
        # From here on the watch decides how long silence is borne.
        connection.sock.settimeout(None)
        self.hang_up()
        self._socket = connection.sock
        return connection

    def _check_canceled(self) -> None:
        if self._call.canceled_at is not None:
            raise Cancelled


def _accepted(answer: http.client.HTTPResponse) -> http.client.HTTPResponse:
    """Return an answer of status 200.

    Raises:
        WorkerError: It has another; the sentence is the server's.
    """
    if answer.status == OK:
        return answer
    try:
        sentence = in_one_line(str(json.loads(answer.read(LONGEST_LINE_BYTES))["detail"]))
    except (ValueError, KeyError, TypeError) as error:
        raise WorkerError(f"{NOT_UNDERSTOOD} (status {answer.status})") from error
    raise WorkerError(f"The worker refused: {sentence}")
