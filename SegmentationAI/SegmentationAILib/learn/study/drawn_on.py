"""Which version of a case a file was made from: its labels say so in a tag, in every format.

``.seg.nrrd`` has the tag in its segments, where Slicer keeps it when it saves them; other formats
have it in the table beside them.
"""

from dataclasses import replace
from typing import Final

from ...core.errors import SegmentationAIError
from ...core.labelmap import Labelmap
from .records import Case, LabelVersion
from .study import Study

VERSION_TAG: Final = "SegmentationAI.StudyVersion"


def signed_with_version(
    labels: Labelmap, study: Study, case: Case, version: LabelVersion
) -> Labelmap:
    """Return labels whose rows say of which study, case and version they are."""
    tag = (VERSION_TAG, f"{_start(study, case)}{version.number}")
    rows = [replace(row, tags=(*row.tags, tag)) for row in unsigned(labels).labels]
    return labels.with_names(rows)


def unsigned(labels: Labelmap) -> Labelmap:
    """Return labels that no longer say what they were made from."""
    rows = [
        replace(row, tags=tuple(tag for tag in row.tags if tag[0] != VERSION_TAG))
        for row in labels.labels
    ]
    return labels.with_names(rows)


def version_drawn_on(study: Study, case: Case, labels: Labelmap, file: str) -> int | None:
    """Return the number of the version that labels were made from.

    It is what they say of themselves, or the only one that there is.

    Args:
        study: Open.
        case: Whose labels they are.
        labels: As read from their file.
        file: Its name, for the message.

    Returns:
        None for a case without labels.

    Raises:
        SegmentationAIError: They do not say it, or name several, and there are several.
    """
    start = _start(study, case)
    tags = {value for row in labels.labels for key, value in row.tags if key == VERSION_TAG}
    said = {value.removeprefix(start) for value in tags if value.startswith(start)}
    if len(said) == 1 and (number := said.pop()).isascii() and number.isdigit():
        return int(number)
    versions = study.versions(case.id)
    if len(versions) < 2:
        return case.current
    there = ", ".join(f"{one.number} ({_in_words(one)})" for one in versions)
    raise SegmentationAIError(
        f"{file} does not say from which version of {case.id} it was made, and there are: {there}; "
        "say it with --version N, or draw on a file that relabel export has written, which says it "
        "itself. Nothing was stored."
    )


def _start(study: Study, case: Case) -> str:
    return f"{study.facts.id} {case.key} "


def _in_words(version: LabelVersion) -> str:
    making = version.making
    where = f" in iteration {making.iteration}" if making.iteration else ""
    by = f" by {making.who}" if making.who else ""
    return f"{making.origin}{where}{by}"
