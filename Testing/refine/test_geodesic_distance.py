"""Geodesic distances agree with Dijkstra's and with geometry."""

import itertools

import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from SegmentationAILib.core.errors import Cancelled
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.refine.geodesic_distance import geodesic_distances

SHAPE, SPACING = (9, 7, 8), (1.0, 2.0, 0.7)
SEED = (2, 3, 4)


def start_at(*places):
    start = np.full((1, *SHAPE), np.inf, np.float32)
    for place in places:
        start[(0, *place)] = 0
    return start


def by_dijkstra(cost, values):
    """All steps to the 18 neighbors as a sparse graph, solved by scipy."""
    index, rows, columns, lengths = np.arange(np.prod(SHAPE)).reshape(SHAPE), [], [], []
    for step in itertools.product((-1, 0, 1), repeat=3):
        if sum(map(abs, step)) not in (1, 2):
            continue
        here = tuple(slice(max(-d, 0), n - max(d, 0)) for d, n in zip(step, SHAPE, strict=True))
        there = tuple(slice(max(d, 0), n - max(-d, 0)) for d, n in zip(step, SHAPE, strict=True))
        length = np.linalg.norm(np.multiply(step, SPACING))
        total = (cost[here] + cost[there]) * length / 2 + abs(values[here] - values[there])
        lengths.append(total.ravel())
        rows.append(index[here].ravel())
        columns.append(index[there].ravel())
    graph = coo_matrix((np.concatenate(lengths), (np.concatenate(rows), np.concatenate(columns))))
    return dijkstra(graph.tocsr(), indices=index[SEED]).reshape(SHAPE)


def test_swept_until_nothing_changes_the_distances_are_those_of_dijkstra():
    rng = np.random.default_rng(0)
    cost, values = rng.random((1, *SHAPE), np.float32), rng.random(SHAPE, np.float32)
    found = geodesic_distances(start_at(SEED), cost, values, SPACING, sweeps=150)
    np.testing.assert_allclose(found[0], by_dijkstra(cost[0], values), rtol=1e-5)


def test_in_an_even_field_the_distance_along_an_axis_is_that_in_mm():
    even = np.ones((1, *SHAPE), np.float32)
    found = geodesic_distances(start_at(SEED), even, np.zeros(SHAPE, np.float32), SPACING)[0]
    np.testing.assert_allclose(found[:, 3, 4], np.abs(np.arange(9) - 2) * 1.0, rtol=1e-6)
    np.testing.assert_allclose(found[2, :, 4], np.abs(np.arange(7) - 3) * 2.0, rtol=1e-6)
    np.testing.assert_allclose(found[2, 3, :], np.abs(np.arange(8) - 4) * 0.7, rtol=1e-5)


def test_maps_that_are_swept_together_do_not_touch_each_other():
    rng = np.random.default_rng(1)
    cost, values = rng.random((2, *SHAPE), np.float32), rng.random(SHAPE, np.float32)
    start = np.concatenate([start_at(SEED), start_at((8, 6, 7), (0, 0, 0))])
    both = geodesic_distances(start, cost, values, SPACING)
    for number in range(2):
        one = slice(number, number + 1)
        alone = geodesic_distances(start[one], cost[one], values, SPACING)
        np.testing.assert_array_equal(both[number], alone[0])


def test_mirrored_input_gives_mirrored_distances():
    rng = np.random.default_rng(2)
    cost, values = rng.random((1, *SHAPE), np.float32), rng.random(SHAPE, np.float32)
    found = geodesic_distances(start_at(SEED), cost, values, SPACING, sweeps=150)
    turned = geodesic_distances(
        start_at(SEED)[:, ::-1, :, ::-1],
        cost[:, ::-1, :, ::-1],
        values[::-1, :, ::-1],
        SPACING,
        sweeps=150,
    )
    np.testing.assert_allclose(turned[:, ::-1, :, ::-1], found, rtol=1e-5)


def test_nothing_is_reached_without_a_start_and_one_voxel_is_a_volume():
    never = np.full((1, 3, 3, 3), np.inf, np.float32)
    even = np.ones_like(never)
    assert np.isinf(geodesic_distances(never, even, even[0], SPACING)).all()
    one = np.zeros((1, 1, 1, 1), np.float32)
    assert geodesic_distances(one, one, one[0], SPACING).item() == 0


def test_canceling_ends_it():
    def cancel(fraction, sentence):
        raise Cancelled

    even = np.ones((1, *SHAPE), np.float32)
    with pytest.raises(Cancelled):
        geodesic_distances(start_at(SEED), even, even[0], SPACING, progress=Progress(cancel))
