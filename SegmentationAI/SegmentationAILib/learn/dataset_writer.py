"""Cases collected from a scene as a data set on the disk, in the Decathlon's form."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ..core.errors import SegmentationAIError
from ..core.files import write_labelmap, write_volume
from ..core.labelmap import Label, Labelmap, smallest_label_dtype
from ..core.one_layer import merged
from ..core.progress import IGNORE, Progress
from ..core.shown_text import shown_text
from ..core.staging import publish, staged
from ..core.volume import Volume, check_same_grid
from .dataset import DATASET_FILE, Dataset, read_dataset

VOLUMES: Final = "imagesTr"
LABELS: Final = "labelsTr"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_PRIVATE: Final = 0o700


@dataclass(frozen=True, eq=False)
class CollectedCase:
    """A volume with its segments, as a scene has them.

    Attributes:
        id: Becomes the names of its files.
        volume: With all channels.
        labelmap: On the volume's grid; segments are told by name, since every segmentation
            numbers its own.
        patient: Cases of one patient are never split; empty for a patient of its own.
    """

    id: str
    volume: Volume
    labelmap: Labelmap
    patient: str = ""


def write_dataset(
    folder: str | Path,
    name: str,
    modalities: Sequence[str],
    cases: Iterable[CollectedCase],
    progress: Progress = IGNORE,
) -> Dataset:
    """Write cases as a data set and return it; the folder appears whole or not at all.

    Segments with the same name (case does not matter) become one label, in the order in which
    they are first met. Files are readable by their owner alone.

    Args:
        folder: Must not exist.
        name: Of the data set.
        modalities: What each channel shows, such as ``("MRI",)`` or ``("T1", "FLAIR")``.
        cases: Each is written before the next is asked for.
        progress: Told once per case.

    Raises:
        SegmentationAIError: The folder is there already, a name cannot be one of a file or occurs
            twice, segments overlap, or there is no segment at all.
        GeometryError: A labelmap lies on another grid than its volume.
        Cancelled: Raised by ``progress``; nothing is left.
    """
    folder = Path(folder)
    if folder.exists():
        raise SegmentationAIError(
            f"{shown_text(folder.name)} is there already; name a new folder for the data set."
        )
    if not folder.parent.is_dir():
        raise SegmentationAIError(
            f"The folder in which {shown_text(folder.name)} is to be made is not there; make it "
            "first."
        )
    with staged(folder.parent) as staging:
        ready = staging / "dataset"
        for part in (ready, ready / VOLUMES, ready / LABELS):
            part.mkdir(mode=_PRIVATE)
        table, entries = _written(ready, len(modalities), list(cases), progress)
        text = json.dumps(_description(name, modalities, table, entries), indent=1)
        (ready / DATASET_FILE).write_text(f"{text}\n", encoding="utf-8")
        read_dataset(ready)  # what is published can be read
        publish(ready, folder)
    progress(1.0, "Data set written")
    return read_dataset(folder)


def _written(
    ready: Path, channels: int, cases: list[CollectedCase], progress: Progress
) -> tuple[dict[str, Label], list[dict[str, str]]]:
    """Write the files of all cases; return labels by folded name, and the entries."""
    table: dict[str, Label] = {}
    entries: list[dict[str, str]] = []
    taken: set[str] = set()
    for number, case in enumerate(cases):
        progress(number / len(cases), f"Writing case {number + 1} of {len(cases)}")
        _check(case, channels, taken)
        labelmap = _renumbered(merged(case.labelmap), table)
        files = [f"{part}/{case.id}.nii.gz" for part in (VOLUMES, LABELS)]
        write_volume(case.volume, ready / files[0])
        write_labelmap(labelmap, ready / files[1])
        entry = {"id": case.id, "image": f"./{files[0]}", "label": f"./{files[1]}"}
        entries.append({**entry, "patient": case.patient} if case.patient else entry)
    if not table:
        raise SegmentationAIError(
            f"{len(cases)} case(s) with no segment in them were found; a segment in at least one "
            "is needed: draw it first."
        )
    return table, entries


def _check(case: CollectedCase, channels: int, taken: set[str]) -> None:
    if not _ID.fullmatch(case.id) or case.id.casefold() in taken:
        raise SegmentationAIError(
            f"A case is called {shown_text(case.id)!r}, which occurs twice or cannot name a file; "
            "letters, digits, dots and dashes were expected: rename it."
        )
    taken.add(case.id.casefold())
    if case.volume.channels != channels:
        raise SegmentationAIError(
            f"The case {case.id} has {case.volume.channels} channel(s) and {channels} were "
            "announced; give every case the same channels."
        )
    names = (f"The volume of {case.id}", "its labelmap")
    check_same_grid(case.volume.grid, case.labelmap.grid, names)


def _renumbered(labelmap: Labelmap, table: dict[str, Label]) -> Labelmap:
    """Return the labelmap in the values of the common table, to which new names are added."""
    layer = labelmap.layers[0]
    rows = {row.value: row for row in labelmap.labels}
    unknown = set(np.unique(layer).tolist()) - {0, *rows}
    if unknown:
        raise SegmentationAIError(
            f"Label values {sorted(unknown)[:10]} have no name; name the segments first."
        )
    for row in rows.values():
        name = row.name.strip().casefold()
        table.setdefault(name, Label(len(table) + 1, row.name.strip(), row.color, row.terminology))
    new = {value: table[row.name.strip().casefold()] for value, row in rows.items()}
    dtype = smallest_label_dtype(len(table))
    lookup = np.zeros(max(new, default=0) + 1, dtype)
    for value, row in new.items():
        lookup[value] = row.value
    unique = {row.value: row for row in new.values()}
    return Labelmap((lookup[layer],), tuple(unique.values()), labelmap.affine)


def _description(
    name: str, modalities: Sequence[str], table: dict[str, Label], entries: list[dict[str, str]]
) -> dict[str, object]:
    names = {"0": "background", **{str(row.value): row.name for row in table.values()}}
    return {
        "name": name,
        "tensorImageSize": "3D" if len(modalities) == 1 else "4D",
        "modality": {str(number): title for number, title in enumerate(modalities)},
        "labels": names,
        "numTraining": len(entries),
        "training": entries,
    }
