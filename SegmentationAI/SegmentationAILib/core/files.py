"""The door: volumes and labelmaps from files and to files, by the names of the files.

What comes in has passed an admission check of our own; what goes out appears whole or not at all.
Foreign conventions (LPS, axis orders) end in `formats`; inside there are only RAS millimeters.
"""

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, TypeVar

from .admission import is_folder, is_sheared, non_finite_note, shown_name
from .atomic import check_writable, whole_file, whole_files
from .content_kind import content_kind
from .errors import FileFormatError
from .formats import label_sidecar, metaimage, mgz, nifti, nrrd, seg_nrrd
from .labelmap import Labelmap
from .one_layer import integer_layer, merged, volume_from_labelmap, with_missing_rows
from .system_paths import reachable
from .volume import Volume

SEGMENTATION_ENDING: Final = ".seg.nrrd"
DETACHED_ENDING: Final = ".nhdr"
Content = TypeVar("Content")


@dataclass(frozen=True)
class _Format:
    """One format: its ending, what its content is called, and how it is read and written."""

    ending: str
    kind: str
    read: Callable[[Path], Volume]
    write: Callable[[Volume, Path, str], None]


# Longer endings first: ".seg.nrrd" is also ".nrrd".
_FORMATS: Final = (
    _Format(SEGMENTATION_ENDING, "NRRD", nrrd.read, nrrd.write),
    _Format(".nii.gz", "NIfTI", nifti.read, nifti.write),
    _Format(".nii", "NIfTI", nifti.read, nifti.write),
    _Format(DETACHED_ENDING, "NRRD", nrrd.read, nrrd.write),
    _Format(".nrrd", "NRRD", nrrd.read, nrrd.write),
    _Format(".mha", "MetaImage", metaimage.read, metaimage.write),
    _Format(".mgz", "MGH", mgz.read, mgz.write),
)
VOLUME_ENDINGS: Final = tuple(f.ending for f in _FORMATS if f.ending != SEGMENTATION_ENDING)
SEGMENTATION_ENDINGS: Final = tuple(f.ending for f in _FORMATS if f.ending != DETACHED_ENDING)


def read_volume(path: str | Path) -> Volume:
    """Return the volume of a file, or of a folder with one DICOM series.

    Axes that are not at right angles are resampled onto ones that are; the notes say so.

    Args:
        path: ``.nii``, ``.nii.gz``, ``.nrrd``, ``.nhdr``, ``.mha``, ``.mgz``, or a folder. The
            layers of a ``.seg.nrrd`` are read as channels.

    Raises:
        FileFormatError: The file is missing, damaged, hostile, or not what its name says.
        GeometryError: The header does not place its voxels.
        MemoryBudgetError: The volume does not fit the memory.
    """
    path = reachable(Path(path))
    if is_folder(path) and _format_of(path) is None:
        from .formats import dicom  # most runs need no DICOM, and its library takes a while

        volume = _read(dicom.read, path)
    else:
        volume = _read(_format_for_reading(path).read, path)
    volume = _straight(volume, 1)
    return replace(volume, notes=(*volume.notes, *non_finite_note(volume.voxels)))


def write_volume(volume: Volume, path: str | Path) -> None:
    """Write a volume; ``.nhdr`` gets its data file beside it (``<name>.raw.gz``).

    Args:
        volume: Not changed.
        path: ``.nii``, ``.nii.gz``, ``.nrrd``, ``.nhdr``, ``.mha`` or ``.mgz``.

    Raises:
        FileFormatError: The ending is not one of these, or the format cannot hold the voxels.
        SegmentationAIError: The file cannot be written; a previous one is as it was.
    """
    path = reachable(Path(path))
    chosen = _format_for_writing(path, VOLUME_ENDINGS)
    if chosen.ending == DETACHED_ENDING:
        data_path = path.with_name(_data_name(path))
        with whole_files([data_path, path]) as (data, header):
            nrrd.write_detached(volume, header, data, data_path.name, shown_name(path))
        return
    with whole_file(path) as temporary:
        chosen.write(volume, temporary, shown_name(path))


def read_labelmap(path: str | Path) -> Labelmap:
    """Return the labelmap of a file, with the label table beside it where there is one.

    Args:
        path: ``.seg.nrrd``, or with one layer ``.nrrd``, ``.nhdr``, ``.nii``, ``.nii.gz``,
            ``.mha``, ``.mgz``; values may be stored as floats when they are whole.

    Raises:
        FileFormatError: The file is missing, damaged, hostile, or holds no label values.
        GeometryError: The header does not place its voxels.
        MemoryBudgetError: It does not fit the memory.
    """
    path = reachable(Path(path))
    chosen = _format_for_reading(path)
    if chosen.ending == SEGMENTATION_ENDING:
        return _straight_labelmap(_read(seg_nrrd.read, path))
    volume = _read(chosen.read, path)
    name = shown_name(path)
    if volume.channels != 1:
        raise FileFormatError(
            f"{name} has {volume.channels} channels, and a labelmap in this format has 1; a "
            f"segmentation of Slicer with several layers is named {SEGMENTATION_ENDING}."
        )
    volume = _straight(volume, 0)
    layers = (integer_layer(volume.voxels[0], name),)
    beside = label_sidecar.table_beside(path, chosen.ending)
    labels = () if beside is None else beside[1].labels
    rows = with_missing_rows(labels, layers)
    notes = list(volume.notes)
    if beside is not None and labels and len(rows) > len(labels):
        missing = ", ".join(str(row.value) for row in rows[len(labels) :][:10])
        notes.append(f"{beside[0].name} has no row for the label values {missing}.")
    return Labelmap(layers, rows, volume.affine, tuple(notes))


def write_labelmap(labelmap: Labelmap, path: str | Path) -> None:
    """Write a labelmap; formats other than ``.seg.nrrd`` get ``<name>.labels.json`` beside them.

    Args:
        labelmap: Not changed. Layers that do not overlap are merged for formats with one layer.
        path: ``.seg.nrrd``, ``.nrrd``, ``.nii``, ``.nii.gz``, ``.mha`` or ``.mgz``.

    Raises:
        FileFormatError: The ending is not one of these.
        SegmentationAIError: Segments overlap and the format has one layer, or the file cannot be
            written; previous files are as they were.
    """
    path = reachable(Path(path))
    chosen = _format_for_writing(path, SEGMENTATION_ENDINGS)
    if chosen.ending == SEGMENTATION_ENDING:
        with whole_file(path) as temporary:
            seg_nrrd.write(labelmap, temporary, shown_name(path))
        return
    one = merged(labelmap)
    volume = volume_from_labelmap(one)
    table = label_sidecar.sidecar_path(path, chosen.ending)
    rows = with_missing_rows(one.labels, one.layers)
    endings = label_sidecar.endings_written(path, chosen.ending, rows)
    with whole_files([table, path]) as (table_file, voxel_file):
        text = label_sidecar.sidecar_text(rows, endings)
        table_file.write_text(text, encoding="utf-8")
        chosen.write(volume, voxel_file, shown_name(path))


def check_target(path: str | Path, content: Literal["volume", "segmentation"]) -> None:
    """Raise unless ``path`` can be written with such content; long work asks before it begins.

    Raises:
        FileFormatError: The ending is not one of those in which it is written.
        SegmentationAIError: The folder is missing, read-only or full, or the target is no file.
    """
    path = reachable(Path(path))
    _format_for_writing(path, VOLUME_ENDINGS if content == "volume" else SEGMENTATION_ENDINGS)
    check_writable(path)


def is_segmentation(path: str | Path) -> bool:
    """Return whether a file says that it holds segments: by its ending, or its table beside it."""
    path = Path(path)
    chosen = _format_of(path)
    if chosen is None or chosen.ending == SEGMENTATION_ENDING:
        return chosen is not None
    try:
        return label_sidecar.table_beside(path, chosen.ending) is not None
    except FileFormatError:  # said when the labels are read
        return True


def _read(read: Callable[[Path], Content], path: Path) -> Content:
    """Read, and turn the system's refusals into a sentence."""
    try:
        return read(path)
    except OSError as error:
        raise FileFormatError(
            f"{shown_name(path)} cannot be read ({error.strerror or 'system error'}); check the "
            "disk and the permissions."
        ) from error


def _format_of(path: Path) -> _Format | None:
    name = path.name.lower()
    return next((f for f in _FORMATS if name.endswith(f.ending) and name != f.ending), None)


def _format_for_reading(path: Path) -> _Format:
    """Return the format of the file's name, having looked whether its content agrees.

    Raises:
        FileFormatError: It is not there, or the ending is unknown, or the content is another's.
    """
    chosen = _format_of(path)
    found = _read(content_kind, path)
    if chosen is None:
        known = ", ".join([*VOLUME_ENDINGS, SEGMENTATION_ENDING])
        content = f" (it holds {found})" if found else ""
        raise FileFormatError(
            f"{shown_name(path)}{content} has an ending that is not read here; {known} or the "
            "folder of a DICOM series was expected: rename or convert it."
        )
    if found is not None and found != chosen.kind:
        raise FileFormatError(
            f"{shown_name(path)} holds {found}, and its ending says {chosen.kind}; give it the "
            "ending of what it holds."
        )
    return chosen


def _format_for_writing(path: Path, endings: tuple[str, ...]) -> _Format:
    chosen = _format_of(path)
    if chosen is None or chosen.ending not in endings:
        what = "A volume" if endings == VOLUME_ENDINGS else "A segmentation"
        raise FileFormatError(
            f"{what} cannot be written as {shown_name(path)}; one of the endings "
            f"{', '.join(endings)} was expected: choose another name."
        )
    return chosen


def _straight(volume: Volume, order: Literal[0, 1]) -> Volume:
    """Return the volume on a grid with right angles; nearly every volume is on one already."""
    if not is_sheared(volume.affine):
        return volume
    from .straighten import straightened  # needs torch, which takes seconds to load

    return straightened(volume, order)


def _straight_labelmap(labelmap: Labelmap) -> Labelmap:
    if not is_sheared(labelmap.affine):
        return labelmap
    volumes = [_straight(Volume(layer[None], labelmap.affine), 0) for layer in labelmap.layers]
    layers = tuple(integer_layer(v.voxels[0], "The labelmap") for v in volumes)
    notes = (*labelmap.notes, *volumes[0].notes)
    return Labelmap(layers, labelmap.labels, volumes[0].affine, notes)


def _data_name(header_path: Path) -> str:
    """Return the name of the data file of a header: one that a header may name."""
    stem = header_path.name[: -len(DETACHED_ENDING)]
    if nrrd.is_plain_name(stem):
        return f"{stem}.raw.gz"
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", stem)
    return f"voxels-{plain}-{zlib.crc32(stem.encode(errors='surrogateescape')):08x}.raw.gz"
