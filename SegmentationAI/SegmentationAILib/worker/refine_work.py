"""What the worker does for a call ``refine``: holds corrections, answers prompts with differences.

One lane's thread does all of it, so that a network keeps what it has compiled, and prompts are
answered while another network runs on the whole scan.
"""

import secrets
import time
from dataclasses import dataclass
from typing import Any, Final, cast, get_args

from ..core.admission import check_sizes, checked_affine
from ..core.errors import MemoryBudgetError, PromptError
from ..core.progress import Progress
from ..core.prompt_file import prompt_from_row, row_of_prompt
from ..core.prompts import PointPrompt, ScribblePrompt, checked_point
from ..core.volume import Box
from ..networks.running import is_out_of_memory
from ..refine.change import Change
from ..refine.ruling import Mode
from ..refine.session import DEFAULT_ENGINE, RefineSession, RunMode
from ..refine.uncertainty import expected_dice, most_doubtful, slices_in_doubt
from .frame import Frame
from .protocol import WorkerError
from .wire_refine import (
    ACTIONS,
    FROZEN,
    START,
    Mask,
    RefineAction,
    RefineAnswer,
    frame_of_answer,
    mask_of_frame,
    volume_frame,
)
from .wire_volumes import volumes_of_frame

# Of one host: a person corrects one segment at a time, and a scan takes memory.
MOST_SESSIONS: Final = 4
# Nobody comes back to a correction after an hour; the host then begins anew from its own mask.
FORGET_SECONDS: Final = 3600.0
MOST_PLACES: Final = 1000
GONE: Final = "This correction is not open in the worker any more; it has to be opened again."
_NOWHERE: Final = Box((0, 0, 0), (0, 0, 0))


@dataclass(eq=False)
class _Held:
    """An open correction.

    Attributes:
        floor: Steps that are not undone: the one that set the mask to start from.
    """

    owner: str
    session: RefineSession
    used_at: float
    floor: int


class RefineSessions:
    """The corrections that hosts have open; used by one thread alone.

    Args:
        keeps_networks: Whether adapted networks may be installed here.
    """

    def __init__(self, *, keeps_networks: bool = True) -> None:
        self._keeps_networks = keeps_networks
        self._held: dict[str, _Held] = {}

    def do(self, frame: Frame, owner: str, progress: Progress) -> Frame:
        """Return the frame of what became of a call.

        Args:
            frame: See `wire_refine.RefineAsked`.
            owner: Who calls; sees no correction of another.
            progress: Raises when the call was canceled.

        Raises:
            WorkerError: The frame does not say what to do, or names no open correction.
            SegmentationAIError: What is asked for cannot be done; nothing has changed then.
            Cancelled: The host asked for the end.
        """
        action, values = frame.header.get("action"), frame.header.get("values")
        if action not in ACTIONS or not isinstance(values, dict):
            raise WorkerError(f"A correction can {', '.join(ACTIONS)}; {ascii(action)[:40]} came.")
        try:
            if action == "open":
                return self._open(values, frame, owner)
            return self._go_on(cast(RefineAction, action), values, frame, owner, progress)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise MemoryBudgetError(
                "The memory ran out; crop the scan, or choose the engine that needs no network."
            ) from error

    def forget_old(self) -> None:
        """Close the corrections that nobody has used for an hour."""
        now = time.monotonic()
        for name, held in list(self._held.items()):
            if now - held.used_at > FORGET_SECONDS:
                self._close(name)

    def _go_on(
        self, action: RefineAction, values: dict[str, Any], frame: Frame, owner: str,
        progress: Progress,
    ) -> Frame:  # fmt: skip
        name = str(frame.header.get("session", ""))
        held = self._held.get(name)
        if held is None or held.owner != owner:
            raise WorkerError(GONE)
        held.used_at = time.monotonic()
        if action == "close":
            self._close(name)
            return frame_of_answer(RefineAnswer(name, _NOWHERE, None, (), (), 0, 0, ()))
        session, facts = held.session, dict[str, Any]()
        change = None
        if action == "prompt":
            change = _prompt(session, values, progress)
        elif action == "apply":
            change = session.apply(progress)
        elif action == "remove":
            change = _remove(session, values.get("index"), progress)
        elif action == "rules":
            _set_rules(session, values, mask_of_frame(frame, FROZEN, session.volume.grid.shape))
        elif action == "doubt":
            facts = _doubt(session, values)
        elif action == "keep":
            facts = self._keep(session, _text(values, "id"))
        elif action == "undo":
            change = _undo(held)
        else:
            change = session.redo()
        return frame_of_answer(_answer(name, held, change, facts))

    def _open(self, values: dict[str, Any], frame: Frame, owner: str) -> Frame:
        volume, _ = volumes_of_frame(volume_frame(frame))
        check_sizes(volume.voxels.shape, volume.voxels.dtype.itemsize, "The volume")
        checked_affine(volume.affine, "The volume")
        start = mask_of_frame(frame, START, volume.grid.shape)
        frozen = mask_of_frame(frame, FROZEN, volume.grid.shape)
        engine, network = _text(values, "engine") or DEFAULT_ENGINE, _text(values, "network")
        structure, device = _text(values, "structure"), _text(values, "device") or "auto"
        session = RefineSession(volume, engine, network, structure=structure, device=device)
        if start is not None and start.any():
            session.set_mask(start)
        _set_rules(session, values, frozen)
        mine = [name for name, held in self._held.items() if held.owner == owner]
        for name in mine[: max(0, len(mine) - MOST_SESSIONS + 1)]:
            self._close(name)
        name = secrets.token_hex(16)
        held = _Held(owner, session, time.monotonic(), session.undo_levels)
        self._held[name] = held
        return frame_of_answer(_answer(name, held, None, {}))

    def _keep(self, session: RefineSession, network_id: str) -> dict[str, Any]:
        """Install the network as the correction last adapted it; return its ``id``.

        Raises:
            PromptError: Nothing was adapted, or others would have it too.
            WeightsError: The ID is taken or cannot be one.
        """
        if not self._keeps_networks:
            # What it learned of one patient's scan, all who have a token would share.
            raise PromptError(
                "A network that was adapted to a scan is kept on one's own computer, not on a "
                "server; choose this computer in the step Settings and adapt it there."
            )
        return {"id": session.keep_network(network_id)}

    def _close(self, name: str) -> None:
        held = self._held.pop(name, None)
        if held is not None:
            held.session.close()


def _prompt(session: RefineSession, values: dict[str, Any], progress: Progress) -> Change:
    prompt = prompt_from_row(values.get("prompt"))
    if isinstance(prompt, ScribblePrompt):
        is_finished = values.get("is_finished", True) is True
        return session.add_scribble(
            prompt.points_ras, prompt.radius_mm, prompt.positive, progress, is_finished=is_finished
        )
    return session.add(prompt, progress)


def _undo(held: _Held) -> Change:
    if held.session.undo_levels <= held.floor:
        raise PromptError("There is nothing to undo.")
    return held.session.undo()


def _remove(session: RefineSession, index: Any, progress: Progress) -> Change:
    if type(index) is not int:
        raise WorkerError("A prompt is taken out by its number.")
    return session.remove_prompt(index, progress)


def _set_rules(session: RefineSession, values: dict[str, Any], frozen: Mask | None) -> None:
    """Take the modes and the frozen voxels that a call brings; the others stay as they are."""
    mode, run_mode = values.get("mode"), values.get("run_mode")
    for given, known in ((mode, get_args(Mode)), (run_mode, get_args(RunMode))):
        if given is not None and given not in known:
            raise WorkerError(f"{ascii(given)[:40]} is none of {', '.join(known)}.")
    if mode is not None:
        session.mode = mode
    if run_mode is not None:
        session.run_mode = cast(RunMode, run_mode)
    if frozen is not None:
        session.freeze(frozen if frozen.any() else None)


def _doubt(session: RefineSession, values: dict[str, Any]) -> dict[str, Any]:
    """Return where the last answer is least certain: ``prompt``, ``doubt``, ``score``, ``slices``.

    Raises:
        PromptError: There is no answer that could tell.
    """
    places = values.get("looked_at", [])
    if not isinstance(places, list):
        raise WorkerError("The places that were looked at have to be a list.")
    looked_at = [checked_point(place) for place in places[:MOST_PLACES]]
    looked_at += [one.position_ras for one in session.prompts if isinstance(one, PointPrompt)]
    answer, grid = session.last_answer, session.volume.grid
    if answer is None or answer.probabilities is None:
        raise PromptError("Doubts are known after a prompt was answered; click into the segment.")
    found = most_doubtful(answer, grid, looked_at)
    slices = [
        {
            "axis": one.axis,
            "index": one.index,
            "place": list(one.center_ras),
            "doubtful_mm2": round(one.doubtful_mm2, 1),
        }
        for one in slices_in_doubt(answer, grid)
    ]
    return {
        "prompt": None if found is None else row_of_prompt(found.prompt),
        "doubt": 0.0 if found is None else round(found.doubt, 4),
        "score": expected_dice(answer),
        "slices": slices,
    }


def _answer(name: str, held: _Held, change: Change | None, facts: dict[str, Any]) -> RefineAnswer:
    session = held.session
    box = _NOWHERE if change is None else change.box
    return RefineAnswer(
        session=name,
        box=box,
        mask=None if box.is_empty else session.mask_in(box),
        prompts=session.prompts,
        waiting=session.waiting,
        undo_levels=max(0, session.undo_levels - held.floor),
        redo_levels=session.redo_levels,
        notes=() if change is None else change.notes,
        facts=facts,
    )


def _text(values: dict[str, Any], name: str) -> str:
    value = values.get(name, "")
    if not isinstance(value, str):
        raise WorkerError(f"The correction gives {name} as something else than text.")
    return value
