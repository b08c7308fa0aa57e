"""The versions of a case in the step *Relabel*, on real hippocampi that a loop has relabeled.

    python Testing/make_versions_picture.py STUDY

STUDY is a study of `benchmarks/relabel_hippocampus.py` with its iterations; a copy of it is worked
on. A person's correction is stood in for by the reference labels of the lower slices of the case.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
SCREENSHOTS = HERE.parent / "Screenshots"
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
        _picture(study, name)
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


def _picture(study: Path, name: str) -> None:
    from pictured_panel import pictured_panel, rest, wait
    from slicer_adapter.application import running_slicer

    with running_slicer(), pictured_panel() as pictured:
        pictured.module.panel.open("Relabel")
        ui = pictured.module.panel.relabel._ui
        ui.studyLine.currentPath = str(study)
        ui.openStudyButton.click()
        wait(lambda: ui.casesTable.rowCount > 0)
        ui.studyLine.currentPath = study.name
        ui.readerLine.text = "Dr. Example"
        ui.historyCheck.click()
        ui.casesTable.selectRow(CASE)
        wait(lambda: ui.historyLabel.text.startswith(name))
        rest(200)
        pictured.save(SCREENSHOTS / "panel-relabel-versions.png")


if __name__ == "__main__":
    sys.exit(main())
