"""Real volumes and segmentations through every pair of formats, voxel for voxel, to 1e-3 mm.

Small crops run by default; the whole files are marked slow.
"""

import json
from itertools import product

import nibabel
import numpy as np
import pydicom
import pytest

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.files import (
    SEGMENTATION_ENDINGS,
    VOLUME_ENDINGS,
    read_labelmap,
    read_volume,
    write_labelmap,
    write_volume,
)
from SegmentationAILib.core.formats import nrrd
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.one_layer import present_values
from SegmentationAILib.core.volume import Box, Volume

VOLUMES = ["ct-torso-3mm/ct.nii.gz", "mr-torso-3mm/mr_small.nii.gz", "spinal-cord/t1w.nii.gz"]
SEGMENTATIONS = [
    ("ct-torso-3mm/labels.nii.gz", "ct-torso-3mm/labels.json", 61),
    ("mr-torso-3mm/mr_small_labels.nii.gz", "mr-torso-3mm/labels.json", 23),
    ("spinal-cord/t1w_cord.nii.gz", None, 1),
]
CROP = Box((3, 7, 2), (41, 40, 19))


def truth(path):
    """Voxels and affine (RAS) by nibabel, an independent reader."""
    image = nibabel.load(path)
    return np.asarray(image.dataobj), image.affine


def cropped(volume, box=CROP):
    return Volume(volume.voxels[(slice(None), *box.slices)], volume.grid.cropped(box).affine)


def assert_corners_agree(found, expected, shape):
    corners = np.array(list(product(*[(0, n - 1) for n in shape]))) @ found[:3, :3].T
    others = np.array(list(product(*[(0, n - 1) for n in shape]))) @ expected[:3, :3].T
    apart = np.abs((corners + found[:3, 3]) - (others + expected[:3, 3])).max()
    assert apart < 1e-3, f"{apart} mm"


def convert_through_all_pairs(tmp_path, volume):
    for first, second in product(VOLUME_ENDINGS, VOLUME_ENDINGS):
        write_volume(volume, tmp_path / f"a{first}")
        write_volume(read_volume(tmp_path / f"a{first}"), tmp_path / f"b{second}")
        again = read_volume(tmp_path / f"b{second}")
        np.testing.assert_array_equal(again.voxels, volume.voxels, err_msg=f"{first} {second}")
        assert_corners_agree(again.affine, volume.affine, volume.grid.shape)


@pytest.mark.parametrize("name", VOLUMES)
def test_real_volumes_are_read_as_nibabel_reads_them(the_data, name):
    voxels, affine = truth(the_data / name)
    volume = read_volume(the_data / name)
    np.testing.assert_array_equal(volume.voxels[0], voxels)
    assert_corners_agree(volume.affine, affine, voxels.shape)


@pytest.mark.parametrize("name", VOLUMES)
def test_a_crop_of_each_volume_survives_every_pair_of_formats(the_data, tmp_path, name):
    convert_through_all_pairs(tmp_path, cropped(read_volume(the_data / name)))


@pytest.mark.slow
@pytest.mark.parametrize("name", VOLUMES)
def test_each_whole_volume_survives_every_pair_of_formats(the_data, tmp_path, name):
    convert_through_all_pairs(tmp_path, read_volume(the_data / name))


def named_labelmap(the_data, path, names):
    """The segmentation with its names, and colors that tell which label is which."""
    voxels, affine = truth(the_data / path)
    table = json.loads((the_data / names).read_text()) if names else {}
    layer = voxels.astype(np.uint16)
    assert np.array_equal(layer, voxels)
    labels = tuple(
        Label(v, table.get(str(v), "spinal cord"), (v / 256, 0.5, 1 - v / 256))
        for v in present_values(layer)
    )
    return Labelmap((layer,), labels, affine)


def assert_same_segments(found, expected):
    np.testing.assert_array_equal(found.layers[0], expected.layers[0])
    assert_corners_agree(found.affine, expected.affine, expected.grid.shape)
    rows = [(row.value, row.name, row.color) for row in found.labels]
    assert rows == [(row.value, row.name, row.color) for row in expected.labels]


def convert_segments_through_all_pairs(tmp_path, labelmap):
    for first, second in product(SEGMENTATION_ENDINGS, SEGMENTATION_ENDINGS):
        write_labelmap(labelmap, tmp_path / f"a{first}")
        write_labelmap(read_labelmap(tmp_path / f"a{first}"), tmp_path / f"b{second}")
        assert_same_segments(read_labelmap(tmp_path / f"b{second}"), labelmap)


@pytest.mark.parametrize(("path", "names", "count"), SEGMENTATIONS)
def test_segmentations_keep_all_classes_and_names_in_every_format(
    the_data, tmp_path, path, names, count
):
    labelmap = named_labelmap(the_data, path, names)
    assert len(labelmap.labels) == count
    for ending in SEGMENTATION_ENDINGS:
        write_labelmap(labelmap, tmp_path / f"x{ending}")
        assert_same_segments(read_labelmap(tmp_path / f"x{ending}"), labelmap)


@pytest.mark.parametrize(("path", "names", "count"), SEGMENTATIONS)
def test_a_crop_of_each_segmentation_survives_every_pair_of_formats(
    the_data, tmp_path, path, names, count
):
    whole = named_labelmap(the_data, path, names)
    middle = np.argwhere(whole.layers[0]).mean(axis=0).astype(int)
    start = np.maximum(middle - np.array([19, 16, 8]), 0)
    stop = np.minimum(middle + np.array([20, 17, 8]), whole.grid.shape)
    box = Box(tuple(start.tolist()), tuple(stop.tolist()))
    layer = whole.layers[0][box.slices]
    kept = tuple(row for row in whole.labels if row.value in present_values(layer))
    assert kept
    labelmap = Labelmap((layer,), kept, whole.grid.cropped(box).affine)
    convert_segments_through_all_pairs(tmp_path, labelmap)


@pytest.mark.slow
@pytest.mark.parametrize(("path", "names", "count"), SEGMENTATIONS)
def test_each_whole_segmentation_survives_every_pair_of_formats(
    the_data, tmp_path, path, names, count
):
    convert_segments_through_all_pairs(tmp_path, named_labelmap(the_data, path, names))


@pytest.fixture
def overlapping_segments(the_data):
    """The three segments of a public data set, two of which overlap, one layer each."""
    paths = [the_data / "overlapping-segments" / f"partial_overlaps-{n}.nrrd" for n in (1, 2, 3)]
    volumes = [nrrd.read(path) for path in paths]
    layers = tuple((v.voxels[0] > 0).astype(np.uint8) for v in volumes)
    labels = tuple(Label(1, f"part {n}", layer=n, segment_id=f"P{n}") for n in range(3))
    return Labelmap(layers, labels, volumes[0].affine)


def test_overlapping_segments_survive_a_segmentation_file(overlapping_segments, tmp_path):
    shared = overlapping_segments.layers[0] & overlapping_segments.layers[1]
    shared |= overlapping_segments.layers[1] & overlapping_segments.layers[2]
    shared |= overlapping_segments.layers[0] & overlapping_segments.layers[2]
    assert shared.any(), "the data set is known for its overlaps"
    write_labelmap(overlapping_segments, tmp_path / "a.seg.nrrd")
    write_labelmap(read_labelmap(tmp_path / "a.seg.nrrd"), tmp_path / "b.seg.nrrd")
    again = read_labelmap(tmp_path / "b.seg.nrrd")
    assert again.labels[0].name == "part 0"
    for found, expected in zip(again.labels, overlapping_segments.labels, strict=True):
        np.testing.assert_array_equal(
            again.mask(found), overlapping_segments.mask(expected), err_msg=found.name
        )
    assert_corners_agree(again.affine, overlapping_segments.affine, again.grid.shape)


def test_overlapping_segments_are_refused_for_nifti(overlapping_segments, tmp_path):
    with pytest.raises(SegmentationAIError, match=r"overlap.*\.seg\.nrrd"):
        write_labelmap(overlapping_segments, tmp_path / "x.nii.gz")
    assert list(tmp_path.iterdir()) == []


def test_segments_side_by_side_share_one_layer_in_nifti(the_data, tmp_path):
    """Liver and spine of the same data set do not overlap: they are merged, nothing is lost."""
    folder = the_data / "overlapping-segments"
    liver, spine = (nrrd.read(folder / f"{name}_seg.nrrd") for name in ("liver", "spine"))
    layers = ((liver.voxels[0] > 0).astype(np.uint8), (spine.voxels[0] > 0).astype(np.uint8))
    labels = (Label(1, "liver"), Label(1, "spine", layer=1))
    write_labelmap(Labelmap(layers, labels, liver.affine), tmp_path / "x.nii.gz")
    again = read_labelmap(tmp_path / "x.nii.gz")
    for row, expected in zip(again.labels, layers, strict=True):
        np.testing.assert_array_equal(again.mask(row), expected.astype(bool), err_msg=row.name)


def test_the_dicom_series_of_those_segments_has_their_place(the_data):
    """The slices' own positions (LPS), read by an independent library, are those of the voxels."""
    folder = the_data / "overlapping-segments" / "ct"
    volume = read_volume(folder)
    for path in sorted(folder.iterdir()):
        slice_data = pydicom.dcmread(path)
        position = np.array(slice_data.ImagePositionPatient, float) * [-1, -1, 1]
        (ijk,) = volume.grid.ijk_from_ras(position[None])
        k = round(float(ijk[2]))
        assert abs(ijk[2] - k) < 1e-3
        corner = volume.voxels[0, round(float(ijk[0])), round(float(ijk[1])), k]
        slope, intercept = float(slice_data.RescaleSlope), float(slice_data.RescaleIntercept)
        assert corner == slice_data.pixel_array[0, 0] * slope + intercept
