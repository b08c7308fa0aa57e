"""Sentences in the person's language: Slicer's translation, where the application is."""

try:
    from slicer.i18n import tr as slicers_tr
except ImportError:  # slicer-core has the scene alone, without the application's languages
    slicers_tr = None


def tr(text: str) -> str:
    """Return a text in the person's language, or as it is where there is no translation."""
    return text if slicers_tr is None else str(slicers_tr(text))
