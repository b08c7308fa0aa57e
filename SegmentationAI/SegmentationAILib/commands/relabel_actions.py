"""The actions of `relabel`: each opens the study, does one thing and says what came of it."""

import argparse
import json
from collections import Counter
from typing import Any, Final

from ..core.errors import SegmentationAIError
from ..learn.study.study import Study
from .progress_line import progress_line
from .research_notice import show_research_notice_once

DECATHLON: Final = "decathlon"


def make_study(arguments: argparse.Namespace) -> None:
    """``init``: make a study and say what its cases are like."""
    from ..learn.relabel.new_study import NewStudy
    from ..learn.relabel.new_study import make_study as make

    asked = NewStudy(
        images=arguments.images,
        weak_labels=arguments.weak_labels or arguments.weak_method,
        base=arguments.base,
        references=arguments.reference,
        hold_out=arguments.hold_out,
        seed=arguments.seed,
        device=arguments.device,
    )
    with progress_line() as progress:
        study = make(arguments.study, asked, progress)
    cases = study.cases()
    counts = Counter(case.state for case in cases)
    held_out = [case.id for case in cases if case.is_held_out]
    failed = {case.id: case.reason for case in cases if case.reason}
    facts = {"cases": len(cases), "states": dict(counts), "held_out": held_out, "failed": failed}
    words = ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))
    lines = [f"{len(cases)} cases: {words}; {len(held_out)} held out."]
    lines += [f"{name}: {reason}" for name, reason in failed.items()]
    _say(arguments, facts, lines)


def run_loop(arguments: argparse.Namespace) -> None:
    """``run``: run iterations, each told when it is done."""
    from ..learn.relabel.loop import Tools, relabel
    from ..learn.relabel.settings import RelabelSettings

    study = _opened(arguments)
    settings = RelabelSettings(
        epochs=arguments.epochs,
        batch_size=arguments.batch,
        learning_rate=arguments.learning_rate,
        seed=arguments.seed,
        start=arguments.start,
        scheme=arguments.scheme,
        folds=arguments.folds,
        gate=arguments.gate,
        smooths=arguments.smooth,
        trust=arguments.trust,
        freeze=arguments.freeze,
        optimizer=arguments.optimizer,
        precision=arguments.precision,
    )
    if not arguments.json:
        print(_cost(study, settings.epochs, settings.networks))
    with progress_line() as progress:
        done = relabel(
            study, settings, arguments.iterations, Tools(device=arguments.device), progress
        )
    rows = [
        {
            "index": one.number,
            "mean_dice_to_previous": one.dice_to_previous,
            "holdout_dice": one.holdout_dice,
            "volume_change": one.volume_change,
            "weights_sha256": one.weights_sha256,
            "base_sha256": one.base_sha256,
            "verdict": one.verdict,
            "seconds": one.seconds,
        }
        for one in done
    ]
    lines = [
        f"Iteration {one.number}: Dice to the labels before {_number(one.dice_to_previous)}, "
        f"held-out Dice {_number(one.holdout_dice)}, {one.seconds:.0f} s. {one.verdict}"
        for one in done
    ]
    _say(arguments, {"iterations": rows}, lines)
    if not arguments.json:
        show_research_notice_once()


def show_status(arguments: argparse.Namespace) -> None:
    """``status``: where the study stands, with scores against reference labels if there are any."""
    from ..learn.study.status import status

    study = _opened(arguments)
    with progress_line() as progress:
        facts = status(study, progress)
    counts = Counter(case["state"] for case in facts["cases"])
    lines = ["  ".join(f"{state} {number}" for state, number in sorted(counts.items()))]
    if facts["weak_dice_to_reference"] is not None:
        lines.append(f"first labels: Dice to the reference {facts['weak_dice_to_reference']:.4f}")
    for row in facts["iterations"]:
        here = "*" if row["index"] == facts["current_iteration"] else " "
        lines.append(
            f"{here} iteration {row['index']}: Dice to the labels before "
            f"{_number(row['mean_dice_to_previous'])}, held out {_number(row['holdout_dice'])}, "
            f"to the reference {_number(row['mean_dice_to_reference'])}"
            + (", rolled back" if row["rolled_back"] else "")
        )
    lines += [f"{case['id']}: {case['reason']}" for case in facts["cases"] if case["reason"]]
    _say(arguments, facts, lines)


def accept_case(arguments: argparse.Namespace) -> None:
    """``accept``: store labels that no prediction replaces."""
    from ..learn.study.late_correction import accept_what_was_seen

    _store(arguments, accept_what_was_seen, "accepted")


def correct_case(arguments: argparse.Namespace) -> None:
    """``correct``: store labels of which the changed voxels stay."""
    from ..learn.study.late_correction import correct_what_was_seen

    _store(arguments, correct_what_was_seen, "corrected")


def skip_case(arguments: argparse.Namespace) -> None:
    """``skip``: leave a case out."""
    from ..learn.study.person import skip

    skip(_opened(arguments), arguments.case)
    _say(arguments, {"case": arguments.case, "state": "skipped"}, [f"{arguments.case}: skipped."])


def reopen_case(arguments: argparse.Namespace) -> None:
    """``reopen``: take a case back."""
    from ..learn.study.person import reopen

    study = _opened(arguments)
    reopen(study, arguments.case)
    state = study.case(arguments.case).state
    _say(arguments, {"case": arguments.case, "state": state}, [f"{arguments.case}: {state}."])


def roll_back(arguments: argparse.Namespace) -> None:
    """``rollback``: make the labels of an earlier iteration current."""
    from ..learn.study import iterations

    study = _opened(arguments)
    with study.running_alone():
        iterations.roll_back(study, arguments.iteration)
    where = f"iteration {arguments.iteration}" if arguments.iteration else "the first labels"
    line = f"Back at {where}; no version was removed, and what persons have made stays current."
    _say(arguments, {"current_iteration": arguments.iteration}, [line])


def move_volumes(arguments: argparse.Namespace) -> None:
    """``images``: look for the volumes in another folder."""
    from ..learn.study.images_folder import move_images

    study = move_images(_opened(arguments), arguments.folder)
    line = f"The volumes of {study.folder.name} are read from {arguments.folder.name} from now on."
    _say(arguments, {"images": study.facts.images}, [line])


def export_labels(arguments: argparse.Namespace) -> None:
    """``export``: write the current labels of all cases into a folder."""
    from ..learn.study.export import export

    study = _opened(arguments)
    if arguments.format == DECATHLON:
        _export_dataset(arguments, study)
        return
    with progress_line() as progress:
        done = export(study, arguments.output, arguments.format, progress)
    lines = [f"{len(done.files)} cases written to {arguments.output.name}."]
    lines += [f"{name}: left out. {reason}" for name, reason in done.left_out.items()]
    _say(arguments, {"files": done.files, "left_out": done.left_out}, lines)


def _export_dataset(arguments: argparse.Namespace, study: Study) -> None:
    from ..learn.study.export_dataset import export_dataset
    from ..networks.store import NetworkStore

    roles = [channel.role for channel in NetworkStore().find(study.facts.base).card.channels]
    with progress_line() as progress:
        made = export_dataset(study, arguments.output, roles, progress)
    line = f"{len(made.cases)} cases written to {arguments.output.name}, with dataset.json."
    _say(arguments, {"cases": [case.id for case in made.cases]}, [line])


def _opened(arguments: argparse.Namespace) -> Study:
    from ..learn.study.study import open_study

    study = open_study(arguments.study)
    if study.set_aside and not arguments.json:
        print(
            f"{study.set_aside} files that an interrupted run had not finished were moved to "
            "orphans."
        )
    return study


def _store(arguments: argparse.Namespace, act: Any, state: str) -> None:
    from ..learn.study.drawn_on import unsigned
    from ..learn.study.late_correction import Seen
    from ..learn.study.person import Work, read_volume_of
    from ..learn.study.source_folders import labelmap_on
    from ..learn.study.versions import CaseChangedError

    study = _opened(arguments)
    case, file = study.case(arguments.case), arguments.file
    labels = labelmap_on(read_volume_of(study, case).grid, file, case.volume)
    seen = Seen(_version_seen(arguments, study, labels, state))
    work = Work(arguments.by, arguments.seconds)
    try:
        version = act(study, case.id, unsigned(labels), work, seen)
    except CaseChangedError as error:
        raise SegmentationAIError(
            f"{error} Or say with --version N that {file.name} holds what version N has."
        ) from error
    facts = {"case": case.id, "state": state, "version": version.number}
    lines = [f"{case.id}: {state}, version {version.number}."]
    if state == "corrected" and version.parent != seen.version:
        facts["made_from"] = seen.version
        lines.append(
            f"{file.name} was made from version {seen.version}: what differs from that was put "
            f"onto version {version.parent}."
        )
    _say(arguments, facts, lines)


def _version_seen(
    arguments: argparse.Namespace, study: Study, labels: Any, state: str
) -> int | None:
    """Return the version that labels were made from: said on the command line, or by themselves."""
    from ..learn.study.drawn_on import version_drawn_on

    if arguments.version is not None:
        return int(arguments.version)
    case = study.case(arguments.case)
    try:
        return version_drawn_on(study, case, labels, arguments.file.name)
    except SegmentationAIError:
        # Accepted labels are the person's as they are; nothing is told from what they differ in.
        if state == "accepted":
            return case.current
        raise


def _cost(study: Study, epochs: int, networks: int) -> str:
    """Return what an iteration will cost, from the last one where there is one."""
    from ..learn.study.iterations import iterations

    cases = [c for c in study.cases() if c.state not in ("failed", "skipped", "new")]
    trained = sum(not case.is_held_out for case in cases)
    what = f"{networks} network{'s' * (networks > 1)}, {epochs} epochs on {trained} cases"
    known = [one.seconds for one in iterations(study) if one.is_finished and one.seconds]
    if known:
        return f"An iteration trains {what}; the last one took {known[-1] / 60:.1f} min."
    return f"An iteration trains {what}; the time left is shown once it trains."


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"


def _say(arguments: argparse.Namespace, facts: dict[str, Any], lines: list[str]) -> None:
    if arguments.json:
        print(json.dumps(facts, indent=1, ensure_ascii=False))
        return
    for line in lines:
        print(line)
