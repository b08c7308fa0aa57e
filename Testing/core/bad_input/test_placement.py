"""Cases 13 to 18: where a header places its voxels."""

import math

import numpy as np
import pytest
from foreign_files import metaimage_bytes, mgh_bytes, nifti_bytes, some_voxels
from scipy import ndimage

from SegmentationAILib.core.admission import is_sheared
from SegmentationAILib.core.files import read_volume, write_volume
from SegmentationAILib.core.volume import Volume

from phantoms import (
    SPHERE_CENTER_RAS,
    SPHERE_RADIUS_MM,
    grid_around,
    oblique_affine,
    sphere_mask,
)

NAN = math.nan
OFF_CENTER_RAS = SPHERE_CENTER_RAS + np.array([5.0, 0.0, 0.0])


def srow_of(affine: np.ndarray) -> tuple[float, ...]:
    return tuple(affine[:3].ravel())


@pytest.mark.parametrize(
    ("srow", "word"),
    [
        ((NAN,) * 12, "not finite"),
        ((1, 0, 0, math.inf, 0, 1, 0, 0, 0, 0, 1, 0), "not finite"),
        ((0.0,) * 12, "voxel spacing"),
        ((1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0), "singular"),
        ((1, 2, 4, 0, 1, 2, 4, 0, 1, 2, 5, 0), "singular"),
    ],
)
def test_case_13_an_sform_that_places_nothing(refuse, srow, word):
    """Case 13: NaN, all zero and singular are refused; both usual readers accept them."""
    assert word in refuse(nifti_bytes(srow=srow))


def test_case_13_a_sheared_sform_is_resampled_and_said(read):
    """Case 13: on an orthonormal grid, linearly. Twin: the straight one stays voxel for voxel."""
    voxels = some_voxels((12, 10, 8), "f4")
    sheared = np.array([[1, 0.4, 0, 3], [0, 1, 0, -2], [0, 0, 2, 5], [0, 0, 0, 1.0]])
    volume = read(nifti_bytes(voxels, srow=srow_of(sheared)))
    assert not is_sheared(volume.affine)
    assert volume.spacing == pytest.approx((1, 1, 2))
    assert "22 degrees away from right angles" in volume.notes[0]
    ijk = np.indices(volume.grid.shape).reshape(3, -1).T.astype(float)
    at = np.linalg.solve(sheared[:3, :3], (volume.grid.ras_from_ijk(ijk) - sheared[:3, 3]).T)
    expected = ndimage.map_coordinates(voxels, at, order=1, mode="nearest")
    limit = np.array(voxels.shape)[:, None] - 1
    inside = ((at >= 0) & (at <= limit)).all(axis=0)
    found = volume.voxels[0].ravel()
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-3)
    outside = ((at < -0.51) | (at > limit + 0.51)).any(axis=0)
    assert outside.any()
    assert (found[outside] == voxels.min()).all()
    twin = read(nifti_bytes(voxels, srow=(1, 0, 0, 3, 0, 1, 0, -2, 0, 0, 2, 5)))
    assert np.array_equal(twin.voxels[0], voxels)
    assert twin.notes == ()


def test_case_14_sform_wins_over_qform_and_that_is_said(read):
    """Case 14: twin: where both agree nothing is said."""
    srow = (2, 0, 0, 10, 0, 2, 0, 20, 0, 0, 2, 30)
    place = {"srow": srow, "pixdim": (1.0, 2, 2, 2, 1, 1, 1, 1), "qform_code": 1}
    volume = read(nifti_bytes(qoffset=(10, 20, 31), **place))
    assert volume.affine[:3, 3].tolist() == [10, 20, 30]
    assert volume.notes == (
        "sform and qform of the header disagree by up to 0.5 voxels; the sform was used.",
    )
    assert read(nifti_bytes(qoffset=(10, 20, 30), **place)).notes == ()


def sphere_on(flips) -> Volume:
    grid = grid_around(SPHERE_CENTER_RAS, flips=flips)
    return Volume(sphere_mask(grid, OFF_CENTER_RAS).astype("u1")[None], grid.affine)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.mgz"])
def test_case_15_a_left_handed_matrix_places_labels_as_its_right_handed_twin(tmp_path, name):
    """Case 15: an off-center sphere lies at the same place in the world, read from both."""
    centers = []
    for flips in ((1, 1, 1), (-1, 1, 1)):
        volume = sphere_on(flips)
        assert np.sign(np.linalg.det(volume.affine[:3, :3])) == np.prod(flips)
        write_volume(volume, tmp_path / name)
        back = read_volume(tmp_path / name)
        assert np.array_equal(back.voxels, volume.voxels)
        centers.append(back.grid.ras_from_ijk(np.argwhere(back.voxels[0])).mean(axis=0))
    np.testing.assert_allclose(centers[0], centers[1], atol=0.05)
    np.testing.assert_allclose(centers[0], OFF_CENTER_RAS, atol=0.05)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.mgz"])
def test_case_16_the_surface_of_a_sphere_survives_the_round_trip(tmp_path, name):
    """Case 16: oblique by 17 degrees and anisotropic; the surface is within 0.1 voxel of truth."""
    grid = grid_around(SPHERE_CENTER_RAS)
    ijk = np.indices(grid.shape).reshape(3, -1).T.astype(float)
    distance = np.linalg.norm(grid.ras_from_ijk(ijk) - SPHERE_CENTER_RAS, axis=1)
    signed = (distance - SPHERE_RADIUS_MM).reshape(grid.shape).astype(np.float32)
    write_volume(Volume(signed[None], grid.affine), tmp_path / name)
    back = read_volume(tmp_path / name)
    # Along each voxel line the surface is where the stored distance passes zero.
    field = back.voxels[0]
    crossing = np.argwhere((field[:-1] < 0) != (field[1:] < 0))
    i, j, k = crossing.T
    fraction = field[i, j, k] / (field[i, j, k] - field[i + 1, j, k])
    surface = back.grid.ras_from_ijk(crossing + np.stack([fraction, 0 * fraction, 0 * fraction], 1))
    radius = np.linalg.norm(surface - SPHERE_CENTER_RAS, axis=1)
    assert len(radius) == 480
    assert np.abs(radius - SPHERE_RADIUS_MM).max() < 0.1 * min(grid.spacing)


def test_case_17_an_affine_off_by_rounding_is_accepted(read):
    """Case 17: 1e-6 off orthonormal (nnU-Net issue 1287, ITK issue 3994), voxel for voxel."""
    affine = oblique_affine()
    affine[:3, :3] *= 1 + 1e-6 * np.array([[1, -2, 3], [-4, 5, -6], [7, -8, 9]])
    volume = read(nifti_bytes(srow=srow_of(affine)))
    assert np.array_equal(volume.voxels[0], some_voxels())
    assert volume.notes == ()
    np.testing.assert_allclose(volume.affine, affine, atol=1e-5)
    direction = " ".join(repr(float(v)) for v in (affine[:3, :3] / volume.spacing).T.ravel())
    volume = read(metaimage_bytes(TransformMatrix=direction), "scan.mha")
    assert np.array_equal(volume.voxels[0], some_voxels())


@pytest.mark.parametrize("spacing", [0.0, -1.0, 1e-12, 1e12, NAN])
def test_case_18_spacings_that_no_scan_has(refuse, spacing):
    """Case 18: refused in every format, whether the header uses pixdim or a matrix."""
    pixdim = (1.0, 1.0, spacing, 1.0, 1.0, 1.0, 1.0, 1.0)
    assert "voxel spacing" in refuse(nifti_bytes(pixdim=pixdim))
    assert "voxel spacing" in refuse(nifti_bytes(pixdim=pixdim, sform_code=0, qform_code=1))
    content = metaimage_bytes(ElementSpacing=f"1 {spacing} 1")
    assert "voxel spacing" in refuse(content, "scan.mha")
    assert "voxel spacing" in refuse(mgh_bytes(spacing=(1, spacing, 1)), "scan.mgz")


@pytest.mark.parametrize("spacing", [4e-6, 1e-3, 50.0])
def test_case_18_spacings_of_microscopes_and_scouts_are_accepted(read, spacing):
    """Case 18, twin."""
    volume = read(metaimage_bytes(ElementSpacing=f"1 {spacing} 1"), "scan.mha")
    assert volume.spacing == pytest.approx((1, spacing, 1))
    assert np.array_equal(volume.voxels[0], some_voxels())
