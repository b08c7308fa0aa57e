"""What the actions of `relabel` print, and how they open a study."""

import argparse
import json
from typing import Any

from ..learn.study.study import Study


def opened(arguments: argparse.Namespace) -> Study:
    """Return the study, and say what an interrupted run had left in it."""
    from ..learn.study.study import open_study

    study = open_study(arguments.study)
    if study.set_aside and not arguments.json:
        print(
            f"{counted(study.set_aside, 'file')} that an interrupted run had not finished: moved "
            "to orphans."
        )
    return study


def say(arguments: argparse.Namespace, facts: dict[str, Any], lines: list[str]) -> None:
    """Print facts as JSON where that was asked for, else lines."""
    if arguments.json:
        print(json.dumps(facts, indent=1, ensure_ascii=False))
        return
    for line in lines:
        print(line)


def told_score(value: float | None) -> str:
    """Return a score with four digits; None is unknown."""
    return "unknown" if value is None else f"{value:.4f}"


def counted(number: int, thing: str) -> str:
    """Return how many things there are.

    Examples:
        >>> counted(1, "case"), counted(3, "case")
        ('1 case', '3 cases')
    """
    return f"{number} {thing}{'' if number == 1 else 's'}"
