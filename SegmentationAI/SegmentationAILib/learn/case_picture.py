"""Pictures of a case for a person's eye: three planes with the outlines of its labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..core.errors import SegmentationAIError
from ..core.labelmap import Label, Labelmap
from ..core.one_layer import with_missing_rows
from ..core.orientation import oriented_axes
from ..core.progress import IGNORE, Progress
from ..core.resample import resample_to_grid
from ..core.volume import Volume
from .case_reader import read_case
from .dataset_checks import CheckReport, suspicious_cases

SIDE: Final = 320
GAP: Final = 6
LINE_HEIGHT: Final = 16
CHARACTERS_PER_LINE: Final = 150
# As radiologists see them: patient's right on the left, anterior or superior on top.
_PLANES: Final = (("axial", 2, (0, 1)), ("coronal", 1, (0, 2)), ("sagittal", 0, (1, 2)))
Pixels = NDArray[np.uint8]


def case_picture(
    volume: Volume, labelmap: Labelmap, labels: Sequence[Label], caption: str
) -> Image.Image:
    """Return a picture of three planes through the labels, each where it lies in space.

    Args:
        volume: Its first channel is shown.
        labelmap: In one layer; on another grid it is drawn where its own affine puts it.
        labels: Their colors; values without one get a color of their own.
        caption: A sentence below.
    """
    if not volume.grid.matches(labelmap.grid):
        placed = resample_to_grid(Volume(labelmap.layers[0][None], labelmap.affine), volume.grid, 0)
        layer = placed.voxels[0]
    else:
        layer = labelmap.layers[0]
    axes = oriented_axes(volume.affine, "RAS")
    gray, values = (_turned(array, axes) for array in (_gray(volume), np.asarray(layer)))
    spacing = [volume.spacing[source] for source, _ in axes]
    colors = {row.value: row.color for row in with_missing_rows(labels, (values,))}
    middle = _middle(values)
    planes = [
        _plane(gray.take(middle[axis], axis), values.take(middle[axis], axis), colors,
               (spacing[across[0]], spacing[across[1]]))
        for _, axis, across in _PLANES
    ]  # fmt: skip
    return _framed(planes, caption)


def write_pictures(
    report: CheckReport, folder: Path, most: int = 20, progress: Progress = IGNORE
) -> tuple[Path, ...]:
    """Write a picture of each suspicious case, up to ``most``; return their paths.

    Args:
        report: Of the checks.
        folder: Made when absent, for its owner alone: pictures show patients.
        most: Pictures.
        progress: Told once per picture.

    Raises:
        OSError: The folder cannot be written to.
        Cancelled: Raised by ``progress``.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = []
    chosen = suspicious_cases(report)[:most]
    for number, finding in enumerate(chosen):
        progress(number / len(chosen), f"Picture {number + 1} of {len(chosen)}")
        try:
            case = read_case(report.dataset, report.dataset.case(finding.case))
        except SegmentationAIError:
            continue  # it went since it was checked; the report names it all the same
        labels = report.dataset.labels
        picture = case_picture(case.volume, case.labelmap, labels, finding.sentence)
        written.append(folder / f"{finding.case}.png")
        picture.save(written[-1])
    return tuple(written)


def _gray(volume: Volume) -> NDArray[np.float32]:
    """Return the first channel as 0 to 1 between its 1st and 99.5th percentile."""
    voxels = np.nan_to_num(volume.voxels[0].astype(np.float32), posinf=0.0, neginf=0.0)
    low, high = np.percentile(voxels, (1.0, 99.5))
    scaled = (voxels - low) / max(float(high - low), 1e-6)
    return np.asarray(np.clip(scaled, 0.0, 1.0), np.float32)


def _turned(array: NDArray[Any], axes: Sequence[tuple[int, bool]]) -> NDArray[Any]:
    """Return an array ``(I, J, K)`` with its axes towards right, anterior, superior."""
    view = array.transpose([source for source, _ in axes])
    x, y, z = (slice(None, None, -1 if flipped else 1) for _, flipped in axes)
    return view[x, y, z]


def _middle(values: NDArray[Any]) -> list[int]:
    """Return for each axis the plane with most labeled voxels, the middle one where none is."""
    middle = []
    for axis in range(3):
        across = tuple(other for other in range(3) if other != axis)
        counts = np.count_nonzero(values, axis=across)
        middle.append(int(counts.argmax()) if counts.any() else values.shape[axis] // 2)
    return middle


def _plane(
    gray: NDArray[np.float32],
    values: NDArray[Any],
    colors: dict[int, tuple[float, float, float]],
    spacing: tuple[float, float],
) -> Pixels:
    """Return one plane ``(rows, columns, 3)`` with outlines, enlarged to `SIDE`."""
    extent = [n * s for n, s in zip(gray.shape, spacing, strict=True)]
    scale = SIDE / max(extent)
    size = [max(1, round(e * scale)) for e in extent]
    rows, columns = (
        np.minimum((np.arange(n) + 0.5) * old / n, old - 1).astype(np.intp)
        for n, old in zip(size, gray.shape, strict=True)
    )
    shown = (gray[np.ix_(rows, columns)] * 255).astype(np.uint8)
    large = values[np.ix_(rows, columns)]
    pixels = np.repeat(shown[..., None], 3, axis=2)
    edge = np.zeros(large.shape, bool)
    for axis in (0, 1):
        differs = np.diff(large.astype(np.int64), axis=axis) != 0
        # A label's outermost voxels on both sides of a border; background's are dropped below.
        for before in (0, 1):
            pad = [(0, 0), (0, 0)]
            pad[axis] = (before, 1 - before)
            edge |= np.pad(differs, pad)
    edge &= large != 0
    for value in np.unique(large[edge]):
        pixels[edge & (large == value)] = [round(level * 255) for level in colors[int(value)]]
    # First axis towards the patient's right or anterior: to the left; second: upwards.
    return pixels.transpose(1, 0, 2)[::-1, ::-1]


def _framed(planes: Sequence[Pixels], caption: str) -> Image.Image:
    lines = _wrapped(caption)
    size = (len(planes) * (SIDE + GAP) + GAP, SIDE + 2 * GAP + LINE_HEIGHT * len(lines) + GAP)
    picture = Image.new("RGB", size, (24, 24, 24))
    for number, plane in enumerate(planes):
        left = GAP + number * (SIDE + GAP) + (SIDE - plane.shape[1]) // 2
        picture.paste(Image.fromarray(np.ascontiguousarray(plane)), (left, GAP))
    draw = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        place = (GAP, SIDE + 2 * GAP + number * LINE_HEIGHT)
        draw.text(place, line.encode("ascii", "replace").decode(), fill=(230, 230, 230))
    return picture


def _wrapped(caption: str) -> list[str]:
    lines = [""]
    for word in caption.split():
        if len(lines[-1]) + len(word) >= CHARACTERS_PER_LINE:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
