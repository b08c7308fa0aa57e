"""How far the run of the loop that is under way wants to go.

Kept in the index, so that the same command after a kill ends where it would have ended without one.
"""

import json
from dataclasses import asdict, dataclass

from ..study.index import reading, writing
from ..study.iterations import iterations
from ..study.study import RUN, Study


@dataclass(frozen=True)
class RunRecord:
    """A run that was begun.

    Attributes:
        settings: JSON of its settings.
        count: Iterations that were asked for.
        end: Number of the last one.
        rolled_back: Iterations that were rolled back when it began.
    """

    settings: str
    count: int
    end: int
    rolled_back: int


def iterations_left(study: Study, settings: str, count: int) -> int:
    """Begin a run, or go on with one of the same settings and count; return what it has to do.

    A rollback in between makes it a new run.

    Args:
        study: Open; the caller holds `Study.running_alone`.
        settings: JSON of what is asked for.
        count: Iterations that are asked for.
    """
    known = iterations(study)
    finished = sum(one.is_finished for one in known)
    rolled_back = sum(one.is_rolled_back for one in known)
    wanted = RunRecord(settings, count, finished + count, rolled_back)
    old = _recorded(study)
    if old is not None and asdict(old) == {**asdict(wanted), "end": old.end}:
        left = old.end - finished
        if 0 < left <= count:
            return left
    with writing(study.index) as connection:
        text = json.dumps(asdict(wanted))
        connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (RUN, text))
    return count


def end_run(study: Study) -> None:
    """Forget the run: it has come to its end."""
    with writing(study.index) as connection:
        connection.execute("DELETE FROM facts WHERE name = ?", (RUN,))


def _recorded(study: Study) -> RunRecord | None:
    with reading(study.index) as connection:
        row = connection.execute("SELECT value FROM facts WHERE name = ?", (RUN,)).fetchone()
    try:
        found = RunRecord(**json.loads(row[0])) if row else None
    except (ValueError, TypeError):  # damaged: the run is a new one
        return None
    return found if found and type(found.end) is int else None
