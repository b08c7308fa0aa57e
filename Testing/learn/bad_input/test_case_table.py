"""The table of cases beside this file names tests that exist, for every case it is about."""

import ast
import re
from pathlib import Path

TESTING = Path(__file__).resolve().parents[2]
TABLE = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
CASES = [*range(68, 73)]


def test_every_case_has_a_row_with_a_proof_and_a_twin():
    rows = re.findall(r"^\| (\d+) \|[^|]+\|([^|]+)\|([^|]+)\|$", TABLE, re.MULTILINE)
    assert [int(case) for case, _, _ in rows] == CASES
    for _, proof, twin in rows:
        assert "::test_" in proof
        assert "::test_" in twin


def test_every_test_that_is_named_exists():
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", TABLE)
    assert len(named) > len(CASES)
    for path, name in named:
        tree = ast.parse((TESTING / path).read_text(encoding="utf-8"))
        assert name in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)], name
