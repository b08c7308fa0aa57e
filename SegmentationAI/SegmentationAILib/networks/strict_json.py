"""JSON that was written by others: bounded in size and depth, no doubled key, finite numbers."""

import json
from typing import Any, NoReturn

from ..core.errors import WeightsError

MAX_DEPTH = 32


def json_from_bytes(data: bytes, source: str, max_bytes: int) -> Any:
    """Return the value that ``data`` spells.

    Python's reader takes the last of two equal keys, NaN and Infinity; two programs that read the
    same file would see different things, hence all of these are refused.

    Args:
        data: UTF-8 text.
        source: What is read, for the message.
        max_bytes: More than this is refused unread.

    Raises:
        WeightsError: Too large, too deep, not JSON, or one of the above.
    """
    if len(data) > max_bytes:
        raise WeightsError(f"{source} has {len(data)} bytes; at most {max_bytes} are read.")
    if _depth(data) > MAX_DEPTH:
        raise WeightsError(f"{source} is nested deeper than {MAX_DEPTH} levels; it was refused.")
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object_of_single_keys,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{source} is not valid JSON: {_first_line(error)}.") from error


def _depth(data: bytes) -> int:
    # Brackets inside strings count too: that only makes the bound stricter, and it is one pass.
    depth = deepest = 0
    for byte in data.translate(None, delete=_ALL_BUT_BRACKETS):
        depth += 1 if byte in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


_ALL_BUT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def _object_of_single_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in found if names.count(name) > 1)
        raise ValueError(f"the key {doubled[:80]!r} occurs twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"the number {name} is not finite")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(".")
