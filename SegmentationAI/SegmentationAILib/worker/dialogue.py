"""The host's side of one call from beginning to end: retries, the watch, cancelling.

Two threads: one speaks with the worker, one watches it. The watch reports silence, and after a
cancel it gives the worker a little time to stop by itself before it ends it.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from ..core.errors import Cancelled, SegmentationAIError
from .call import Call
from .conversation import Conversation, Link, LostError
from .frame import Frame, frame_of_bytes
from .protocol import Event, WorkerError

T = TypeVar("T")
SILENT_SECONDS: Final = 10.0
GIVE_UP_SECONDS: Final = 300.0
# A worker has 3 s to be free or ended after a cancel; this leaves time for the ending.
GRACE_SECONDS: Final = 2.4
SECONDS_BETWEEN_LOOKS: Final = 0.05
TRIES: Final = 3
logger = logging.getLogger(__name__)


class Dialogue(Generic[T]):
    """One call from beginning to end.

    Args:
        call: Told of everything.
        connect: Returns a worker that is ready; starts one where none runs.
        name: Of the call.
        frame: What is sent.
        decode: Makes the outcome of the frame that comes back.
        most_result_bytes: The largest frame that may come back.
    """

    def __init__(
        self,
        call: Call[T],
        connect: Callable[[], Link],
        name: str,
        frame: Frame,
        decode: Callable[[Frame], T],
        most_result_bytes: int,
    ) -> None:
        self._call, self._connect, self._name = call, connect, name
        self._frame, self._decode, self._most = frame, decode, most_result_bytes
        self._conversation: Conversation | None = None
        self._started = time.monotonic()
        self._is_over = threading.Event()

    def start(self) -> None:
        """Begin; returns at once."""
        for work in (self._speak, self._watch):
            threading.Thread(target=work, name=f"call {self._name}", daemon=True).start()

    def _speak(self) -> None:
        try:
            self._call.finish(self._with_retries())
        except (SegmentationAIError, Cancelled) as error:
            self._call.finish(error=error)
        except Exception as error:
            logger.debug("a call failed on the host's side", exc_info=True)
            self._call.finish(error=error)
        finally:
            self._is_over.set()
            self._call.release()

    def _with_retries(self) -> T:
        """Return the outcome; a call that still waited when its worker died goes to the next."""
        lost = ""
        for _ in range(TRIES):
            conversation = Conversation(self._connect(), self._call, self._name)
            self._conversation = conversation
            try:
                return self._decode(frame_of_bytes(conversation.result_of(self._frame, self._most)))
            except LostError as error:
                if self._call.canceled_at is not None:
                    raise Cancelled from error
                lost = str(error)
                if conversation.has_begun:
                    break
        raise WorkerError(f"{lost} This call is lost; the next one can be started.")

    def _watch(self) -> None:
        is_asked = is_silent = False
        while not self._is_over.wait(SECONDS_BETWEEN_LOOKS):
            canceled_at, conversation = self._call.canceled_at, self._conversation
            now = time.monotonic()
            if canceled_at is not None:
                if conversation is None:
                    continue
                if not is_asked and conversation.call_id:
                    is_asked = True
                    conversation.ask_to_cancel()
                if now - canceled_at > GRACE_SECONDS:
                    _end(conversation)
                    return
                continue
            silence = now - (conversation.heard if conversation else self._started)
            if silence < SILENT_SECONDS:
                is_silent = False
            elif not is_silent:
                is_silent = True
                sentence = f"The worker has been silent for {silence:.0f} s; Cancel ends it"
                self._call.tell(Event("silent", self._call.last_event.fraction, sentence))
            if silence > GIVE_UP_SECONDS and conversation is not None:
                why = f"The worker was silent for {GIVE_UP_SECONDS:.0f} s and was given up."
                self._call.finish(error=WorkerError(why))
                _end(conversation)
                return


def _end(conversation: Conversation) -> None:
    conversation.link.end()
    conversation.hang_up()
