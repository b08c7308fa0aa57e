"""Whether a command can write what it was asked to: said before the work begins, not after it."""

import os
from collections.abc import Iterable
from pathlib import Path


def check_outputs(
    segmentation: Path,
    uncertainty: Path | None = None,
    report: Path | None = None,
    inputs: Iterable[Path] = (),
) -> None:
    """Raise unless every file can be written, each of its own, and none over what is read.

    Args:
        segmentation: Labels.
        uncertainty: A volume, None for none.
        report: JSON, None for none.
        inputs: Files that stay as they are, such as the scan.

    Raises:
        SegmentationAIError: One cannot; the sentence says which and why.
    """
    from ..core.atomic import check_writable
    from ..core.errors import SegmentationAIError
    from ..core.files import check_target

    check_target(segmentation, "segmentation")
    if uncertainty is not None:
        check_target(uncertainty, "volume")
    if report is not None:
        check_writable(report)
    taken = {_place(path): "is read here, and would be lost" for path in inputs}
    for path in (segmentation, uncertainty, report):
        if path is None:
            continue
        if _place(path) in taken:
            raise SegmentationAIError(
                f"{path.name} was not written: it {taken[_place(path)]}; choose another name."
            )
        taken[_place(path)] = "was named for two results"


def _place(path: Path) -> str:
    """Return the same text for two names of one file."""
    return os.path.normcase(os.path.realpath(path))
