"""What the worker does for ``export``: the labels of a study as a folder of files."""

from pathlib import Path
from typing import Final

from ..core.progress import Progress
from ..learn.study.export import export
from ..learn.study.export_dataset import export_dataset
from ..learn.study.study import Study
from ..networks.store import NetworkStore
from .protocol import WorkerError
from .study_values import text
from .wire_study import StudyAnswer, StudyAsked

DECATHLON: Final = "decathlon"


def export_study(study: Study, asked: StudyAsked, _: str, progress: Progress) -> StudyAnswer:
    """``export``, ``output`` (a folder), ``format``: ``decathlon`` or an ending of a file.

    Answers ``files`` (how many) and ``left_out`` (reason by case).
    """
    output, kind = Path(text(asked, "output")), text(asked, "format")
    if not output.is_absolute():
        raise WorkerError("The folder of an export has to be named in full.")
    if kind == DECATHLON:
        roles = [one.role for one in NetworkStore().find(study.facts.base).card.channels]
        made = export_dataset(study, output, roles, progress)
        return StudyAnswer({"files": len(made.cases), "left_out": {}})
    done = export(study, output, kind, progress)
    return StudyAnswer({"files": len(done.files), "left_out": done.left_out})
