import numpy as np

from SegmentationAILib.learn.deform import (
    DeformationRanges,
    apply_per_axis,
    interpolation_matrix,
    random_coordinates,
    random_matrix,
    smooth_field,
)

STILL = DeformationRanges().scaled(0.0)
BOX = np.array([[-80.0, -100.0, -90.0], [80.0, 100.0, 90.0]])


def test_without_deformation_every_voxel_reads_its_own_place_or_its_mirror():
    shape, spacing = (9, 7, 6), 2.5
    points, mirrored = random_coordinates(np.random.default_rng(1), shape, spacing, STILL, BOX)
    expected = np.stack(
        np.meshgrid(*[(np.arange(n) - (n - 1) / 2) * spacing for n in shape], indexing="ij")
    )
    side = np.sign(points[0, -1, 0, 0])
    assert mirrored == (side < 0)
    np.testing.assert_allclose(points[0], side * expected[0], atol=1e-5)
    np.testing.assert_allclose(points[1:], expected[1:], atol=1e-5)


def test_half_of_the_heads_are_mirrored():
    rng = np.random.default_rng(3)
    mirrored = sum(np.linalg.det(random_matrix(rng, STILL)) < 0 for _ in range(400))
    assert 150 < mirrored < 250


def test_size_and_stretch_stay_within_their_ranges():
    rng = np.random.default_rng(4)
    ranges = DeformationRanges(rotation_deg=20.0, scale=0.1, stretch=0.05, shear=0.0)
    for _ in range(50):
        lengths = np.linalg.svd(random_matrix(rng, ranges), compute_uv=False)
        assert lengths.max() <= 1.1 * 1.05 + 1e-9
        assert lengths.min() >= 0.9 * 0.95 - 1e-9


def test_a_smooth_field_has_unit_variance_everywhere():
    rng = np.random.default_rng(5)
    fields = np.stack([smooth_field(rng, (11, 8, 9), (4, 3, 5)) for _ in range(600)])
    np.testing.assert_allclose(fields.std(axis=0), 1.0, atol=0.2)
    np.testing.assert_allclose(fields.mean(axis=0), 0.0, atol=0.25)


def test_a_field_changes_little_between_neighbors():
    field = smooth_field(np.random.default_rng(6), (64, 64, 64), (4, 4, 4))
    assert np.abs(np.diff(field, axis=1)).max() < 0.25


def test_matrices_act_on_their_own_axis():
    array = np.random.default_rng(7).random((3, 4, 5)).astype(np.float32)
    first, second, third = (
        np.random.default_rng(n).random((n + 2, n)).astype(np.float32) for n in (3, 4, 5)
    )
    expected = np.einsum("ai,bj,ck,ijk->abc", first, second, third, array)
    np.testing.assert_allclose(apply_per_axis(array, [first, second, third]), expected, rtol=1e-5)


def test_knots_lie_at_both_ends():
    weights = interpolation_matrix(21, 5)
    assert weights[0].argmax() == 0
    assert weights[-1].argmax() == 4
    assert weights[10].argmax() == 2
