"""A study as a data set in the Decathlon's form: volumes and current labels, to train on."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...core.progress import IGNORE, Progress
from ..dataset import Dataset
from ..dataset_writer import CollectedCase, write_dataset
from .export import labeled_cases
from .person import read_volume_of
from .study import Study
from .versions import read_version


def export_dataset(
    study: Study, output: Path, modalities: Sequence[str], progress: Progress = IGNORE
) -> Dataset:
    """Write all cases with labels as a data set; the folder appears whole or not at all.

    Args:
        study: Open; not changed.
        output: Folder that is not there yet.
        modalities: What each channel shows, such as ``("MRI",)``.
        progress: Told once per case.

    Raises:
        SegmentationAIError: The folder is there, no case has labels, or a file is damaged or
            changed. Nothing is written then.
    """
    chosen, _ = labeled_cases(study)

    def collected() -> Iterator[CollectedCase]:
        for case, version in chosen:
            # The Decathlon's names are plain; the same scan under two names is one patient.
            plain = re.sub(r"[^A-Za-z0-9._-]", "_", case.id).lstrip("._-") or f"case-{case.key}"
            volume, labels = read_volume_of(study, case), read_version(study, version)
            yield CollectedCase(plain, volume, labels, case.voxels_sha256[:16])

    return write_dataset(output, study.folder.name, modalities, collected(), progress)
