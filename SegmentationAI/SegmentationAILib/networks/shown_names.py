"""Names written by others, made safe to show: one line, no markup, bounded, unique."""

import re
import unicodedata
from collections.abc import Sequence

MAX_LENGTH = 80
# Our own three references stay, so that a name that was made safe once stays as it is.
_REFERENCE = re.compile(r"&(?!lt;|gt;|amp;)(?=#|[A-Za-z][A-Za-z0-9]*;)")
_CUT_REFERENCE = re.compile(r"&[a-z]*$")


def shown_name(name: str, max_length: int = MAX_LENGTH) -> str:
    """Return ``name`` as it may be shown; an ordinary name comes back as it was.

    Line breaks, control characters and direction overrides (which make a name read as another)
    become spaces; angle brackets and character references are escaped, because widgets guess
    whether a text is markup; what is longer than ``max_length`` is cut and ends in an ellipsis.
    """
    visible = "".join(" " if _is_invisible(letter) else letter for letter in name)
    plain = " ".join(visible.split())
    escaped = _REFERENCE.sub("&amp;", plain).replace("<", "&lt;").replace(">", "&gt;")
    return _cut(escaped, max_length) or "unnamed"


def shown_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return safe names, each different from the others even when case is ignored.

    Examples:
        >>> shown_names(["Liver", "Liver", "<b>Liver</b>"])
        ('Liver', 'Liver (2)', '&lt;b&gt;Liver&lt;/b&gt;')
    """
    taken: set[str] = set()
    unique = []
    for name in names:
        candidate = shown = shown_name(name)
        number = 1
        while candidate.casefold() in taken:
            number += 1
            suffix = f" ({number})"
            candidate = _cut(shown, MAX_LENGTH - len(suffix)) + suffix
        taken.add(candidate.casefold())
        unique.append(candidate)
    return tuple(unique)


def _cut(name: str, max_length: int) -> str:
    if len(name) <= max_length:
        return name
    return _CUT_REFERENCE.sub("", name[: max_length - 1]).rstrip() + "…"


def _is_invisible(letter: str) -> bool:
    # Cc control, Cf format (overrides, zero width), Cs surrogates, Co private, Cn unassigned,
    # Zl and Zp line and paragraph separators.
    return unicodedata.category(letter)[0] == "C" or unicodedata.category(letter) in ("Zl", "Zp")
