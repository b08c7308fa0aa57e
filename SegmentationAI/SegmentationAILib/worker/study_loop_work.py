"""What the worker does for ``run`` and ``rank``: iterations of the loop, and what to label next."""

from typing import Any, Final

from ..core.progress import Progress
from ..learn.relabel.settings import RelabelSettings, settings_from_text
from ..learn.study.iterations import USABLE, iterations, unfinished
from ..learn.study.study import Study
from .protocol import WorkerError
from .study_values import integer, text
from .wire_study import StudyAnswer, StudyAsked

MOST_ITERATIONS: Final = 20


def run(study: Study, asked: StudyAsked, _: str, progress: Progress) -> StudyAnswer:
    """``run``, ``iterations``, ``epochs``, ``device``: iterations of the loop.

    One that was interrupted goes on with the settings that it was begun with. Answers ``done``
    (their numbers) and ``verdict`` (of the last).
    """
    # Seconds to import, and a worklist is shown without it.
    from ..learn.relabel.loop import Tools, relabel

    count, epochs = integer(asked, "iterations"), integer(asked, "epochs")
    if not 1 <= count <= MOST_ITERATIONS:
        raise WorkerError(f"1 to {MOST_ITERATIONS} iterations can be asked for.")
    old = unfinished(study)
    settings = RelabelSettings(epochs=epochs) if old is None else settings_from_text(old.settings)
    done = relabel(study, settings, count, Tools(device=text(asked, "device")), progress)
    verdict = done[-1].verdict if done else ""
    return StudyAnswer({"done": [one.number for one in done], "verdict": verdict})


def rank(study: Study, asked: StudyAsked, _: str, progress: Progress) -> StudyAnswer:
    """``rank``, ``strategy``, ``budget``, ``device``: ``cases``, the most wanted first."""
    from ..learn.active.rank_study import RankRequest, rank_study
    from ..learn.active.strategies import STRATEGIES

    name = text(asked, "strategy")
    strategy = next((one for one in STRATEGIES if one == name), None)
    if strategy is None:
        raise WorkerError(f"A strategy is one of {', '.join(STRATEGIES)}.")
    request = RankRequest(strategy, integer(asked, "budget"), device=text(asked, "device"))
    found = rank_study(study, request, progress=progress)
    return StudyAnswer({
        "cases": [one.id for one in found.cases],
        "labeled": found.labeled,
        "unlabeled": found.unlabeled,
        "left_out": found.left_out,
    })  # fmt: skip


def cost_of(study: Study) -> dict[str, Any]:
    """Return what is known of the cost of an iteration.

    ``learned``: cases that a network learns from; ``predicted``: cases it answers; ``seconds`` and
    ``epochs`` of the last iteration, None before the first.
    """
    cases = [c for c in study.cases() if c.state in USABLE and c.current is not None]
    timed = [one for one in iterations(study) if one.is_finished and one.seconds > 0]
    last = timed[-1] if timed else None
    return {
        "learned": sum(not case.is_held_out for case in cases),
        "predicted": sum(c.state not in ("failed", "skipped") for c in study.cases()),
        "seconds": None if last is None else last.seconds,
        "epochs": None if last is None else settings_from_text(last.settings).epochs,
    }
