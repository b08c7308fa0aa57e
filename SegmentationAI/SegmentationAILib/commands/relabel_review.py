"""``relabel review``: a blind review without the panel, by folders that readers get."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .progress_line import progress_line
from .relabel_output import counted, say
from .review_form import Given, checked, read_form

if TYPE_CHECKING:
    from ..learn.study.study import Study


def add_review_options(parser: argparse.ArgumentParser) -> None:
    """Add the steps of a review, of which one is done at a time."""
    step = parser.add_mutually_exclusive_group(required=True)
    step.add_argument(
        "--between", type=int, nargs=2, metavar=("A", "B"),
        help="open a review of two iterations, 0 for the first labels",
    )  # fmt: skip
    step.add_argument(
        "--pairs", type=Path, metavar="FOLDER",
        help="write what a reader judges, and answers.csv to fill in, into a new folder",
    )  # fmt: skip
    step.add_argument(
        "--answer", nargs=2, action="append", metavar=("PAIR", "SIDE"),
        help="keep an answer of a reader: number of the pair, and left, right or tie; repeatable",
    )  # fmt: skip
    step.add_argument(
        "--answers", type=Path, metavar="FILE.csv", help="keep all answers of a filled-in form"
    )
    step.add_argument(
        "--close", action="store_true", help="no more answers: the key may be seen, and the tally"
    )
    step.add_argument("--report", action="store_true", help="print the tally of a closed review")
    parser.add_argument(
        "--review", type=int, default=0, metavar="N", help="its number (default: the newest one)"
    )
    parser.add_argument(
        "--reader", default="", metavar="NAME",
        help="who judges; each has an order and sides of their own (default: you)",
    )  # fmt: skip
    parser.add_argument(
        "--per", choices=("case", "slice"), default="slice",
        help="what a pair of --between is (default: slice)",
    )  # fmt: skip
    parser.add_argument(
        "--most", type=int, default=500, metavar="N",
        help="pairs at the utmost; evenly spaced ones are taken of more (default: 500)",
    )  # fmt: skip
    parser.add_argument(
        "--form", choices=("pictures", "files"), default="pictures",
        help="of --pairs: a PNG for each, left beside right; or the scan and both labels",
    )  # fmt: skip


def review(arguments: argparse.Namespace) -> None:
    """``review``: do one step of a blind review."""
    from ..learn.study.study import open_study

    study = open_study(arguments.study)
    if arguments.between is not None:
        _open(study, arguments)
    elif arguments.pairs is not None:
        _write_pairs(study, arguments)
    elif arguments.close:
        _close(study, arguments)
    elif arguments.report:
        _report(study, arguments, _review_of(study, arguments))
    else:
        _answer(study, arguments)


def _open(study: "Study", arguments: argparse.Namespace) -> None:
    from ..core.errors import SegmentationAIError
    from ..learn.study.blind_review import reviews
    from ..learn.study.review_pairs import open_review_between

    first, second = arguments.between
    if first == second or first < 0 or second < 0 or arguments.most < 1:
        raise SegmentationAIError(
            f"A review of {first} and {second}, of {arguments.most} pairs, was asked for; two "
            "iterations that differ, or one and 0 for the first labels, and a pair at least are "
            "needed."
        )
    # Iterations have predictions, the first labels have none: 0 can only be the second.
    newer, older = (first, second) if first else (second, first)
    number, title = open_review_between(study, newer, older, arguments.per, arguments.most)
    pairs = next(row.pairs for row in reviews(study) if row.key == number)
    facts = {"review": number, "title": title, "pairs": pairs}
    line = f"Review {number}: {title}, {pairs} pairs."
    say(arguments, facts, [line, "Write them for each reader: --pairs FOLDER --reader NAME"])


def _write_pairs(study: "Study", arguments: argparse.Namespace) -> None:
    from .review_folder import ANSWERS_FILE, write_pairs

    number, reader = _review_of(study, arguments), _reader(arguments)
    with progress_line() as progress:
        count = write_pairs(study, number, reader, arguments.pairs, arguments.form, progress)
    line = (
        f"{count} pairs for {reader} in {arguments.pairs.name}; left, right or tie goes into "
        f"{ANSWERS_FILE}."
    )
    say(arguments, {"review": number, "reader": reader, "pairs": count}, [line])


def _answer(study: "Study", arguments: argparse.Namespace) -> None:
    from ..learn.study.blind_review import form_code_of, give_answer, order_for, reviews

    number, reader = _review_of(study, arguments), _reader(arguments)
    order = order_for(study, number, reader)
    if arguments.answers is not None:
        code = form_code_of(study, number, reader)
        given = read_form(arguments.answers, code, f"{reader} in review {number}")
    else:
        given = [Given(pair, side, f"The answer {pair} {side}") for pair, side in arguments.answer]
    before = _answered(study, number)
    # All are looked at before the first one is kept.
    for place, side in [checked(one, len(order)) for one in given]:
        give_answer(study, number, reader, order[place - 1], side)
    left = next(row.pairs for row in reviews(study) if row.key == number)
    left -= _answered(study, number).get(reader, 0)
    facts = {"review": number, "reader": reader, "kept": len(given), "unanswered": left}
    lines = [f"Kept of {reader}: {counted(len(given), 'answer')}; {counted(left, 'pair')} left."]
    if before and reader not in before:
        lines.append(f"{reader} is a new reader of this review; so far: {', '.join(before)}.")
    say(arguments, facts, lines)


def _close(study: "Study", arguments: argparse.Namespace) -> None:
    from ..learn.study.blind_review import close_review

    number = _review_of(study, arguments)
    close_review(study, number)
    _report(study, arguments, number)


def _report(study: "Study", arguments: argparse.Namespace, number: int) -> None:
    from ..learn.study.blind_review import review_report

    facts = review_report(study, number)
    lines = [f"{facts['title']}, {facts['pairs']} pairs."]
    lines += [f"{row['reader']}: {row['words']}" for row in facts["readers"]]
    agreement = facts["agreement"]
    if agreement["value"] is not None:
        lines.append(
            f"{agreement['coefficient']} {agreement['value']:.2f} on {agreement['pairs']} pairs "
            "that all readers answered."
        )
    elif len(facts["readers"]) > 1:
        lines.append("Agreement is unknown: of too few pairs do all readers have an answer.")
    lines += [f"Key: {facts['secret']}", f"Its SHA-256: {facts['commitment']}"]
    say(arguments, {"review": number, **facts}, lines)


def _review_of(study: "Study", arguments: argparse.Namespace) -> int:
    from ..core.errors import SegmentationAIError
    from ..learn.study.blind_review import reviews

    known = [row.key for row in reviews(study)]
    if not known:
        raise SegmentationAIError(
            "The study has no review yet; open one with: relabel review STUDY --between 1 0"
        )
    wanted = arguments.review or known[-1]
    if wanted not in known:
        raise SegmentationAIError(
            f"The study has no review {wanted}; there are: {', '.join(map(str, known))}."
        )
    return int(wanted)


def _answered(study: "Study", number: int) -> dict[str, int]:
    """Return by reader how many pairs of a review they have answered."""
    from ..learn.study.blind_review import reviews

    return next(row.answered for row in reviews(study) if row.key == number)


def _reader(arguments: argparse.Namespace) -> str:
    from ..learn.study.versions import this_person

    return arguments.reader.strip() or this_person() or "reader"
