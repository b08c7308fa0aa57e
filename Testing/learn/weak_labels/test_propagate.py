from dataclasses import replace

import numpy as np
import pytest

from SegmentationAILib.core.errors import Cancelled, GeometryError, SegmentationAIError
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.learn.weak_labels.propagate import PropagateOptions, propagate

from phantoms import grid_around

AFFINE_ALONE = PropagateOptions(resolution_mm=3.0, smoothness_mm=0.0)
TABLE = (Label(3, "body", (0.1, 0.2, 0.3)), Label(7, "bright"), Label(300, "dark"))


def body_at(center_ras, stretch, gray, seed, bend_mm=0.0, **grid_arguments):
    """An ellipsoid with a bright and a dark one in it: a scan, and its labels by the formula."""
    grid = grid_around(np.add(center_ras, (3.0, -2.0, 4.0)), **grid_arguments)
    places = grid.ras_from_ijk(np.indices(grid.shape).reshape(3, -1).T) - center_ras
    places[:, 0] += bend_mm * np.sin(places[:, 2] / 12.0)
    places /= stretch
    values = np.zeros(len(places), np.uint16)
    for value, middle, radii in (
        (3, (0, 0, 0), (30, 24, 26)), (7, (8, 4, -5), (9, 7, 8)), (300, (-10, -3, 6), (6, 9, 7)),
    ):  # fmt: skip
        values[np.linalg.norm((places - middle) / np.array(radii), axis=1) < 1] = value
    shades = dict(zip((0, 3, 7, 300), gray, strict=True))
    voxels = np.vectorize(shades.get)(values) + np.random.default_rng(seed).normal(
        0, 4, len(values)
    )
    scan = Volume(voxels.reshape(1, *grid.shape).astype(np.float32), grid.affine)
    return scan, Labelmap((values.reshape(grid.shape),), TABLE, grid.affine)


def dice_per_label(found, truth):
    return [
        2.0 * ((a == v) & (b == v)).sum() / ((a == v).sum() + (b == v).sum())
        for v in (3, 7, 300)
        for a, b in [(found.layers[0], truth.layers[0])]
    ]


@pytest.fixture(scope="module")
def an_atlas():
    return body_at(
        (0, 0, 0), (1, 1, 1), (0, 100, 200, 50), seed=1,
        shape=(70, 60, 40), degrees=(5, -4, 3), spacing=(1.1, 1.2, 2.0),
    )  # fmt: skip


@pytest.fixture(scope="module")
def a_moved_body():
    """Elsewhere in space, stretched, on another oblique grid."""
    return body_at(
        (25, -14, 8), (1.1, 0.95, 1.05), (-20, 300, 450, 170), seed=2,
        shape=(60, 64, 36), spacing=(1.4, 1.1, 2.2),
    )  # fmt: skip


@pytest.fixture(scope="module")
def the_carried(an_atlas, a_moved_body):
    return propagate(a_moved_body[0], *an_atlas, AFFINE_ALONE)


def test_labels_arrive_at_their_places(the_carried, a_moved_body):
    assert min(dice_per_label(the_carried.labelmap, a_moved_body[1])) > 0.92


def test_they_lie_on_the_volumes_grid_with_the_atlas_table(the_carried, a_moved_body):
    assert the_carried.labelmap.grid.matches(a_moved_body[0].grid)
    assert the_carried.labelmap.labels == TABLE
    assert set(np.unique(the_carried.labelmap.layers[0])) == {0, 3, 7, 300}


def test_without_registration_the_places_would_be_wrong(an_atlas, a_moved_body):
    """The twin: what moved is more than what the voxels' size forgives."""
    atlas, labels = an_atlas
    ijk = np.indices(a_moved_body[0].grid.shape).reshape(3, -1).T
    there = np.round(atlas.grid.ijk_from_ras(a_moved_body[0].grid.ras_from_ijk(ijk))).astype(int)
    inside = ((there >= 0) & (there < atlas.grid.shape)).all(axis=1)
    layer = np.zeros(len(ijk), np.uint16)
    layer[inside] = labels.layers[0][tuple(there[inside].T)]
    unmoved = replace(a_moved_body[1], layers=(layer.reshape(a_moved_body[0].grid.shape),))
    assert max(dice_per_label(unmoved, a_moved_body[1])) < 0.6


def test_the_contrast_may_be_another_one(an_atlas):
    """Dark is bright and bright is dark, as between T1 and T2."""
    other, truth = body_at(
        (25, -14, 8), (1.1, 0.95, 1.05), (0, 150, 80, 240), seed=3,
        shape=(60, 64, 36), spacing=(1.4, 1.1, 2.2),
    )  # fmt: skip
    found = propagate(other, *an_atlas, AFFINE_ALONE).labelmap
    assert min(dice_per_label(found, truth)) > 0.92


def test_the_same_call_gives_the_same_labels(the_carried, an_atlas, a_moved_body):
    again = propagate(a_moved_body[0], *an_atlas, AFFINE_ALONE)
    np.testing.assert_array_equal(again.labelmap.layers[0], the_carried.labelmap.layers[0])


@pytest.mark.slow
def test_the_displacement_follows_a_bend_that_an_affine_map_cannot(an_atlas):
    bent, truth = body_at(
        (5, -4, 8), (1.0, 1.0, 1.0), (-20, 300, 450, 170), seed=4, bend_mm=6.0,
        shape=(60, 64, 36), spacing=(1.4, 1.1, 2.2),
    )  # fmt: skip
    straight = propagate(bent, *an_atlas, AFFINE_ALONE).labelmap
    curved = propagate(bent, *an_atlas, PropagateOptions()).labelmap
    assert min(dice_per_label(straight, truth)) < 0.75
    assert min(dice_per_label(curved, truth)) > 0.88


def test_labels_of_another_grid_are_refused(an_atlas, a_moved_body):
    with pytest.raises(GeometryError, match=r"the atlas has .* and its segmentation"):
        propagate(a_moved_body[0], an_atlas[0], a_moved_body[1], AFFINE_ALONE)


def test_a_constant_or_thin_scan_is_refused(an_atlas, a_moved_body):
    scan = a_moved_body[0]
    flat = Volume(np.zeros_like(scan.voxels), scan.affine)
    with pytest.raises(SegmentationAIError, match="are all 0"):
        propagate(flat, *an_atlas, AFFINE_ALONE)
    thin = Volume(scan.voxels[:, :, :, 10:12], scan.affine)
    with pytest.raises(GeometryError, match="registration needs 8"):
        propagate(thin, *an_atlas, AFFINE_ALONE)


@pytest.mark.parametrize(
    "bad", [{"resolution_mm": 0.0}, {"resolution_mm": float("nan")}, {"smoothness_mm": -1.0}]
)
def test_options_out_of_range_are_refused(bad):
    with pytest.raises(SegmentationAIError, match="expected"):
        PropagateOptions(**bad)


@pytest.mark.parametrize("when", [0.0, 0.31])
def test_it_can_be_cancelled(an_atlas, a_moved_body, when):
    def stop(fraction, sentence):
        if fraction >= when:
            raise Cancelled

    with pytest.raises(Cancelled):
        propagate(a_moved_body[0], *an_atlas, PropagateOptions(4.0), Progress(stop))
