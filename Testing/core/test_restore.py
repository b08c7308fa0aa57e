from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates, zoom

from SegmentationAILib.core.boundary import mixed_cells, winning_channels
from SegmentationAILib.core.patches import LogitsSlab, logits_slabs
from SegmentationAILib.core.restore import LabelRestorer, restore_labels
from SegmentationAILib.core.windows import plan_windows


@dataclass(frozen=True)
class Mapping:
    """What restoring needs of an axis map."""

    source_shape: tuple
    network_shape: tuple
    source_axis: tuple
    coordinates: tuple


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def blobs(classes, shape, seed=0):
    """Smooth random logits, class 0 ahead, as a network's are: most cells are of one class."""
    coarse = np.random.default_rng(seed).normal(size=(classes, 4, 4, 4)) * 5
    logits = zoom(coarse, (1, *[n / 4 for n in shape]), order=1)
    logits[0] += 1.5
    return np.ascontiguousarray(logits, np.float32)


def mapping_of(network_shape, source_axis, counts, scales, offsets):
    """An axis map given for each network axis: source voxels, scale (may be negative), offset."""
    coordinates = tuple(
        offset + scale * np.arange(count)
        for count, scale, offset in zip(counts, scales, offsets, strict=True)
    )
    source_shape = [0, 0, 0]
    for axis, count in zip(source_axis, counts, strict=True):
        source_shape[axis] = count
    return Mapping(tuple(source_shape), network_shape, source_axis, coordinates)


def full_interpolation(logits, mapping):
    """All logits interpolated by scipy in float64, and which source voxels lie on the grid."""
    on_grid = np.ones([len(c) for c in mapping.coordinates], bool)
    for axis, (c, n) in enumerate(zip(mapping.coordinates, mapping.network_shape, strict=True)):
        inside = (c >= -0.5) & (c <= n - 0.5)
        on_grid &= inside.reshape([-1 if a == axis else 1 for a in range(3)])
    where = np.meshgrid(*mapping.coordinates, indexing="ij")
    channels = [map_coordinates(c.astype(float), where, order=1, mode="nearest") for c in logits]
    back = np.argsort(mapping.source_axis)
    interpolated = np.stack(channels).transpose(0, *(back + 1))
    return interpolated, on_grid.transpose(back)


def check_equal(labels, logits, mapping, values):
    interpolated, on_grid = full_interpolation(logits, mapping)
    expected = np.where(on_grid, np.asarray(values)[interpolated.argmax(0)], 0)
    two_best = np.sort(interpolated, axis=0)[-2:]
    wrong = (labels != expected) & ~((two_best[1] - two_best[0] <= 1e-4) & on_grid)
    assert labels.shape == mapping.source_shape
    assert int(wrong.sum()) == 0
    assert len(np.unique(expected)) > 3  # a comparison of background with itself proves nothing


def slabs_of(logits, axis, thickness):
    n = logits.shape[axis + 1]
    for start in range(0, n, thickness):
        stop = min(n, start + thickness)
        yield LogitsSlab(axis, start, stop, logits.take(range(start, stop), axis + 1))


NETWORK = (14, 18, 22)
MAPPINGS = {
    "same grid": mapping_of(NETWORK, (0, 1, 2), NETWORK, (1, 1, 1), (0, 0, 0)),
    "finer": mapping_of(NETWORK, (0, 1, 2), (31, 33, 50), (0.45, 0.55, 0.44), (-0.2, -0.1, 0)),
    "coarser": mapping_of(NETWORK, (0, 1, 2), (6, 7, 9), (2.3, 2.5, 2.4), (0.3, 0.1, 0.2)),
    "flipped": mapping_of(NETWORK, (0, 1, 2), (28, 18, 44), (-0.5, -1, 0.5), (13.2, 17, -0.25)),
    "permuted": mapping_of(NETWORK, (2, 0, 1), (28, 27, 22), (0.5, -0.67, 1), (0, 17.4, 0)),
    "one axis exact": mapping_of(NETWORK, (1, 2, 0), (14, 40, 33), (-1, 0.45, 0.66), (13, 0, 0)),
    "cropped": mapping_of(NETWORK, (1, 0, 2), (40, 44, 60), (0.6, -0.7, 0.5), (-4, 24, -3.5)),
    "crop of few": mapping_of(NETWORK, (0, 1, 2), (9, 8, 11), (0.5, 0.5, 0.5), (4, 6, 5.3)),
}


@pytest.mark.parametrize("name", MAPPINGS)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_labels_equal_those_of_interpolating_all_logits(name, axis):
    mapping, logits = MAPPINGS[name], blobs(7, NETWORK)
    values = (0, 1, 2, 3, 40, 5, 6)
    labels = restore_labels(slabs_of(logits, axis, 5), mapping, values)
    assert labels.dtype == np.uint8
    check_equal(labels, logits, mapping, values)


@pytest.mark.parametrize("thickness", [1, 2, 17, 100])
def test_labels_do_not_depend_on_how_thick_the_slabs_are(thickness):
    mapping, logits = MAPPINGS["permuted"], blobs(5, NETWORK, seed=4)
    for axis in range(3):
        labels = restore_labels(slabs_of(logits, axis, thickness), mapping, range(5))
        check_equal(labels, logits, mapping, range(5))


def test_labels_do_not_depend_on_the_number_of_threads():
    mapping, logits = MAPPINGS["finer"], blobs(6, NETWORK, seed=2)
    one = restore_labels([LogitsSlab(0, 0, 14, logits)], mapping, range(6))
    torch.set_num_threads(2)
    two = restore_labels([LogitsSlab(0, 0, 14, logits)], mapping, range(6))
    np.testing.assert_array_equal(one, two)


def test_a_third_channel_that_wins_between_two_others_is_found():
    # At both ends channel 2 comes second; halfway it is ahead of the two that win there.
    logits = np.zeros((3, 2, 1, 1), np.float32)
    logits[:, 0, 0, 0] = (10, 0, 9)
    logits[:, 1, 0, 0] = (0, 10, 9)
    mapping = mapping_of((2, 1, 1), (0, 1, 2), (5, 1, 1), (0.25, 1, 1), (0, 0, 0))
    labels = restore_labels([LogitsSlab(0, 0, 2, logits)], mapping, (0, 1, 2))
    assert labels[:, 0, 0].tolist() == [0, 2, 2, 2, 1]


def test_ties_go_to_the_lowest_channel():
    logits = np.zeros((4, 6, 6, 6), np.float32)
    logits[0] = -1
    mapping = mapping_of((6, 6, 6), (0, 1, 2), (11, 11, 11), (0.5,) * 3, (0,) * 3)
    assert (restore_labels([LogitsSlab(0, 0, 6, logits)], mapping, (0, 7, 8, 9)) == 7).all()
    np.testing.assert_array_equal(winning_channels(logits), logits.argmax(0))


def test_voxels_within_half_a_voxel_take_the_border_and_those_beyond_are_background():
    logits = np.zeros((2, 4, 1, 1), np.float32)
    logits[1] = 1
    coordinates = np.array([-0.75, -0.5, -0.25, 0, 1.5, 3, 3.5, 3.75])
    mapping = Mapping((8, 1, 1), (4, 1, 1), (0, 1, 2), (coordinates, np.zeros(1), np.zeros(1)))
    labels = restore_labels([LogitsSlab(0, 0, 4, logits)], mapping, (0, 3))
    assert labels[:, 0, 0].tolist() == [0, 3, 3, 3, 3, 3, 3, 0]


@pytest.mark.parametrize(("classes", "highest", "dtype"), [(3, 300, "u2"), (300, 299, "u2")])
def test_many_labels_do_not_wrap_around(classes, highest, dtype):
    logits = np.zeros((classes, 8, 1, 1), np.float32)
    logits[0, :4], logits[-1, 4:] = 1, 1
    values = [*range(classes - 1), highest]
    mapping = mapping_of((8, 1, 1), (0, 1, 2), (16, 1, 1), (0.5, 1, 1), (-0.25, 0, 0))
    labels = restore_labels(slabs_of(logits, 0, 3), mapping, values)
    assert labels.dtype == np.dtype(dtype)
    assert labels[:, 0, 0].tolist() == [0] * 8 + [highest] * 8


def test_half_precision_logits_give_the_labels_of_the_rounded_logits():
    logits = blobs(6, NETWORK).astype(np.float16)
    for axis in range(3):
        labels = restore_labels(slabs_of(logits, axis, 6), MAPPINGS["finer"], range(6))
        check_equal(labels, logits.astype(np.float32), MAPPINGS["finer"], range(6))


def test_a_nan_logit_never_wins():
    logits = blobs(4, NETWORK)
    logits[2] = np.nan
    winners = winning_channels(logits)
    np.testing.assert_array_equal(winners, np.nan_to_num(logits, nan=-99).argmax(0))


def test_cells_are_mixed_where_any_of_their_corners_disagrees():
    channels = np.zeros((3, 3, 3), np.uint8)
    channels[2, 0, 1] = 5
    mixed = mixed_cells(channels, (1, 1, 1))
    assert np.argwhere(mixed).tolist() == [[1, 0, 0], [1, 0, 1]]
    assert np.argwhere(mixed_cells(channels, (0, 1, 0))).tolist() == [[2, 0, 1]]


@pytest.mark.parametrize("shape", [(44, 20, 18), (18, 44, 20), (18, 20, 44)])
def test_sliding_slabs_and_restoring_together_equal_the_plain_way(shape):
    array = blobs(1, shape, seed=9)

    def network(patch):
        return np.concatenate([0 * patch, patch, -patch, patch**2 - 6], 1)

    mapping = mapping_of(shape, (2, 1, 0), (33, 41, 28), (0.7, -0.6, 0.5), (0, shape[1] - 1, 0))
    slabs = logits_slabs(array, network, plan_windows(shape, (16, 16, 16)))
    labels = restore_labels(slabs, mapping, (0, 1, 2, 3))
    check_equal(labels, network(array[None])[0], mapping, (0, 1, 2, 3))


def test_labels_are_written_beyond_two_to_the_31_source_voxels():
    # Only the far corner of the source lies on the network grid; the rest is never touched.
    logits = np.zeros((2, 4, 4, 4), np.float32)
    logits[1] = 1
    shape = (1300, 1300, 1300)
    axis = np.arange(1300) - 1296.0
    labels = restore_labels(
        [LogitsSlab(0, 0, 4, logits)], Mapping(shape, (4, 4, 4), (2, 1, 0), (axis,) * 3), (0, 1)
    )
    assert labels.size > 2**31
    assert labels[-5:, -1, -1].tolist() == [0, 1, 1, 1, 1]
    assert labels[-1, -1, -5:].tolist() == [0, 1, 1, 1, 1]


def test_slabs_out_of_order_or_missing_are_refused():
    first, second, third = slabs_of(blobs(3, NETWORK), 0, 5)
    with pytest.raises(ValueError, match="after"):
        restore_labels([first, third], MAPPINGS["finer"], range(3))
    with pytest.raises(ValueError, match="ended"):
        restore_labels([first, second], MAPPINGS["finer"], range(3))


def test_another_number_of_channels_is_refused():
    restorer = LabelRestorer(MAPPINGS["finer"], (0, 1))
    with pytest.raises(ValueError, match="3 channels for 2"):
        restorer.add(next(slabs_of(blobs(3, NETWORK), 0, 5)))
