"""Channels meet in physical space: the same point of the patient, whatever the grids."""

import numpy as np
import pytest

from SegmentationAILib.core.channels import covered_share, stack_channels
from SegmentationAILib.core.errors import GeometryError
from SegmentationAILib.core.volume import Volume

from phantoms import SPHERE_CENTER_RAS, SPHERE_RADIUS_MM, grid_around, sphere_mask, sphere_volume


def sphere_on(grid):
    return Volume(sphere_mask(grid).astype(np.int16)[None] * 100, grid.affine)


def test_a_second_channel_on_another_grid_arrives_at_the_same_points():
    reference = sphere_volume()
    other_grid = grid_around(
        np.add(SPHERE_CENTER_RAS, (3, -4, 5)),
        (70, 66, 50),
        spacing=(1.1, 0.8, 1.9),
        degrees=(-12, 20, 5),
    )
    stacked = stack_channels(reference, {"T2": sphere_on(other_grid)}, ("T1", "T2"))
    assert stacked.voxels.shape == (2, *reference.grid.shape)
    arrived = stacked.voxels[1] > 50
    truth = sphere_mask(reference.grid)
    volume_ml = arrived.sum() * reference.grid.voxel_volume_ml
    assert volume_ml == pytest.approx(4 / 3 * np.pi * SPHERE_RADIUS_MM**3 / 1000, rel=0.03)
    assert 2 * (arrived & truth).sum() / (arrived.sum() + truth.sum()) > 0.97
    assert any("T2 was resampled onto the grid of T1" in note for note in stacked.notes)


def test_a_channel_on_the_same_grid_is_taken_voxel_for_voxel():
    reference = sphere_volume()
    twin = Volume(reference.voxels + 7, reference.affine)
    stacked = stack_channels(reference, {"T2": twin}, ("T1", "T2"))
    np.testing.assert_array_equal(stacked.voxels[1] - stacked.voxels[0], 7)


def test_a_scan_of_another_place_is_refused_with_its_share():
    far = sphere_on(grid_around(np.add(SPHERE_CENTER_RAS, (500, 0, 0))))
    with pytest.raises(GeometryError, match="T2 covers 0% of the reference"):
        stack_channels(sphere_volume(), {"T2": far}, ("T1", "T2"))


@pytest.mark.parametrize(
    ("others", "roles", "words"),
    [
        ({}, ("T1", "T2"), "name the volume for T2"),
        ({"PET": None}, ("T1",), "PET is not one of its roles"),
        ({"T1": None, "FLAIR": None}, ("T1", "FLAIR"), "T1 is the volume itself: leave it out"),
    ],
)
def test_missing_and_unknown_roles_are_named(others, roles, words):
    others = {role: sphere_volume() for role in others}
    with pytest.raises(GeometryError, match=words):
        stack_channels(sphere_volume(), others, roles)


def test_two_channels_for_a_network_of_one_names_both_numbers():
    two = Volume(np.concatenate([sphere_volume().voxels] * 2), sphere_volume().affine)
    with pytest.raises(GeometryError, match=r"takes 1 channel.*found 2"):
        stack_channels(two, {}, ("T1",))


def test_half_shifted_grid_covers_half():
    grid = grid_around(SPHERE_CENTER_RAS)
    shifted = grid.affine.copy()
    shifted[:3, 3] += grid.affine[:3, 0] * grid.shape[0] / 2
    other = type(grid)(grid.shape, shifted)
    assert covered_share(grid, other) == pytest.approx(0.5, abs=0.03)
