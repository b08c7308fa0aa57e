"""Pictures of cases: outlines lie where the labels lie in space, also when that is the fault."""

import numpy as np
from PIL import Image
from training_sets import moved, sphere_case, write_spheres

from SegmentationAILib.core.files import write_labelmap
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.learn.case_picture import GAP, SIDE, case_picture, write_pictures
from SegmentationAILib.learn.dataset import read_dataset
from SegmentationAILib.learn.dataset_checks import check_dataset

GREEN = Label(1, "Sphere", (0.0, 1.0, 0.0))


def a_sphere(radius_mm=9.0):
    volume, labelmap = sphere_case(3, radius_mm=radius_mm)
    layer = (labelmap.layers[0] > 0).astype(np.uint8)
    return volume, Labelmap((layer,), (GREEN,), labelmap.affine)


def plane(picture, number):
    left = GAP + number * (SIDE + GAP)
    return np.asarray(picture)[GAP : GAP + SIDE, left : left + SIDE].astype(int)


def outline(pixels):
    red, green, blue = np.moveaxis(pixels, 2, 0)
    return np.argwhere((green > 200) & (red < 60) & (blue < 60))


def bright(pixels):
    return np.argwhere(pixels.min(axis=2) > 120)


def test_the_outline_runs_around_the_bright_sphere_in_all_three_planes():
    volume, labelmap = a_sphere()
    picture = case_picture(volume, labelmap, (GREEN,), "A sphere")
    for number in range(3):
        edge, inside = outline(plane(picture, number)), bright(plane(picture, number))
        assert len(edge) > 100
        # The middle of the outline is that of the sphere, to within half a voxel of the screen.
        assert np.abs(np.ptp(edge, axis=0) / 2 + edge.min(axis=0) - inside.mean(axis=0)).max() < 15
        assert (edge.min(axis=0) <= inside.min(axis=0)).all()
        assert (edge.max(axis=0) >= inside.max(axis=0)).all()


def test_a_sphere_is_round_although_voxels_are_not():
    volume, labelmap = a_sphere()
    picture = case_picture(volume, labelmap, (GREEN,), "A sphere")
    for number in range(3):
        height, width = np.ptp(outline(plane(picture, number)), axis=0)
        assert 0.8 < height / width < 1.25


def test_right_is_on_the_left_and_anterior_and_superior_are_on_top():
    volume, labelmap = a_sphere(radius_mm=4.0)
    # A label shifted towards R, A and S shows where the picture puts these directions.
    for shift, number, axis, sign in (
        ((5.0, 0, 0), 0, 1, -1), ((0, 5.0, 0), 0, 0, -1), ((0, 0, 5.0), 1, 0, -1),
    ):  # fmt: skip
        grid = moved(labelmap.grid, origin_mm=shift)
        there = Labelmap(labelmap.layers, (GREEN,), grid.affine)
        pixels = plane(case_picture(volume, there, (GREEN,), "Shifted"), number)
        apart = outline(pixels).mean(axis=0)[axis] - bright(pixels).mean(axis=0)[axis]
        assert sign * apart > 30


def test_suspicious_cases_get_a_picture_each_and_the_others_none(tmp_path):
    folder = tmp_path / "set"
    path = write_spheres(folder, 3)
    _, labelmap = sphere_case(2)
    elsewhere = moved(labelmap.grid, flip=True)
    shifted = Labelmap(labelmap.layers, labelmap.labels, elsewhere.affine)
    write_labelmap(shifted, folder / "labelsTr" / "case_2.nii.gz")
    (folder / "imagesTr" / "case_3.nii.gz").write_bytes(b"x")
    report = check_dataset(read_dataset(path))
    written = write_pictures(report, tmp_path / "pictures")
    assert [one.name for one in written] == ["case_2.png"]
    with Image.open(written[0]) as picture:
        assert picture.width == 3 * (SIDE + GAP) + GAP
