"""Labels on a network's grid: against scipy, against geometry, and there and back again."""

import numpy as np
import pytest
import scipy.ndimage as ndi

from SegmentationAILib.core.errors import GeometryError
from SegmentationAILib.core.intensity import IntensityRule
from SegmentationAILib.core.network_labels import network_labels
from SegmentationAILib.core.patches import LogitsSlab
from SegmentationAILib.core.preprocess import InputRules, prepare
from SegmentationAILib.core.restore import restore_labels
from SegmentationAILib.core.volume import Volume

from phantoms import SPHERE_CENTER_RAS, grid_around, oblique_affine, sphere_mask

BEYOND = 255


def prepared_of(shape, affine, **rules):
    """A ramp along each source axis, prepared without normalization."""
    ramp = np.indices(shape).astype(np.float32)
    channels = ("i", "j", "k")
    return prepare(
        Volume(ramp, affine),
        InputRules(intensity=IntensityRule("none"), channels=channels, **rules),
    )


def blobs(shape, labels=4, seed=3):
    """Smooth regions of several labels, some thin."""
    noise = np.random.default_rng(seed).normal(size=(labels, *shape))
    return np.stack([ndi.gaussian_filter(n, 2.0) for n in noise]).argmax(axis=0).astype(np.uint8)


@pytest.mark.parametrize("spacing", [(1.4, 1.1, 2.0), (0.7, 2.1, 3.3), (0.9, 1.3, 2.5)])
def test_a_ramp_prepared_as_input_shows_where_each_network_voxel_lies(spacing):
    found = prepared_of((23, 19, 14), oblique_affine(), orientation="SAR", spacing_mm=spacing)
    plans = found.axis_map.plans
    for axis, plan in enumerate(plans):
        ramp = np.moveaxis(found.array[plan.source_axis], axis, 0)
        along = ramp[:, ramp.shape[1] // 2, ramp.shape[2] // 2]
        ends = np.ceil(3 * plan.scaled / (plan.stop - plan.start)).astype(int)
        inner = slice(ends, -ends)
        # Cubic interpolation of a ramp bends near its ends, where the edge is continued.
        assert along[inner] == pytest.approx(plan.source_places[inner], abs=0.03)
    assert [plan.flipped for plan in plans] == [False, True, True]


def test_on_the_same_spacing_labels_are_turned_and_copied():
    labels = blobs((23, 19, 14))
    found = prepared_of((23, 19, 14), oblique_affine(), orientation="SAR")
    expected = labels.transpose(2, 1, 0)[:, ::-1, ::-1]
    assert np.array_equal(network_labels(labels, found.axis_map, BEYOND), expected)


@pytest.mark.parametrize("factors", [(0.6, 1.3, 1.9), (2.3, 0.5, 1.0)])
def test_labels_equal_scipys_zoom_of_every_class_and_the_highest(factors):
    labels = blobs((23, 19, 14))
    affine = oblique_affine()
    spacing = tuple(np.array((0.9, 1.3, 2.5)) / factors)
    found = prepared_of(labels.shape, affine, spacing_mm=spacing)
    shape = found.axis_map.network_shape
    zoom = np.array(shape) / labels.shape
    shares = np.stack(
        [
            ndi.zoom((labels == n).astype(float), zoom, order=1, mode="nearest", grid_mode=True)
            for n in range(4)
        ]
    )
    assert shares.shape[1:] == shape
    best = np.sort(shares, axis=0)
    clear = best[-1] - best[-2] > 1e-4
    assert clear.mean() > 0.9
    answer = network_labels(labels, found.axis_map, BEYOND)
    assert np.array_equal(answer[clear], shares.argmax(axis=0)[clear])
    ties = ~clear
    assert (np.take_along_axis(shares, answer[None], 0)[0] >= best[-1] - 1e-4)[ties].all()


def test_a_sphere_stays_where_it_is_in_space():
    grid = grid_around(SPHERE_CENTER_RAS, (60, 52, 34))
    mask = sphere_mask(grid).astype(np.uint8)
    found = prepared_of(grid.shape, grid.affine, orientation="LIA", spacing_mm=(1.6, 1.2, 1.1))
    ijk = np.zeros((*found.axis_map.network_shape, 3))
    for axis, plan in enumerate(found.axis_map.plans):
        ijk[..., plan.source_axis] = np.expand_dims(
            plan.source_places, tuple(other for other in range(3) if other != axis)
        )
    ras = grid.ras_from_ijk(ijk.reshape(-1, 3))
    distance = np.linalg.norm(ras - SPHERE_CENTER_RAS, axis=1).reshape(ijk.shape[:3])
    answer = network_labels(mask, found.axis_map, BEYOND)
    assert (answer[distance < 16 - 1.5] == 1).all()
    assert (answer[distance > 16 + 1.5] == 0).all()


def test_what_lies_beyond_the_volume_is_marked():
    labels = np.ones((10, 12, 7), np.uint8)
    found = prepared_of((10, 12, 7), oblique_affine(), size=(16, 8, 9))
    answer = network_labels(labels, found.axis_map, BEYOND)
    assert answer.shape == (16, 8, 9)
    assert (answer[3:13, :, 1:8] == 1).all()
    assert np.count_nonzero(answer == 1) == 10 * 8 * 7
    assert np.count_nonzero(answer == BEYOND) == 16 * 8 * 9 - 10 * 8 * 7


def test_labels_survive_the_way_to_the_network_and_back():
    labels = blobs((30, 26, 17))
    found = prepared_of(labels.shape, oblique_affine(), orientation="RSA", spacing_mm=(0.8,) * 3)
    there = network_labels(labels, found.axis_map, BEYOND)
    logits = np.stack([there == n for n in range(4)]).astype(np.float32)
    back = restore_labels([LogitsSlab(0, 0, logits.shape[1], logits)], found.axis_map, (0, 1, 2, 3))
    assert (back == labels).mean() > 0.97


def test_thick_slices_keep_the_labels_of_the_nearest_slice():
    labels = blobs((20, 18, 6))
    affine = np.diag([1.0, 1.0, 6.0, 1.0])
    found = prepared_of(labels.shape, affine, spacing_mm=(1.0, 1.0, 2.0), separate_slices=True)
    answer = network_labels(labels, found.axis_map, BEYOND, slice_axis=2)
    assert np.array_equal(answer, labels[:, :, np.repeat(np.arange(6), 3)])


def test_labels_of_another_grid_are_refused():
    found = prepared_of((10, 12, 7), oblique_affine())
    with pytest.raises(GeometryError, match="same grid"):
        network_labels(np.zeros((10, 12, 8), np.uint8), found.axis_map, BEYOND)
