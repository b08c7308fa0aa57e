"""What a reader of a blind review has answered, as typed or as filled into ``answers.csv``."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ..core.errors import SegmentationAIError

Side = Literal["left", "right", "tie"]
_SIDES: Final[tuple[Side, ...]] = ("left", "right", "tie")
HEADING: Final = "pair,answer"
_MOST_BYTES: Final = 1_000_000


@dataclass(frozen=True)
class Given:
    """An answer as text.

    Attributes:
        pair: Number of the pair, 1 for the first that the reader sees.
        side: ``left``, ``right`` or ``tie``.
        where: What a refusal calls it, such as "Line 3 of answers.csv".
    """

    pair: str
    side: str
    where: str


def form_of(pairs: int, code: str) -> str:
    """Return an empty form for so many pairs; the code tells whose it is."""
    rows = (f"{pair},," for pair in range(1, pairs + 1))
    return "\n".join([f"{HEADING},{code}", *rows]) + "\n"


def read_form(path: Path, code: str, whose: str) -> list[Given]:
    """Return the answers of a form; lines without one are left out.

    Args:
        path: Of the form.
        code: That it was written with.
        whose: Reader and review that the code stands for, for the message.

    Raises:
        SegmentationAIError: The file is no such form, or that of another reader or review: there,
            pairs have another order and other sides.
    """
    lines = _text(path).splitlines()
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines)]
    if not rows or ",".join(rows[0][:2]) != HEADING:
        raise SegmentationAIError(
            f"{path.name} does not begin with the line {HEADING}; give the answers.csv that came "
            "with the pairs."
        )
    if rows[0][2:] != [code]:
        raise SegmentationAIError(
            f"{path.name} is not the form of {whose}; give the --reader, and the --review, for "
            "whom its folder was written. No answer was kept."
        )
    filled = []
    for line, cells in enumerate(rows[1:], start=2):
        if any(cells) and (len(cells) not in (2, 3) or any(cells[2:])):
            raise SegmentationAIError(
                f"Line {line} of {path.name} has {len(cells)} columns; a pair and an answer were "
                "expected."
            )
        if any(cells) and cells[1]:
            filled.append(Given(cells[0], cells[1], f"Line {line} of {path.name}"))
    return filled


def checked(given: Given, pairs: int) -> tuple[int, Side]:
    """Return an answer as number and side.

    Args:
        given: As text; upper case is taken too.
        pairs: Of the review.

    Raises:
        SegmentationAIError: There is no such pair or side.
    """
    side = next((one for one in _SIDES if one == given.side.lower()), None)
    is_number = given.pair.isascii() and given.pair.isdigit() and len(given.pair) < 7
    if side is None or not is_number or not 1 <= int(given.pair) <= pairs:
        raise SegmentationAIError(
            f"{given.where} says {given.pair[:20]!a}, {given.side[:20]!a}; a pair from 1 to "
            f"{pairs} and left, right or tie were expected. No answer was kept."
        )
    return int(given.pair), side


def _text(path: Path) -> str:
    """Return the text of a file; semicolons, which spreadsheets of some languages write, as commas.

    Raises:
        SegmentationAIError: It cannot be read, is no text, or is far longer than any form.
    """
    said = f"{path.name} cannot be read as text; give the answers.csv that came with the pairs."
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise SegmentationAIError(said)
        # Spreadsheets put a mark at the beginning.
        return path.read_text(encoding="utf-8-sig").replace(";", ",")
    except (OSError, UnicodeDecodeError) as error:
        raise SegmentationAIError(said) from error
