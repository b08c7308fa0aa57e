"""The pairs of a blind review as a folder for one reader: pictures or files, and a form to fill in.

Nothing in it names a case, a candidate or a score. The folder is all that the reader needs.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from ..core.errors import SegmentationAIError
from ..core.progress import IGNORE, Progress
from ..core.staging import publish, staged
from ..core.volume import Box, Volume
from .review_form import form_of

if TYPE_CHECKING:
    from ..core.labelmap import Labelmap
    from ..learn.study.shown_pair import Shown
    from ..learn.study.study import Study

Form = Literal["pictures", "files"]
ANSWERS_FILE: Final = "answers.csv"
# Of a whole case: parts of the way from the lowest labeled slice to the highest.
PLACES: Final = (0.25, 0.5, 0.75)


def write_pairs(
    study: "Study", review: int, reader: str, folder: Path, form: Form, progress: Progress = IGNORE
) -> int:
    """Write all pairs as a reader sees them, and return how many.

    ``pair-001`` is the first that this reader sees; ``answers.csv`` has a line for each.

    Args:
        study: Open.
        review: Number of the review.
        reader: Name of the reader; another one has another order and other sides.
        folder: Not there yet, or empty; written whole or not at all.
        form: ``pictures`` for one PNG for each pair, left beside right; ``files`` for the scan and
            both labels.
        progress: Told once per pair.

    Raises:
        SegmentationAIError: The folder holds something, the review is closed, or a scan cannot be
            read.
    """
    from ..learn.study.blind_review import form_code_of
    from ..learn.study.shown_pair import order_for, shown_pair

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SegmentationAIError(
            f"{folder.name} holds something already; choose a folder that is new or empty."
        )
    order, code = order_for(study, review, reader), form_code_of(study, review, reader)
    folder = folder.absolute()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with staged(folder.parent) as staging:
            ready = staging / "pairs"
            ready.mkdir(mode=0o700)
            for place, item in enumerate(order, start=1):
                progress((place - 1) / len(order), f"Pair {place} of {len(order)}")
                _write(study, shown_pair(study, review, reader, item), ready, place, form)
            (ready / ANSWERS_FILE).write_text(form_of(len(order), code), encoding="utf-8")
            if folder.is_dir():
                folder.rmdir()
            publish(ready, folder)
    except OSError as error:
        raise SegmentationAIError(
            f"{folder.name} was not written ({error.strerror or error}); choose another folder or "
            "free some space."
        ) from error
    return len(order)


def _write(study: "Study", shown: "Shown", folder: Path, place: int, form: Form) -> None:
    from ..learn.study.person import read_volume_of

    volume = replace(read_volume_of(study, study.case(shown.case)), notes=())
    sides = [_alike(side) for side in (shown.left, shown.right)]
    name = f"pair-{place:03d}"
    if form == "pictures":
        _write_picture(volume, sides, shown.axis, shown.place, folder / f"{name}.png")
    else:
        _write_files(volume, sides, shown.axis, shown.place, folder / name)


def _write_picture(
    volume: Volume, sides: "Sequence[Labelmap]", axis: int | None, place: int | None, path: Path
) -> None:
    """Write left beside right, as radiologists see a slice; of a whole case three slices."""
    from ..scene.picture_composition import intensity_window, mosaic, write_picture
    from ..scene.slice_picture import patient_axes, slice_picture

    if axis is None or place is None:
        axis = patient_axes(volume)[0][2]
        places = _places(sides, axis)
    else:
        places = [place]
    window = intensity_window(volume)
    pictures = [slice_picture(volume, side, axis, at, window) for at in places for side in sides]
    write_picture(mosaic(pictures, columns=2), path)


def _places(sides: "Sequence[Labelmap]", axis: int) -> list[int]:
    """Return the slices of a whole case that are shown, highest first."""
    others = tuple(other for other in range(3) if other != axis)
    labeled = np.logical_or(*(side.layers[0] != 0 for side in sides)).any(axis=others)
    found = np.flatnonzero(labeled)
    low, high = (found[0], found[-1]) if len(found) else (0, len(labeled) - 1)
    return sorted({round(low + part * (high - low)) for part in PLACES}, reverse=True)


def _write_files(
    volume: Volume, sides: "Sequence[Labelmap]", axis: int | None, place: int | None, folder: Path
) -> None:
    from ..core.files import write_labelmap, write_volume

    if axis is not None and place is not None:
        start, stop = [0, 0, 0], list(volume.grid.shape)
        start[axis], stop[axis] = place, place + 1
        box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
        affine = volume.grid.cropped(box).affine
        volume = Volume(volume.voxels[(slice(None), *box.slices)], affine)
        sides = [
            replace(side, layers=(side.layers[0][box.slices],), affine=affine) for side in sides
        ]
    folder.mkdir(mode=0o700)
    write_volume(volume, folder / "scan.nrrd")
    for name, side in zip(("left", "right"), sides, strict=True):
        write_labelmap(side, folder / f"{name}.seg.nrrd")


def _alike(side: "Labelmap") -> "Labelmap":
    """Return labels in one type: both sides are alike in all but their voxels' values."""
    return replace(side, layers=(side.layers[0].astype("u4"),), notes=())
