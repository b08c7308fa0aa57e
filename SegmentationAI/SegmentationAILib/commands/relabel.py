"""Turn weak labels into trustworthy ones: a study of cases, a loop of training and predicting.

A study is a folder with an index and every version of every case's labels. Each iteration trains a
copy of the base network on the current labels, predicts all cases and keeps the answers as
the next labels. What a person corrects weighs more and stays; what a person accepts is locked.

Examples:
  segmentationai relabel init study --images mr --weak-labels weak --base net
  segmentationai relabel init study --images mr --weak-labels weak --base net --hold-out 0.2
  segmentationai relabel init study --images mr --weak-method network --base net
  segmentationai relabel run study --iterations 3 --epochs 15
  segmentationai relabel run study --scheme cross-fit --gate 0.7   options of the loop, see below
  segmentationai relabel status study --json
  segmentationai relabel accept study case_06                      its labels are right as they are
  segmentationai relabel accept study case_07 case_07.nii.gz --seconds 120
  segmentationai relabel correct study case_07 labels/case_07.nii.gz      an exported file, edited
  segmentationai relabel correct study case_07 my_07.nii.gz --version 2   made from version 2
  segmentationai relabel skip study case_09
  segmentationai relabel reopen study case_09
  segmentationai relabel rollback study 2                          back to iteration 2; 0: weak
  segmentationai relabel export study --output labels
  segmentationai relabel export study --output labels --format .seg.nrrd
  segmentationai relabel export study --output Task01 --format decathlon   volumes too, for train
  segmentationai relabel review study --between 3 0                iteration 3, first labels
  segmentationai relabel review study --pairs for-anna --reader Anna
  segmentationai relabel review study --answers for-anna/answers.csv --reader Anna
  segmentationai relabel review study --answer 1 left --answer 2 tie --reader Bo
  segmentationai relabel review study --close
  segmentationai relabel review study --report --json
  segmentationai relabel images study /new/place/of/mr             the volumes were moved

Files in the folders have the same names. Reference labels (--reference) are read by status for
scores and by nothing else. A run that was interrupted goes on with the same settings.
"""

import argparse
from pathlib import Path
from typing import Any

from . import relabel_actions as actions
from . import relabel_cases as cases
from .relabel_review import add_review_options, review


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their arguments."""
    found = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_init(found)
    _add_run(found)
    _add_case_actions(found)
    judged = _action(found, "review", "let readers choose between two versions, blind", review)
    add_review_options(judged)
    _action(found, "status", "say where a study stands", actions.show_status)
    rollback = _action(found, "rollback", "go back to an earlier iteration", actions.roll_back)
    rollback.add_argument(
        "iteration", type=int, metavar="ITERATION", help="its number, 0 for before the first"
    )
    export = _action(
        found, "export", "write the current labels of all cases", actions.export_labels
    )
    export.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER", help="new or empty folder"
    )
    export.add_argument(
        "--format", default="", metavar="ENDING",
        help="ending of all files, such as .seg.nrrd, or decathlon for a data set with the "
        "volumes (default: the names of the volumes)",
    )  # fmt: skip
    images = _action(found, "images", "say where the volumes are now", actions.move_volumes)
    images.add_argument("folder", type=Path, metavar="FOLDER", help="folder of the same volumes")


def run(arguments: argparse.Namespace) -> int:
    """Perform the chosen action and return the exit status."""
    arguments.perform(arguments)
    return 0


def _add_init(found: Any) -> None:
    init = _action(found, "init", "make a study from volumes and weak labels", actions.make_study)
    init.add_argument(
        "--images", type=Path, required=True, metavar="FOLDER",
        help="volumes, or folders with a DICOM series each; they stay where they are",
    )  # fmt: skip
    first = init.add_mutually_exclusive_group(required=True)
    first.add_argument(
        "--weak-labels", type=Path, metavar="FOLDER",
        help="labelmaps of the same names; they are copied",
    )  # fmt: skip
    first.add_argument(
        "--weak-method", choices=("network", "otsu", "kmeans"),
        help="makes the first labels now: network, what the base answers as it is; otsu, the "
        "largest piece above Otsu's threshold; kmeans, the brighter two of three clusters",
    )  # fmt: skip
    init.add_argument(
        "--base", required=True, metavar="ID", help="network that each iteration starts from"
    )
    init.add_argument(
        "--reference", type=Path, metavar="FOLDER", help="reference labels, for scores alone"
    )
    init.add_argument(
        "--hold-out", type=float, default=0.0, metavar="F",
        help="share of the cases that no network learns from, 0 to under 1 (default: 0)",
    )  # fmt: skip
    init.add_argument(
        "--seed", type=int, default=0, metavar="N", help="chooses the held-out cases (default: 0)"
    )
    init.add_argument(
        "--device", default="auto", metavar="D",
        help="of --weak-method network: auto, cpu, cuda, cuda:N or mps",
    )  # fmt: skip


def _add_run(found: Any) -> None:
    loop = _action(found, "run", "run iterations of the loop", actions.run_loop)
    numbers = (
        ("--iterations", int, 3, "N", "at the utmost; the loop may stop before"),
        ("--epochs", int, 15, "N", "of each training"),
        ("--seed", int, 0, "N", "of everything random"),
        ("--batch", int, 0, "N", "patches per step; 0: 2, or 16 for networks of planes"),
        ("--learning-rate", float, 1e-3, "F", "highest"),
        ("--folds", int, 2, "N", "of --scheme cross-fit"),
        ("--gate", float, 0.5, "P", "predicted voxels less certain are not learned; 0.5: all are"),
        ("--trust", float, 3.0, "F", "weight of a voxel that a person has decided"),
    )
    for name, kind, default, metavar, text in numbers:
        loop.add_argument(
            name, type=kind, default=default, metavar=metavar, help=f"{text} (default: {default})"
        )
    loop.add_argument(
        "--start", choices=("base", "previous"), default="previous",
        help="go on with the network of the iteration before, or train a fresh copy of the base "
        "each time, as the paper does (default: previous)",
    )  # fmt: skip
    loop.add_argument(
        "--scheme", choices=("one", "cross-fit", "tri"), default="one",
        help="one network; cross-fit: a case is predicted by a network that has not seen its "
        "label; tri: three networks that teach each other (default: one)",
    )  # fmt: skip
    loop.add_argument(
        "--freeze", choices=("none", "encoder", "all-but-last"), default="none",
        help="what stays of the network it starts from (default: none)",
    )  # fmt: skip
    loop.add_argument(
        "--optimizer", choices=("adamw", "orthogonal"), default="orthogonal",
        help="what takes the steps (default: orthogonal)",
    )  # fmt: skip
    loop.add_argument("--smooth", action="store_true", help="smooth the labels by a tenth")
    loop.add_argument(
        "--precision", choices=("fp32", "bf16"), default="fp32", help="of training (default: fp32)"
    )
    loop.add_argument(
        "--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:N or mps"
    )


def _add_case_actions(found: Any) -> None:
    stored = (
        ("accept", "store a case's labels for good and lock it", cases.accept_case),
        ("correct", "store a case's corrected labels", cases.correct_case),
    )
    for name, summary, perform in stored:
        action = _action(found, name, summary, perform)
        action.add_argument("case", metavar="CASE", help="name of the volume without its ending")
        is_whole = name == "accept"
        action.add_argument(
            "file", type=Path, metavar="FILE", nargs="?" if is_whole else None,
            help="labels on the volume's grid" + (" (default: the current ones)" * is_whole),
        )  # fmt: skip
        action.add_argument("--by", default="", metavar="NAME", help="who did it (default: you)")
        action.add_argument(
            "--seconds", type=float, default=0.0, metavar="S", help="spent on it, s (default: 0)"
        )
        action.add_argument(
            "--version", type=int, default=None, metavar="N",
            help="of the labels that FILE was made from (default: what FILE says, as files of "
            "relabel export do)",
        )  # fmt: skip
    for name, summary, perform in (
        ("skip", "leave a case out until it is reopened", cases.skip_case),
        ("reopen", "take a skipped, accepted or failed case back", cases.reopen_case),
    ):
        action = _action(found, name, summary, perform)
        action.add_argument("case", metavar="CASE", help="name of the volume without its ending")


def _action(found: Any, name: str, summary: str, perform: Any) -> argparse.ArgumentParser:
    """Add an action, whose own help shows the command's examples of it."""
    examples = [line for line in (__doc__ or "").splitlines() if f"relabel {name}" in line]
    action: argparse.ArgumentParser = found.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog="\n".join(["examples:", *examples]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    action.add_argument("study", type=Path, metavar="STUDY", help="folder of the study")
    action.add_argument("--json", action="store_true", help="print JSON on standard output")
    action.set_defaults(perform=perform)
    return action
