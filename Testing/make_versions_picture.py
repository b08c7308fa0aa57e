"""The versions of a case in the step *Relabel*, on real hippocampi that a loop has relabeled.

    python Testing/make_versions_picture.py STUDY

STUDY is a study of `benchmarks/relabel_hippocampus.py` with its iterations; a copy of it is worked
on. A person's correction is stood in for by the reference labels of the lower slices of the case.
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
SCREENSHOTS = HERE.parent / "Screenshots"
PANEL_WIDTH, LEAST_HEIGHT = 400, 560
# The case of which half is corrected, by its place in the list.
CASE = 1


def main() -> int:
    """Write ``panel-relabel-versions.png``."""
    sys.path[:0] = [str(HERE), str(HERE.parent / "SegmentationAI")]
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SEGMENTATIONAI_HOME"] = folder
        study = Path(shutil.copytree(sys.argv[1], Path(folder) / "hippocampi"))
        name = _corrected(study)
        _picture(study, name, Path(folder))
    return 0


def _corrected(folder: Path) -> str:
    """Correct the lower half of a case and return its name."""
    from dataclasses import replace

    from SegmentationAILib.core.files import read_labelmap
    from SegmentationAILib.learn.study.person import Work, correct
    from SegmentationAILib.learn.study.study import open_study
    from SegmentationAILib.learn.study.versions import read_version

    study = open_study(folder)
    case = study.cases()[CASE]
    version = study.current_version(case.id)
    now = read_version(study, version)
    truth = read_labelmap(Path(study.facts.references) / case.volume).layers[0]
    layer = np.array(now.layers[0])
    half = np.flatnonzero((layer != 0).any(axis=(0, 1))).mean()
    layer[..., : int(half)] = truth[..., : int(half)]
    correct(study, case.id, replace(now, layers=(layer,)), Work("Dr. Example", 95.0), case.current)
    return str(case.id)


def _picture(study: Path, name: str, home: Path) -> None:
    from slicer_adapter.application import running_slicer

    from SegmentationAILib.worker.client import LocalWorker

    with running_slicer():
        import qt

        from SegmentationAI import SegmentationAILogic, SegmentationAIWidget

        worker = LocalWorker(home=home)
        SegmentationAILogic.__init__.__defaults__ = (worker,)
        window = qt.QWidget()
        window.setLayout(qt.QVBoxLayout())
        module = SegmentationAIWidget(window)
        module.setup()
        window.resize(PANEL_WIDTH, LEAST_HEIGHT)
        window.show()
        module.panel.open("Relabel")
        ui = module.panel.relabel._ui
        ui.studyLine.currentPath = str(study)
        ui.openStudyButton.click()
        _wait(lambda: ui.casesTable.rowCount > 0)
        ui.studyLine.currentPath = study.name
        ui.readerLine.text = "Dr. Example"
        ui.historyCheck.click()
        ui.casesTable.selectRow(CASE)
        _wait(lambda: ui.historyLabel.text.startswith(name))
        window.resize(PANEL_WIDTH, max(LEAST_HEIGHT, window.sizeHint().height()))
        _rest(200)
        window.grab().save(str(SCREENSHOTS / "panel-relabel-versions.png"))
        module.cleanup()
        worker.close()


def _wait(is_reached: Any, seconds: float = 240.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_reached():
        assert time.monotonic() < deadline, "the step was not reached in time"
        _rest(50)


def _rest(milliseconds: int) -> None:
    from PySide6 import QtTest

    QtTest.QTest.qWait(milliseconds)


if __name__ == "__main__":
    sys.exit(main())
