"""The same scan must not be learned from and score: known by its voxels, whatever its name."""

from collections.abc import Iterable

from ...core.errors import SegmentationAIError
from .records import Case


def check_no_leak(cases: Iterable[Case]) -> None:
    """Raise when a scan is both among those to learn from and among those held out.

    Args:
        cases: Of a study; failed and skipped ones do not count.

    Raises:
        SegmentationAIError: One is; the message names both cases.
    """
    learned: dict[str, str] = {}
    held_out: dict[str, str] = {}
    for case in cases:
        if case.state not in ("failed", "skipped"):
            (held_out if case.is_held_out else learned)[case.voxels_sha256] = case.id
    for voxels, name in held_out.items():
        if voxels in learned:
            raise SegmentationAIError(
                f"{name} is held out and has the same voxels as {learned[voxels]}, which the "
                "network would learn from: its score would mean nothing. Skip or take away one of "
                "the two."
            )
