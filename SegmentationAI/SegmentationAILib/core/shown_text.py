"""Names from files, made fit to be shown: in one line, of bounded length, unique, inert.

Names are kept in a labelmap as they are; a terminal, a table or a web page shows what these
functions return. Nothing in it can end a line, reorder the text around it or become markup.
"""

import unicodedata
from collections.abc import Sequence

LONGEST_SHOWN = 120


def shown_text(text: str, longest: int = LONGEST_SHOWN) -> str:
    r"""Return a text in one line: controls and direction marks as escapes, ``<`` and ``>`` inert.

    Args:
        text: Anything.
        longest: Characters after which it is cut, with an ellipsis.

    Examples:
        >>> shown_text("liver\n<b>" + chr(0x202E) + "x")
        'liver\\n‹b›\\u202ex'
    """
    cut = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return "".join(_shown_character(character) for character in cut)


def shown_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return names fit to be shown, all different: the second ``liver`` becomes ``liver (2)``.

    Examples:
        >>> shown_names(["liver", "liver", ""])
        ('liver', 'liver (2)', '(no name)')
    """
    shown = [shown_text(name).strip() or "(no name)" for name in names]
    originals, taken, unique = set(shown), set[str](), []
    for name in shown:
        candidate, count = name, 1
        while candidate in taken or (count > 1 and candidate in originals):
            count += 1
            candidate = f"{name} ({count})"
        taken.add(candidate)
        unique.append(candidate)
    return tuple(unique)


def _shown_character(character: str) -> str:
    """Return a character, an escape of what would act instead of being seen."""
    # Single guillemets look like the angle brackets that a rich-text widget would act upon.
    inert = {"<": "‹", ">": "›"}.get(character)
    if inert is not None:
        return inert
    # Cc controls, Cf format (all direction marks), Cs surrogates, Co private, Zl and Zp separators.
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        return character.encode("unicode_escape", errors="backslashreplace").decode("ascii")
    return character
