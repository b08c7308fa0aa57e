"""Prompts as JSON, in the form of the public contract; read strictly, as others write them too."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from .errors import PromptError
from .prompts import (
    DEFAULT_RADIUS_MM,
    BoxPrompt,
    LassoPrompt,
    PointPrompt,
    PointRas,
    Prompt,
    ScribblePrompt,
)

LARGEST_FILE_BYTES: Final = 64 << 20
MOST_PROMPTS: Final = 10_000
_PLACES: Final = {
    "point": "position",
    "box": "corners",
    "scribble": "points",
    "lasso": "points",
}


def read_prompts(path: Path) -> tuple[Prompt, ...]:
    """Return the prompts of a file, in order.

    Raises:
        PromptError: The file is not of the contract's form; the sentence names the place.
        OSError: It cannot be read.
    """
    with path.open("rb") as stream:
        data = stream.read(LARGEST_FILE_BYTES + 1)
    return prompts_from_json(data, path.name)


def prompts_from_json(data: bytes, source: str) -> tuple[Prompt, ...]:
    """Return the prompts that JSON text spells.

    Args:
        data: UTF-8.
        source: Where it came from, for messages.

    Raises:
        PromptError: Too large, not JSON, a doubled key, NaN or infinity, or another form.
    """
    if len(data) > LARGEST_FILE_BYTES:
        raise PromptError(f"{source} is larger than {LARGEST_FILE_BYTES >> 20} MB; that is no list "
                          "of prompts.")  # fmt: skip
    try:
        found = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object_of_single_keys,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(".")
        raise PromptError(f"{source} is not valid JSON: {reason}.") from error
    if not isinstance(found, dict) or set(found) != {"prompts"}:
        raise PromptError(f'{source} has to be {{"prompts": [...]}} and nothing else.')
    rows = found["prompts"]
    if not isinstance(rows, list) or len(rows) > MOST_PROMPTS:
        raise PromptError(f"{source} has to hold a list of at most {MOST_PROMPTS} prompts.")
    return tuple(_located(row, number, source) for number, row in enumerate(rows, start=1))


def prompt_from_row(row: Any) -> Prompt:
    """Return the prompt that a JSON object describes.

    Raises:
        PromptError: It describes none.
    """
    kind = row.get("type") if isinstance(row, dict) else None
    if not isinstance(kind, str) or kind not in _PLACES:
        raise PromptError(
            f"the type is {ascii(kind)[:40]}; one of {', '.join(_PLACES)} is expected"
        )
    allowed = {"type", "positive", _PLACES[kind]} | ({"radius_mm"} if kind == "scribble" else set())
    unknown = sorted(set(row) - allowed)
    if unknown:
        raise PromptError(f"{ascii(unknown[0])[:40]} is not a key of a {kind}")
    positive = row.get("positive", True)
    if not isinstance(positive, bool):
        raise PromptError('"positive" has to be true or false')
    places = row.get(_PLACES[kind])
    if not isinstance(places, list):
        raise PromptError(f'a {kind} needs "{_PLACES[kind]}", a list')
    if kind == "point":
        return PointPrompt(_point(places), positive)
    points = tuple(_point(place) for place in places)
    if kind == "box":
        return BoxPrompt(cast(tuple[PointRas, PointRas], points), positive)
    if kind == "lasso":
        return LassoPrompt(points, positive)
    radius = row.get("radius_mm", DEFAULT_RADIUS_MM)
    if isinstance(radius, bool) or not isinstance(radius, int | float):
        raise PromptError('"radius_mm" has to be a number')
    return ScribblePrompt(points, radius, positive)


def row_of_prompt(prompt: Prompt) -> dict[str, Any]:
    """Return a prompt as the JSON object that describes it."""
    if isinstance(prompt, PointPrompt):
        row: dict[str, Any] = {"type": "point", "position": list(prompt.position_ras)}
    elif isinstance(prompt, BoxPrompt):
        row = {"type": "box", "corners": _lists(prompt.corners_ras)}
    elif isinstance(prompt, ScribblePrompt):
        row = {
            "type": "scribble",
            "points": _lists(prompt.points_ras),
            "radius_mm": prompt.radius_mm,
        }
    else:
        row = {"type": "lasso", "points": _lists(prompt.points_ras)}
    return {**row, "positive": prompt.positive}


def json_from_prompts(prompts: Sequence[Prompt]) -> str:
    """Return prompts as JSON text that `prompts_from_json` reads."""
    return json.dumps({"prompts": [row_of_prompt(prompt) for prompt in prompts]}, indent=1)


def _located(row: Any, number: int, source: str) -> Prompt:
    try:
        return prompt_from_row(row)
    except PromptError as error:
        reason = str(error).rstrip(".")
        raise PromptError(f"{source}, prompt {number}: {reason}.") from error


def _point(place: Any) -> PointRas:
    # JSON numbers only: text that spells a number, or true, is somebody's mistake.
    if not isinstance(place, list) or any(type(n) not in (int, float) for n in place):
        raise PromptError(f"{ascii(place)[:60]} is not a list of three numbers")
    return cast(PointRas, tuple(place))


def _lists(points: Sequence[PointRas]) -> list[list[float]]:
    return [list(point) for point in points]


def _object_of_single_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in found if names.count(name) > 1)
        raise ValueError(f"the key {ascii(doubled)[:80]} occurs twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"the number {name} is not finite")
