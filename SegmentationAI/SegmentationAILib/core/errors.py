"""Errors for the person at the screen: what was found, what was expected, what to do."""


class SegmentationAIError(Exception):
    """Base of every error whose message is meant for the person at the screen."""


class FileFormatError(SegmentationAIError):
    """A file was refused: damaged, hostile, or of a kind that is not read here."""


class GeometryError(SegmentationAIError):
    """Two grids do not match, or a grid is not one that a scan can have."""


class WeightsError(SegmentationAIError):
    """A network, its card or its weights were refused or are not installed."""


class MemoryBudgetError(SegmentationAIError):
    """The work does not fit the memory that is available."""


class PromptError(SegmentationAIError):
    """A prompt lies outside the volume, or there is none to undo."""


class Cancelled(Exception):  # noqa: N818 - an outcome asked for by the person, not an error
    """Raised inside a progress call to end the work; everything stays as it was."""
