"""The versions of a case as pictures of one slice, each in the color of how it came to be."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.errors import SegmentationAIError
from ..core.labelmap import Label, Labelmap
from ..core.volume import Volume
from ..worker.client import StudyAnswer, WorkerError
from .case_origin import ORIGIN_COLORS, origin_in_words
from .picture_composition import intensity_window
from .png_bytes import png_of_pixels
from .slice_picture import slice_picture
from .translation import tr as _

_UNKNOWN = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class HistoryTile:
    """One version.

    Attributes:
        png: Picture of the slice.
        caption: What it is called, and how far it agrees with the one before.
        tip: Who or what made it, and when.
        is_current: Whether it is the case's current version.
    """

    png: bytes
    caption: str
    tip: str
    is_current: bool


@dataclass(frozen=True)
class CaseHistory:
    """What a person sees of a case.

    Attributes:
        case: Its name.
        sentence: Which slice is shown.
        tiles: Oldest version first.
    """

    case: str
    sentence: str
    tiles: tuple[HistoryTile, ...]


def history_of_answer(answer: StudyAnswer) -> CaseHistory:
    """Return the pictures of a case's versions.

    Args:
        answer: Of the worker to ``history``.

    Raises:
        WorkerError: It brings no such versions.
    """
    facts, volume = answer.facts, answer.volume
    if volume is None:
        raise WorkerError("The worker's answer of a case's versions is not understood.")
    window = intensity_window(volume)
    try:
        axis, rows = int(facts["axis"]), facts["versions"]
        tiles = [_tile(answer, number, row, window, axis) for number, row in enumerate(rows)]
        said = _("{case}, slice {place}, where the versions differ most:")
        sentence = said.format(case=facts["case"], place=int(facts["place"]) + 1)
        return CaseHistory(str(facts["case"]), sentence, tuple(tiles))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise WorkerError("The worker's answer of a case's versions is not understood.") from error


def _tile(
    answer: StudyAnswer, number: int, row: Mapping[str, Any], window: tuple[float, float], axis: int
) -> HistoryTile:
    volume, labels = answer.volume, answer.labelmaps[f"labels {number}"]
    assert volume is not None, "checked before"
    if labels.grid.shape != volume.grid.shape:
        raise SegmentationAIError("The worker's answer of a case's versions is not understood.")
    touched = answer.labelmaps.get(f"touched {number}")
    colored = in_colors_of_origin(labels, touched, str(row["origin"]))
    picture = slice_picture(Volume(volume.voxels, volume.affine), colored, axis, 0, window)
    tip = _("{origin}, {time}").format(origin=origin_in_words(row), time=row["made_at"])
    return HistoryTile(png_of_pixels(picture), _caption(row), tip, bool(row["is_current"]))


def in_colors_of_origin(labels: Labelmap, touched: Labelmap | None, origin: str) -> Labelmap:
    """Return labels of which each voxel has the color of how it came to be.

    Of a corrected version, what nobody touched has the color of a prediction: it is as the version
    before had it.

    Args:
        labels: In one layer.
        touched: Where a person has corrected voxels one by one, None for nowhere.
        origin: Of the version.
    """
    layer = labels.layers[0].astype(np.int64)
    plain = ORIGIN_COLORS.get("predicted" if origin == "corrected" else origin, _UNKNOWN)
    rows = [replace(row, color=plain) for row in labels.labels]
    if touched is not None and origin not in ("accepted", "drawn"):
        above = max((row.value for row in labels.labels), default=0)
        layer[(touched.layers[0] != 0) & (layer != 0)] += above
        by_hand = ORIGIN_COLORS["corrected"]
        rows += [Label(row.value + above, row.name, by_hand) for row in labels.labels]
    return Labelmap((layer,), tuple(rows), labels.affine)


def _caption(row: Mapping[str, Any]) -> str:
    words = {
        "weak": _("First labels"),
        "predicted": _("Iteration {number}").format(number=row["iteration"]),
        "drawn": _("Drawn"),
        "corrected": _("Corrected"),
        "accepted": _("Accepted"),
    }
    name = words.get(str(row["origin"]), _("Unknown"))
    dice = "" if row["dice"] is None else _("Dice {dice:.3f}").format(dice=float(row["dice"]))
    return f"{name}\n{dice}".rstrip()
