"""Work on a study that a kill may stop anywhere and that anybody can take to its end.

Run as a script it works from the beginning to the end; see `killed_work`.
"""

import numpy as np
from killed_work import main
from study_files import BASE_SHA256, shifted, study_source, truth

from SegmentationAILib.core.files import read_labelmap
from SegmentationAILib.learn.study.create import create_study
from SegmentationAILib.learn.study.export import export
from SegmentationAILib.learn.study.index import INDEX
from SegmentationAILib.learn.study.iterations import (
    Outcome,
    begin,
    finish,
    inputs_of,
    iterations,
    predictions_of,
)
from SegmentationAILib.learn.study.person import Work, accept, correct
from SegmentationAILib.learn.study.records import Making
from SegmentationAILib.learn.study.study import open_study
from SegmentationAILib.learn.study.versions import NewVersion, add_version, read_version

CASES = 4
WHO = Work("Anna", 1.0)
FOLDERS = ("images", "weak", "references")


def work(root, say=lambda _: None):
    """Do what is not done yet; `say` is told of each change when it is on the disk."""
    folder = root / "study"
    if not (folder / INDEX).exists():
        create_study(folder, study_source({name: root / name for name in FOLDERS}, hold_out=0.3))
    study = open_study(folder)
    say("init")
    _by_a_person(study, "case 0", "accepted", accept, say)
    _iterate(study, 1, say)
    _by_a_person(study, "case 1", "corrected", correct, say)
    _iterate(study, 2, say)
    if not (root / "out").exists():
        export(study, root / "out")
    say("export")
    return study


def _by_a_person(study, name, origin, act, say):
    if all(v.making.origin != origin for v in study.versions(name)):
        labels = shifted(truth(int(name.split()[1])), 4)
        act(study, name, labels, WHO, study.case(name).current)
    say(f"version {name} {len(study.versions(name))}")


def _iterate(study, number, say):
    done = {one.number for one in iterations(study) if one.is_finished}
    if number not in done:
        with study.running_alone():
            assert begin(study, "{}", BASE_SHA256).number == number
            for name, version in inputs_of(study, number).items():
                if name not in predictions_of(study, number):
                    labels = shifted(truth(int(name.split()[1])), 4 + number)
                    making = Making("predicted", weights_sha256="d" * 64, iteration=number)
                    new = NewVersion(labels, making, is_current=False)
                    add_version(study, name, new, version.number)
                say(f"version {name} {len(study.versions(name))}")
            finish(study, number, Outcome("d" * 64, 0.9, 0.1, 0.8, "Goes on.", True, 1.0))
    say(f"iteration {number}")


def content(study):
    """All that a study holds, as voxels and words: what two runs have to agree in."""
    found = {}
    for case in study.cases():
        found[case.id] = (case.state, case.current, case.is_held_out, case.seconds_spent)
        for version in study.versions(case.id):
            making = (version.parent, version.making.origin, version.making.iteration)
            voxels = read_version(study, version).layers[0]
            found[case.id, version.number] = (*making, voxels.tobytes(), str(voxels.dtype))
    rows = [(i.number, i.is_finished, i.is_rolled_back, i.verdict) for i in iterations(study)]
    return found | {"iterations": rows}


def check_export(root, *, whole=False):
    """An exported folder is whole or not there."""
    if not (root / "out").exists():
        assert not whole
        return
    assert len(list((root / "out").glob("*.nii.gz"))) == CASES
    if whole:
        study = open_study(root / "study")
        for case in study.cases():
            current = read_version(study, study.current_version(case.id)).layers[0]
            np.testing.assert_array_equal(
                read_labelmap(root / "out" / case.volume).layers[0], current
            )


if __name__ == "__main__":
    main(work)
