"""The actions of `relabel`: each opens the study, does one thing and says what came of it."""

import argparse
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from ..learn.study.study import Study
from .progress_line import progress_line
from .relabel_output import counted, opened, say, told_score
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
    lines = [f"{counted(len(cases), 'case')}: {words}; {len(held_out)} held out."]
    if held_out:
        lines.append(f"Held out: {', '.join(held_out)}.")
    lines += [f"{name}: {reason}" for name, reason in failed.items()]
    say(arguments, facts, lines)


def run_loop(arguments: argparse.Namespace) -> None:
    """``run``: run iterations, each told when it is done."""
    from ..learn.relabel.loop import Tools, relabel
    from ..learn.relabel.settings import RelabelSettings

    study = opened(arguments)
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
            "base_sha256": study.facts.base_sha256,
            "start_sha256": one.base_sha256,
            "verdict": one.verdict,
            "seconds": one.seconds,
        }
        for one in done
    ]
    lines = [
        f"Iteration {one.number}: Dice to the labels before {told_score(one.dice_to_previous)}, "
        f"held-out Dice {told_score(one.holdout_dice)}, {one.seconds:.0f} s. {one.verdict}"
        for one in done
    ]
    say(arguments, {"iterations": rows}, lines)
    if not arguments.json:
        show_research_notice_once()


def show_status(arguments: argparse.Namespace) -> None:
    """``status``: where the study stands, with scores against reference labels if there are any."""
    from ..learn.study.status import status

    study = opened(arguments)
    with progress_line() as progress:
        facts = status(study, progress)
    lines = _states_in_words(facts["cases"])
    if facts["weak_dice_to_reference"] is not None:
        lines.append(f"first labels: Dice to the reference {facts['weak_dice_to_reference']:.4f}")
    for row in facts["iterations"]:
        here = "*" if row["index"] == facts["current_iteration"] else " "
        lines.append(
            f"{here} iteration {row['index']}: Dice to the labels before "
            f"{told_score(row['mean_dice_to_previous'])}, "
            f"held out {told_score(row['holdout_dice'])}, "
            f"to the reference {told_score(row['mean_dice_to_reference'])}"
            + (", rolled back" if row["rolled_back"] else "")
            + f". {row['verdict']}"
        )
    if facts["unfinished_iteration"]:
        lines.append(
            f"iteration {facts['unfinished_iteration']} is unfinished: run goes on with it"
        )
    lines += [f"{case['id']}: {case['reason']}" for case in facts["cases"] if case["reason"]]
    say(arguments, facts, lines)


def _states_in_words(cases: Sequence[dict[str, Any]]) -> list[str]:
    """Return how many cases are in which state, and which are held out or wait for labels."""
    counts = Counter(case["state"] for case in cases)
    lines = ["  ".join(f"{state} {number}" for state, number in sorted(counts.items()))]
    for title, names in (
        ("held out", [case["id"] for case in cases if case["held_out"]]),
        ("with voxels that persons changed", [c["id"] for c in cases if c["keeps_corrections"]]),
        ("without labels", [case["id"] for case in cases if case["state"] == "new"]),
    ):
        if names:
            lines.append(f"{title}: {', '.join(names)}")
    return lines


def roll_back(arguments: argparse.Namespace) -> None:
    """``rollback``: make the labels of an earlier iteration current."""
    from ..learn.study import iterations

    study = opened(arguments)
    with study.running_alone():
        iterations.roll_back(study, arguments.iteration)
    where = f"iteration {arguments.iteration}" if arguments.iteration else "the first labels"
    line = f"Back at {where}; no version was removed, and what persons have made stays current."
    say(arguments, {"current_iteration": arguments.iteration}, [line])


def move_volumes(arguments: argparse.Namespace) -> None:
    """``images``: look for the volumes in another folder."""
    from ..learn.study.images_folder import move_images

    study = move_images(opened(arguments), arguments.folder)
    line = f"The volumes of {study.folder.name} are read from {arguments.folder.name} from now on."
    say(arguments, {"images": study.facts.images}, [line])


def export_labels(arguments: argparse.Namespace) -> None:
    """``export``: write the current labels of all cases into a folder."""
    from ..learn.study.export import export

    study = opened(arguments)
    if arguments.format == DECATHLON:
        _export_dataset(arguments, study)
        return
    with progress_line() as progress:
        done = export(study, arguments.output, arguments.format, progress)
    lines = [f"{counted(len(done.files), 'case')} written to {arguments.output.name}."]
    lines += [f"{name}: left out. {reason}" for name, reason in done.left_out.items()]
    say(arguments, {"files": done.files, "left_out": done.left_out}, lines)


def _export_dataset(arguments: argparse.Namespace, study: Study) -> None:
    from ..learn.study.export_dataset import export_dataset
    from ..networks.store import NetworkStore

    roles = [channel.role for channel in NetworkStore().find(study.facts.base).card.channels]
    with progress_line() as progress:
        made = export_dataset(study, arguments.output, roles, progress)
    line = (
        f"{counted(len(made.cases), 'case')} written to {arguments.output.name}, with dataset.json."
    )
    say(arguments, {"cases": [case.id for case in made.cases]}, [line])


def _cost(study: Study, epochs: int, networks: int) -> str:
    """Return what an iteration will cost, from the last one where there is one."""
    from ..learn.study.iterations import iterations

    cases = [c for c in study.cases() if c.state not in ("failed", "skipped", "new")]
    trained = sum(not case.is_held_out for case in cases)
    what = (
        f"{counted(networks, 'network')}, {counted(epochs, 'epoch')} on {counted(trained, 'case')}"
    )
    known = [one.seconds for one in iterations(study) if one.is_finished and one.seconds]
    if known:
        return f"An iteration trains {what}; the last one took {known[-1] / 60:.1f} min."
    return f"An iteration trains {what}; the time left is shown once it trains."
