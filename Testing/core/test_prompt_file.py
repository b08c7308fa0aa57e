"""The prompts of the public contract, read strictly."""

import json

import pytest

from SegmentationAILib.core.errors import PromptError
from SegmentationAILib.core.prompt_file import json_from_prompts, prompts_from_json, read_prompts
from SegmentationAILib.core.prompts import BoxPrompt, LassoPrompt, PointPrompt, ScribblePrompt

CONTRACT = """{"prompts": [
  {"type": "point", "position": [1.5, -2, 3], "positive": true},
  {"type": "box", "corners": [[0, 0, 0], [10, 20, 30]], "positive": true},
  {"type": "scribble", "points": [[0, 0, 0], [1, 1, 1]], "radius_mm": 2.0, "positive": false},
  {"type": "lasso", "points": [[0, 0, 0], [9, 0, 0], [0, 9, 0]], "positive": true}]}"""


def row(**changes):
    found = {"type": "point", "position": [0, 0, 0], "positive": True, **changes}
    return json.dumps({"prompts": [{k: v for k, v in found.items() if v is not None}]})


def test_the_form_of_the_contract_is_read_in_order():
    assert prompts_from_json(CONTRACT.encode(), "p.json") == (
        PointPrompt((1.5, -2.0, 3.0)),
        BoxPrompt(((0, 0, 0), (10, 20, 30))),
        ScribblePrompt(((0, 0, 0), (1, 1, 1)), 2.0, False),
        LassoPrompt(((0, 0, 0), (9, 0, 0), (0, 9, 0))),
    )


def test_what_is_written_is_read_back_the_same(tmp_path):
    prompts = prompts_from_json(CONTRACT.encode(), "p.json")
    (tmp_path / "p.json").write_text(json_from_prompts(prompts), encoding="utf-8")
    assert read_prompts(tmp_path / "p.json") == prompts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not valid JSON"),
        ("[]", "prompts"),
        ('{"prompts": 3}', "list"),
        ('{"prompts": [], "x": 1}', "nothing else"),
        ('{"prompts": [], "prompts": []}', "twice"),
        ('{"prompts": [7]}', "prompt 1"),
        (row(type="circle"), "circle"),
        (row(position=[0, 0]), "three finite numbers"),
        (row(position=["0", 0, 0]), "three numbers"),
        (row(position=[True, 0, 0]), "three numbers"),
        (row(position=[0, 0, 0]).replace("[0, 0, 0]", "[NaN, 0, 0]"), "NaN"),
        (row(position=[0, 0, 0]).replace("[0, 0, 0]", "[1e999, 0, 0]"), "finite"),
        (row(positive="yes"), "true or false"),
        (row(radius_mm=2), "radius_mm"),
        (row(type="scribble", position=None, points=[[0, 0, 0]], radius_mm="2"), "number"),
        (row(type="scribble", position=None, points=[[0, 0, 0]], radius_mm=0), "radius"),
        (row(type="lasso", position=None, points=[[0, 0, 0]]), "lasso"),
        (row(type="box", position=None, corners=[[0, 0, 0]]), "corners"),
        (row(type="box"), "position"),
        ("[" * 100_000, "not valid JSON"),
        ("\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "not valid JSON"),
    ],
)
def test_another_form_is_refused_with_a_sentence_that_names_the_place(text, words):
    with pytest.raises(PromptError) as refusal:
        prompts_from_json(text.encode(), "p.json")
    sentence = str(refusal.value)
    assert words in sentence
    assert sentence.startswith("p.json")
    assert len(sentence.splitlines()) == 1


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(PromptError, match="not valid JSON"):
        prompts_from_json(b"\xff\xfe{}", "p.json")


def test_a_list_without_prompts_is_in_order():
    assert prompts_from_json(b'{"prompts": []}', "p.json") == ()
