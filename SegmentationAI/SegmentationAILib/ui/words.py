"""Numbers and terms as a person reads them: sizes, times, licenses."""

from slicer.i18n import tr as _

_USE = {
    "free": "free",
    "research-only": "research only",
    "key-needed": "key needed",
    "unstated": "license not stated",
}


def size_in_words(size_bytes: int) -> str:
    """Return a size with a unit and two or three digits.

    Examples:
        >>> size_in_words(785768), size_in_words(1234567890), size_in_words(900)
        ('786 kB', '1.23 GB', '900 B')
    """
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size_bytes >= limit:
            return f"{size_bytes / limit:.3g} {unit}"
    return f"{size_bytes} B"


def time_in_words(seconds: float) -> str:
    """Return a duration, rounded up so that it is not promised too early.

    Examples:
        >>> time_in_words(0.2), time_in_words(38.1), time_in_words(150)
        ('1 s', '39 s', '3 min')
    """
    if seconds <= 90:
        return f"{max(1, -int(-seconds // 1))} s"
    return f"{-int(-seconds // 60)} min"


def use_in_words(use: str) -> str:
    """Return what a license allows, as on the badge."""
    return str(_(_USE.get(use, _USE["unstated"])))
