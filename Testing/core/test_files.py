"""The door: formats by name, content that agrees, paths of every kind; cases 13, 24, 25 and 56."""

import errno
import os
import re
import time
from dataclasses import replace

import numpy as np
import pytest

from SegmentationAILib.core import files
from SegmentationAILib.core.errors import FileFormatError, SegmentationAIError
from SegmentationAILib.core.files import (
    SEGMENTATION_ENDINGS,
    VOLUME_ENDINGS,
    check_target,
    is_segmentation,
    read_labelmap,
    read_volume,
    write_labelmap,
    write_volume,
)
from SegmentationAILib.core.formats import nrrd
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.volume import Volume

from phantoms import oblique_affine

SHAPE = (7, 5, 3)
# One ending of each kind of content.
ONE_OF_EACH = {"NRRD": ".nrrd", "NIfTI": ".nii", "MetaImage": ".mha", "MGH": ".mgz"}
HARD_NAMES = [
    "with spaces and (brackets)",
    "Größe 肝臓 ångström",
    "-leading",
    "--output",
    "'single' and \"double\" quotes",
    ";rm -rf x; $(touch y) `z` | & * ? <>",
    "100%03d",
    "LIST",
    "back\\slash:colon",
    "dots.in.the.name",
    ".hidden",
    "trailing ",
    "n" * 200,
]


@pytest.fixture
def a_volume(an_affine):
    voxels = np.random.default_rng(1).integers(-900, 900, (1, *SHAPE)).astype(np.int16)
    return Volume(voxels, an_affine)


@pytest.fixture
def a_labelmap(an_affine):
    layer = np.zeros(SHAPE, np.uint8)
    layer[1:4, 2:4, 1], layer[5, 1, :2] = 1, 2
    labels = (Label(1, "liver", (0.5, 0.25, 0.75)), Label(2, "spine", (0.1, 0.2, 0.3)))
    return Labelmap((layer,), labels, an_affine)


def assert_same_volume(found, expected):
    assert found.voxels.dtype == expected.voxels.dtype
    np.testing.assert_array_equal(found.voxels, expected.voxels)
    np.testing.assert_allclose(found.affine, expected.affine, atol=1e-4)


def assert_same_labels(found, expected):
    np.testing.assert_array_equal(found.layers[0], expected.layers[0])
    np.testing.assert_allclose(found.affine, expected.affine, atol=1e-4)
    for before, after in zip(expected.labels, found.labels, strict=True):
        assert (after.value, after.name, after.color) == (before.value, before.name, before.color)


@pytest.mark.parametrize("ending", VOLUME_ENDINGS)
@pytest.mark.parametrize("flips", [(-1, -1, 1), (-1, 1, 1)])
def test_an_oblique_volume_survives_each_format_in_both_handednesses(tmp_path, ending, flips):
    voxels = np.random.default_rng(1).integers(-900, 900, (1, *SHAPE)).astype(np.int16)
    volume = Volume(voxels, oblique_affine(flips=flips))
    write_volume(volume, tmp_path / f"x{ending}")
    assert_same_volume(read_volume(tmp_path / f"x{ending}"), volume)


@pytest.mark.parametrize("ending", SEGMENTATION_ENDINGS)
def test_a_labelmap_survives_each_format_with_names_and_colors(tmp_path, ending, a_labelmap):
    write_labelmap(a_labelmap, tmp_path / f"x{ending}")
    assert_same_labels(read_labelmap(tmp_path / f"x{ending}"), a_labelmap)


def test_endings_in_capitals_are_the_same_endings(tmp_path, a_volume):
    write_volume(a_volume, tmp_path / "X.NII.GZ")
    assert_same_volume(read_volume(tmp_path / "X.NII.GZ"), a_volume)


def test_strings_are_paths(tmp_path, a_volume):
    write_volume(a_volume, str(tmp_path / "x.nrrd"))
    assert_same_volume(read_volume(str(tmp_path / "x.nrrd")), a_volume)


def test_an_unknown_ending_is_refused_with_the_known_ones(tmp_path, a_volume, a_labelmap):
    for name in ("x.jpg", "x", "x.gz", ".nii", "x.dcm"):
        (tmp_path / name).write_bytes(b"something")
        with pytest.raises(FileFormatError, match=r"\.nii\.gz.*\.nhdr.*\.mgz"):
            read_volume(tmp_path / name)
        with pytest.raises(FileFormatError, match=r"\.nii\.gz.*\.nhdr.*\.mgz"):
            write_volume(a_volume, tmp_path / name)
        with pytest.raises(FileFormatError, match=r"\.seg\.nrrd.*\.nii\.gz"):
            write_labelmap(a_labelmap, tmp_path / name)
        assert (tmp_path / name).read_bytes() == b"something"


def test_volumes_and_segmentations_keep_to_their_endings(tmp_path, a_volume, a_labelmap):
    with pytest.raises(FileFormatError, match="A volume cannot be written"):
        write_volume(a_volume, tmp_path / "x.seg.nrrd")
    with pytest.raises(FileFormatError, match="A segmentation cannot be written"):
        write_labelmap(a_labelmap, tmp_path / "x.nhdr")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("held", ONE_OF_EACH)
@pytest.mark.parametrize("claimed", ONE_OF_EACH)
def test_content_that_contradicts_the_ending_is_refused(tmp_path, a_volume, held, claimed):
    write_volume(a_volume, tmp_path / f"good{ONE_OF_EACH[held]}")
    path = tmp_path / f"x{ONE_OF_EACH[claimed]}"
    (tmp_path / f"good{ONE_OF_EACH[held]}").rename(path)
    if held == claimed:
        assert_same_volume(read_volume(path), a_volume)
        return
    with pytest.raises(FileFormatError, match=f"holds {held}, and its ending says {claimed}"):
        read_volume(path)
    with pytest.raises(FileFormatError, match=f"holds {held}"):
        read_labelmap(path)


@pytest.mark.parametrize("read", [read_volume, read_labelmap])
@pytest.mark.parametrize("ending", SEGMENTATION_ENDINGS)
@pytest.mark.parametrize(
    "kind", ["empty", "text", "zeros", "folder", "pipe", "loop", "missing", "nul in the name"]
)
def test_case_24_what_is_no_file_of_its_name_is_refused_at_once(tmp_path, read, ending, kind):
    path = tmp_path / (f"x\0{ending}" if kind == "nul in the name" else f"x{ending}")
    if kind in ("empty", "text", "zeros"):
        path.write_bytes({"empty": b"", "text": b"hello world" * 50, "zeros": bytes(5000)}[kind])
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path)
    start = time.perf_counter()
    with pytest.raises(SegmentationAIError, match="x"):
        read(path)
    assert time.perf_counter() - start < 2


def test_case_24_a_file_that_vanishes_between_check_and_read_is_refused(
    tmp_path, a_volume, monkeypatch
):
    path = tmp_path / "x.nrrd"
    write_volume(a_volume, path)
    look = files.content_kind

    def look_and_lose(looked_at):
        found = look(looked_at)
        path.unlink()
        return found

    monkeypatch.setattr(files, "content_kind", look_and_lose)
    with pytest.raises(FileFormatError, match=r"x\.nrrd is not there"):
        read_volume(path)


def test_an_error_of_the_disk_is_a_sentence(tmp_path, a_volume, monkeypatch):
    write_volume(a_volume, tmp_path / "x.nrrd")

    def fails(path):
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr(files, "content_kind", fails)
    with pytest.raises(FileFormatError, match=r"x\.nrrd cannot be read .*check the disk"):
        read_volume(tmp_path / "x.nrrd")


@pytest.mark.parametrize("name", HARD_NAMES)
def test_case_25_names_of_every_kind_are_only_names(tmp_path, name, a_volume, a_labelmap):
    for ending in VOLUME_ENDINGS:
        write_volume(a_volume, tmp_path / f"{name}{ending}")
        assert_same_volume(read_volume(tmp_path / f"{name}{ending}"), a_volume)
    for ending in SEGMENTATION_ENDINGS:
        write_labelmap(a_labelmap, tmp_path / f"{name}{ending}")
        assert_same_labels(read_labelmap(tmp_path / f"{name}{ending}"), a_labelmap)


def test_case_25_a_path_of_more_than_300_characters_is_only_a_path(tmp_path, a_volume, a_labelmap):
    folder = tmp_path / ("d" * 150) / ("e" * 150) / ("f" * 150)
    folder.mkdir(parents=True)
    write_volume(a_volume, folder / "x.nii.gz")
    assert_same_volume(read_volume(folder / "x.nii.gz"), a_volume)
    write_labelmap(a_labelmap, folder / "x.mha")
    assert_same_labels(read_labelmap(folder / "x.mha"), a_labelmap)


def test_case_25_a_relative_name_with_a_leading_dash_is_only_a_name(
    tmp_path, a_volume, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in ("-x.nii", "-x.nhdr", "~.mha"):
        write_volume(a_volume, name)
        assert_same_volume(read_volume(name), a_volume)


def test_a_detached_header_and_its_data_survive_being_moved_together(tmp_path, a_volume):
    write_volume(a_volume, tmp_path / "x.nhdr")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.nhdr", "x.raw.gz"]
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("x.nhdr", "x.raw.gz"):
        (tmp_path / name).rename(moved / name)
    assert_same_volume(read_volume(moved / "x.nhdr"), a_volume)


def test_case_13_a_sheared_volume_is_resampled_to_right_angles_and_said(tmp_path):
    """A ball stays a ball: its center, known by the formula, lies where it lay."""
    sheared = np.eye(4)
    sheared[:3, :3] = [[1.0, 0.3, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.5]]
    ijk = np.indices((40, 30, 20)).reshape(3, -1).T
    ras = ijk @ sheared[:3, :3].T
    center = np.array([24.0, 15.0, 15.0])
    ball = (np.linalg.norm(ras - center, axis=1) < 7).reshape(40, 30, 20)
    nrrd.write(Volume(ball[None].astype(np.float32), sheared), tmp_path / "x.nrrd")
    volume = read_volume(tmp_path / "x.nrrd")
    axes = volume.affine[:3, :3] / volume.spacing
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-9)
    assert any("sheared" in note for note in volume.notes)
    inside = np.argwhere(volume.voxels[0] > 0.5)
    np.testing.assert_allclose(volume.grid.ras_from_ijk(inside).mean(axis=0), center, atol=0.15)
    # As many cubic millimeters as the ball has: 4/3 pi 7^3 = 1437, of voxels of 1.5 mm3.
    assert abs(len(inside) * volume.grid.voxel_volume_ml * 1000 - 1437) < 60
    labelmap = read_labelmap(tmp_path / "x.nrrd")
    assert labelmap.grid.matches(volume.grid)
    assert set(np.unique(labelmap.layers[0])) == {0, 1}


def test_case_27_voxels_that_are_not_finite_are_counted_in_the_notes(tmp_path, an_affine):
    voxels = np.ones((1, *SHAPE), np.float32)
    write_volume(Volume(voxels, an_affine), tmp_path / "good.nrrd")
    assert read_volume(tmp_path / "good.nrrd").notes == ()
    voxels[0, 1, 2, 1], voxels[0, 3, 3, 2] = np.nan, np.inf
    write_volume(Volume(voxels, an_affine), tmp_path / "x.nrrd")
    again = read_volume(tmp_path / "x.nrrd")
    assert any("2 of 105 voxels are not finite" in note for note in again.notes)
    np.testing.assert_array_equal(again.voxels, voxels)


@pytest.mark.parametrize("ending", [".nrrd", ".nii.gz", ".mha", ".mgz"])
def test_several_channels_are_a_volume_and_no_labelmap(tmp_path, ending, an_affine):
    voxels = np.arange(2 * np.prod(SHAPE), dtype=np.int16).reshape(2, *SHAPE)
    write_volume(Volume(voxels, an_affine), tmp_path / f"x{ending}")
    np.testing.assert_array_equal(read_volume(tmp_path / f"x{ending}").voxels, voxels)
    with pytest.raises(FileFormatError, match=r"2 channels.*\.seg\.nrrd"):
        read_labelmap(tmp_path / f"x{ending}")


@pytest.mark.parametrize("ending", [e for e in VOLUME_ENDINGS if e != ".nhdr"])
def test_case_39_labels_stored_as_floats_are_exact_or_refused(tmp_path, ending, an_affine):
    voxels = np.zeros((1, *SHAPE), np.float32)
    voxels[0, 1, 2, 1] = 300
    write_volume(Volume(voxels, an_affine), tmp_path / f"x{ending}")
    labelmap = read_labelmap(tmp_path / f"x{ending}")
    assert labelmap.layers[0].dtype == np.uint16
    assert [row.value for row in labelmap.labels] == [300]
    for bad in (1.0000001, -1, 0.5):
        voxels[0, 1, 2, 1] = bad
        write_volume(Volume(voxels, an_affine), tmp_path / f"x{ending}")
        with pytest.raises(FileFormatError, match="is not a labelmap"):
            read_labelmap(tmp_path / f"x{ending}")


@pytest.mark.parametrize("ending", SEGMENTATION_ENDINGS)
@pytest.mark.parametrize("highest", [255, 256, 65535])
def test_case_38_label_values_survive_every_format(tmp_path, ending, highest, an_affine):
    layer = np.zeros(SHAPE, np.int64)
    layer[1, 2, 1], layer[3, 3, 2] = highest, 1
    labels = (Label(1, "one"), Label(highest, "highest"))
    write_labelmap(Labelmap((layer,), labels, an_affine), tmp_path / f"x{ending}")
    again = read_labelmap(tmp_path / f"x{ending}")
    np.testing.assert_array_equal(again.layers[0], layer)
    assert again.layers[0].dtype == (np.uint8 if highest == 255 else np.uint16)
    assert {row.name: row.value for row in again.labels} == {"one": 1, "highest": highest}


def test_values_that_the_table_does_not_name_get_a_row_and_a_note(tmp_path, a_labelmap):
    write_labelmap(a_labelmap, tmp_path / "x.nii")
    (tmp_path / "x.labels.json").write_text('{"1": "liver"}')
    again = read_labelmap(tmp_path / "x.nii")
    assert [(row.value, row.name) for row in again.labels] == [(1, "liver"), (2, "Label 2")]
    assert any("no row for the label values 2" in note for note in again.notes)
    (tmp_path / "x.labels.json").unlink()
    plain = read_labelmap(tmp_path / "x.nii")
    assert [row.name for row in plain.labels] == ["Label 1", "Label 2"]
    assert plain.notes == ()


@pytest.mark.parametrize("ending", [e for e in SEGMENTATION_ENDINGS if e != ".seg.nrrd"])
def test_overlapping_segments_are_refused_by_formats_with_one_layer(
    tmp_path, ending, a_labelmap, an_affine
):
    write_labelmap(a_labelmap, tmp_path / f"x{ending}")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    upper = np.zeros(SHAPE, np.uint8)
    upper[2, 2, 1] = 1
    rows = (*a_labelmap.labels, Label(1, "tumor", layer=1))
    overlapping = Labelmap((a_labelmap.layers[0], upper), rows, an_affine)
    with pytest.raises(SegmentationAIError, match=r"'liver' and 'tumor' overlap.*\.seg\.nrrd"):
        write_labelmap(overlapping, tmp_path / f"x{ending}")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    write_labelmap(overlapping, tmp_path / "x.seg.nrrd")
    again = read_labelmap(tmp_path / "x.seg.nrrd")
    for layer, expected in zip(again.layers, overlapping.layers, strict=True):
        np.testing.assert_array_equal(layer, expected)


class FullDisk:
    """A file on a disk that is full after some writes."""

    def __init__(self, file, writes):
        self._file, self._left = file, writes

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def write(self, content):
        self._left -= 1
        if self._left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._file.write(content)


@pytest.mark.parametrize("writes", [0, 1, 2])
@pytest.mark.parametrize("ending", [".nrrd", ".nhdr", ".seg.nrrd"])
def test_case_56_a_full_disk_at_any_write_leaves_every_previous_file(
    tmp_path, a_volume, a_labelmap, ending, writes, monkeypatch
):
    write, content = write_volume, a_volume
    if ending == ".seg.nrrd":
        write, content = write_labelmap, a_labelmap
    write(content, tmp_path / f"x{ending}")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    opened = files.Path.open

    def open_on_a_full_disk(path, mode="r", **options):
        return (
            FullDisk(opened(path, mode), writes) if mode == "wb" else opened(path, mode, **options)
        )

    monkeypatch.setattr(files.Path, "open", open_on_a_full_disk)
    with pytest.raises(SegmentationAIError, match="no space left"):
        write(content, tmp_path / f"x{ending}")
    monkeypatch.undo()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("content", ["volume", "segmentation"])
def test_a_target_is_judged_before_the_work_and_not_touched(tmp_path, content):
    (tmp_path / "old.nrrd").write_bytes(b"previous")
    check_target(tmp_path / "old.nrrd", content)
    check_target(tmp_path / "new.nrrd", content)
    (tmp_path / "folder.nii").mkdir()
    for name in ("x.jpg", "nowhere/x.nii", "folder.nii"):
        with pytest.raises(SegmentationAIError):
            check_target(tmp_path / name, content)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder.nii", "old.nrrd"]
    assert (tmp_path / "old.nrrd").read_bytes() == b"previous"


def test_a_segmentation_is_told_by_its_ending_or_its_table(tmp_path, a_labelmap, a_volume):
    write_volume(a_volume, tmp_path / "ct.nii.gz")
    write_labelmap(a_labelmap, tmp_path / "liver.nii.gz")
    assert not is_segmentation(tmp_path / "ct.nii.gz")
    assert is_segmentation(tmp_path / "liver.nii.gz")
    assert is_segmentation(tmp_path / "any.seg.nrrd")
    assert not is_segmentation(tmp_path)


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".nhdr", ".mha", ".mgz"])
def test_voxels_that_a_format_cannot_hold_are_refused_by_the_name_that_was_given(tmp_path, ending):
    volume = Volume(np.zeros((1, *SHAPE), np.complex64), oblique_affine())
    with pytest.raises(FileFormatError, match=f"^liver{re.escape(ending)} cannot be written"):
        write_volume(volume, tmp_path / f"liver{ending}")
    assert list(tmp_path.iterdir()) == []


def test_a_scan_of_the_same_stem_as_its_labels_stays_a_scan(tmp_path, a_labelmap, a_volume):
    scan, labels = tmp_path / "head.nii.gz", tmp_path / "head.nrrd"
    write_volume(a_volume, scan)
    write_labelmap(a_labelmap, labels)
    assert not is_segmentation(scan)
    assert is_segmentation(labels)
    # Both renamed, the scan elsewhere: the table goes with the labels.
    scan.unlink()
    labels.rename(tmp_path / "skull.nrrd")
    (tmp_path / "head.labels.json").rename(tmp_path / "skull.labels.json")
    assert read_labelmap(tmp_path / "skull.nrrd").labels == read_back(a_labelmap, tmp_path)


def test_labels_in_two_formats_share_their_table_while_they_are_the_same(tmp_path, a_labelmap):
    first, second = tmp_path / "head.nii.gz", tmp_path / "head.mha"
    write_labelmap(a_labelmap, first)
    write_labelmap(read_labelmap(first), second)
    expected = read_back(a_labelmap, tmp_path)
    assert read_labelmap(first).labels == read_labelmap(second).labels == expected
    others = [replace(label, name="other") for label in a_labelmap.labels]
    write_labelmap(a_labelmap.with_names(others), second)
    assert {label.name for label in read_labelmap(second).labels} == {"other"}
    assert "other" not in {label.name for label in read_labelmap(first).labels}


def read_back(labelmap, folder):
    write_labelmap(labelmap, folder / "alone.nii")
    return read_labelmap(folder / "alone.nii").labels


def test_a_dicom_series_folder_is_read_as_a_volume(the_data):
    volume = read_volume(the_data / "ct-dicom" / "series")
    assert volume.voxels.shape == (1, 512, 512, 20)
    # Air around the patient, in Hounsfield units.
    assert -1100 < float(np.percentile(volume.voxels, 5)) < -900


def test_a_folder_without_a_series_is_refused(tmp_path):
    with pytest.raises(SegmentationAIError):
        read_volume(tmp_path)
