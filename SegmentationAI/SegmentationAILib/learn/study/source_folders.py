"""What a study is made of: volumes in a folder, weak labels of their names in another.

A file that cannot be read costs its own case and no other.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...core.errors import SegmentationAIError
from ...core.files import SEGMENTATION_ENDINGS, VOLUME_ENDINGS, read_labelmap, read_volume
from ...core.labelmap import Label, Labelmap
from ...core.one_layer import default_label, merged
from ...core.volume import Grid, Volume, check_same_grid
from .label_files import sha256_of_file
from .reason import reason_of

# A file, what makes them of the volume, or none.
FirstLabels = Path | Callable[[Volume], Labelmap] | None


@dataclass(frozen=True)
class FoundCase:
    """A case on the way into a study.

    Attributes:
        id: Name of the volume without its ending.
        volume: Name of the volume in its folder.
        volume_sha256: Empty when it cannot be read.
        voxels_sha256: The same.
        labels: None when there are none, or they cannot be read.
        reason: Why it cannot be used, one sentence; empty when it can.
    """

    id: str
    volume: str
    volume_sha256: str
    voxels_sha256: str
    labels: Labelmap | None
    reason: str


def volumes_in(folder: Path) -> dict[str, Path]:
    """Return case name to volume, in the order of the names.

    Args:
        folder: Holds volume files, and folders with one DICOM series each.

    Raises:
        SegmentationAIError: The folder is missing or holds no volume, or two volumes have one name.
    """
    if not folder.is_dir():
        raise SegmentationAIError(f"{folder.name} is not a folder; give the folder of the volumes.")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        ending = _ending_of(path, VOLUME_ENDINGS)
        if path.name.startswith(".") or (not ending and not path.is_dir()):
            continue
        name = path.name[: len(path.name) - len(ending)]
        if name in found:
            raise SegmentationAIError(
                f"{found[name].name} and {path.name} would both be the case {name}; rename one."
            )
        found[name] = path
    if not found:
        raise SegmentationAIError(
            f"No volume in {folder.name}; files ending in {', '.join(VOLUME_ENDINGS)} or folders "
            "with a DICOM series are expected."
        )
    return found


def labels_for(case_id: str, volume: Path, folder: Path) -> Path | None:
    """Return the labels of a case in a folder: of the volume's name, or with another ending.

    Args:
        case_id: Name of the case.
        volume: Path of its volume.
        folder: Of the labels.

    Returns:
        None when there are none.
    """
    same = folder / volume.name
    if _ending_of(same, SEGMENTATION_ENDINGS) and same.is_file():
        return same
    candidates = (folder / f"{case_id}{ending}" for ending in SEGMENTATION_ENDINGS)
    return next((path for path in candidates if path.is_file()), None)


def found_case(case_id: str, volume: Path, labels: FirstLabels) -> FoundCase:
    """Read a case and return it, with the reason in it where something is wrong."""
    try:
        file_hash = sha256_of_volume(volume)
        read = read_volume(volume)
    except (SegmentationAIError, OSError) as error:
        return FoundCase(case_id, volume.name, "", "", None, reason_of(error))
    hashes = file_hash, sha256_of_voxels(read)
    if labels is None:
        return FoundCase(case_id, volume.name, *hashes, None, "")
    try:
        if isinstance(labels, Path):
            labelmap = labelmap_on(read.grid, labels, volume.name)
        else:
            labelmap = labels(read)
    except (SegmentationAIError, OSError) as error:
        return FoundCase(case_id, volume.name, *hashes, None, reason_of(error))
    return FoundCase(case_id, volume.name, *hashes, labelmap, "")


def labelmap_on(grid: Grid, path: Path, volume: str) -> Labelmap:
    """Return the labels of a file in one layer, having checked that they lie on a volume's grid.

    Raises:
        SegmentationAIError: They cannot be read, overlap, or lie elsewhere.
    """
    labelmap = merged(read_labelmap(path))
    check_same_grid(labelmap.grid, grid, (f"the labels {path.name}", f"the volume {volume}"))
    return labelmap


def sha256_of_volume(path: Path) -> str:
    """Return the SHA-256 of a volume's file, or of all files of a series in order of name."""
    if not path.is_dir():
        return sha256_of_file(path)
    digest = hashlib.sha256()
    for part in sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(sha256_of_file(part).encode())
    return digest.hexdigest()


def sha256_of_voxels(volume: Volume) -> str:
    """Return the SHA-256 of the voxels alone: the same scan under another name has the same.

    Whole numbers count the same in whatever type they were stored.
    """
    voxels = np.ascontiguousarray(volume.voxels, np.float32)
    digest = hashlib.sha256(repr(voxels.shape).encode())
    digest.update(voxels.data)
    return digest.hexdigest()


class LabelTable:
    """The label table of a study, grown case by case.

    Args:
        of_base: Labels of the base network: they name values that the files do not name.
    """

    def __init__(self, of_base: Mapping[int, Label]) -> None:
        self._of_base = of_base
        self._rows: dict[int, Label] = {}

    def take(self, labels: Labelmap) -> str:
        """Take the labels of a case in; return why it does not fit the others, empty when it does.

        Args:
            labels: Nothing of it is taken where it does not fit.
        """
        new = [self._named(label) for label in labels.labels]
        for label in new:
            known = self._rows.get(label.value, label)
            if known.name != label.name:
                return (
                    f"Its label {label.value} is named {label.name} and that of other cases "
                    f"{known.name}; give one value one name."
                )
        for label in new:
            self._rows.setdefault(label.value, label)
        return ""

    def rows(self) -> tuple[Label, ...]:
        """Return the table, by value."""
        return tuple(self._rows[value] for value in sorted(self._rows))

    def _named(self, label: Label) -> Label:
        if label.name != default_label(label.value).name:
            return label
        return self._of_base.get(label.value, label)


def _ending_of(path: Path, endings: tuple[str, ...]) -> str:
    return next((e for e in endings if path.name.lower().endswith(e)), "")
