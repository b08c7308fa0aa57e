"""The table of cases beside this file names tests that exist, for every case it is about."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTING = Path(__file__).resolve().parents[2]
TABLE = Path(__file__).with_name("README.md")
CASES = [*range(1, 50)]


def rows() -> dict[int, list[str]]:
    """Number of each case to the cells of its row."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in TABLE.read_text(encoding="utf-8").splitlines()
        if re.match(r"\| \d+ \|", line)
    ]
    return {int(number): rest for number, *rest in cells}


@cache
def names_of_tests(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def named_in(cell: str) -> list[tuple[str, str]]:
    return re.findall(r"`([\w/]+\.py)::(test_\w+)`", cell)


def test_every_case_has_one_row():
    assert list(rows()) == CASES


@pytest.mark.parametrize("case", CASES)
def test_every_test_of_a_row_exists(case):
    _, proof, twin = rows()[case]
    assert named_in(proof)
    assert named_in(twin) or twin in ("the same test", "the same tests")
    for path, name in named_in(proof) + named_in(twin):
        assert name in names_of_tests(TESTING / path), f"{path} has no {name}"
