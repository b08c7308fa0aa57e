"""The labels of a study as a folder of files: all of them, or no folder."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...core.errors import SegmentationAIError
from ...core.files import SEGMENTATION_ENDING, SEGMENTATION_ENDINGS, write_labelmap
from ...core.progress import IGNORE, Progress
from ...core.staging import publish
from .drawn_on import signed_with_version
from .held import held
from .records import Case, LabelVersion
from .study import LOCKS, Study
from .versions import read_version

_PREFIX: Final = ".staging-study-"


@dataclass(frozen=True)
class Exported:
    """What an export has written.

    Attributes:
        files: Names of the files, by case.
        left_out: Name of each case without labels, and why.
    """

    files: dict[str, str]
    left_out: dict[str, str]


def export(study: Study, output: Path, ending: str = "", progress: Progress = IGNORE) -> Exported:
    """Write the current labels of each case into a new folder; they say which version they are.

    Args:
        study: Open; not changed.
        output: Folder that is not there yet, or empty.
        ending: Of all files, such as ``.seg.nrrd``; empty gives each the name of its volume (and
            ``.seg.nrrd`` where that is a DICOM folder or a format that holds no segments).
        progress: Told once per case.

    Raises:
        SegmentationAIError: The folder holds something, no case has labels, two files would have
            one name, or a label file is damaged. Nothing is written then.
    """
    chosen, left_out = labeled_cases(study)
    names = {case.id: export_name(case, ending) for case, _ in chosen}
    _check(names, output, ending)
    output = output.resolve()
    refusal = f"The study {study.folder.name} is being exported by another window; wait for it."
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with held(study.folder / LOCKS / "export", refusal):
            prefix = f"{_PREFIX}{study.facts.id}-"
            # Under the lock, one that is there was left by an export of this study that ended.
            for left in output.parent.glob(f"{prefix}*"):
                shutil.rmtree(left, ignore_errors=True)
            staging = Path(tempfile.mkdtemp(prefix=prefix, dir=output.parent))
            try:
                _write(study, chosen, names, staging, progress)
                if output.is_dir():
                    output.rmdir()
                staging.chmod(0o755)
                publish(staging, output)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise SegmentationAIError(
            f"{output.name} was not written ({error.strerror or error}); choose another folder or "
            "free some space."
        ) from error
    return Exported(names, left_out)


def export_name(case: Case, ending: str = "") -> str:
    """Return the name of a case's exported file."""
    if ending:
        return f"{case.id}{ending}"
    name = case.volume.lower()
    if any(name.endswith(e) for e in SEGMENTATION_ENDINGS):
        return case.volume
    return f"{case.id}{SEGMENTATION_ENDING}"


def labeled_cases(
    study: Study,
) -> tuple[list[tuple[Case, LabelVersion]], dict[str, str]]:
    """Return the cases to export with their current versions, and why the others are left out."""
    chosen, left_out = [], {}
    for case in study.cases():
        version = study.current_version(case.id)
        if case.state in ("skipped", "failed"):
            left_out[case.id] = case.reason or "It was skipped."
        elif version is None:
            left_out[case.id] = "It has no labels yet."
        else:
            chosen.append((case, version))
    return chosen, left_out


def _check(names: dict[str, str], output: Path, ending: str) -> None:
    if ending and ending not in SEGMENTATION_ENDINGS:
        raise SegmentationAIError(
            f"Segmentations are not written as {ending}; one of {', '.join(SEGMENTATION_ENDINGS)} "
            "was expected."
        )
    if not names:
        raise SegmentationAIError("No case of the study has labels to export.")
    if len({name.casefold() for name in names.values()}) < len(names):
        raise SegmentationAIError(
            "Two cases would be exported under one name; choose an ending with --format."
        )
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise SegmentationAIError(
            f"{output.name} holds something already; choose a folder that is new or empty."
        )


def _write(
    study: Study,
    chosen: Sequence[tuple[Case, LabelVersion]],
    names: dict[str, str],
    folder: Path,
    progress: Progress,
) -> None:
    for done, (case, version) in enumerate(chosen):
        progress(done / len(chosen), f"Writing {names[case.id]}")
        labels = signed_with_version(read_version(study, version), study, case, version)
        write_labelmap(labels, folder / names[case.id])
