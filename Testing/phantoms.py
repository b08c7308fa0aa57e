"""Analytic volumes whose truth is known without the code under test."""

import numpy as np

from SegmentationAILib.core.volume import Grid, Volume

SPHERE_CENTER_RAS = np.array([12.0, -7.0, 20.0])
SPHERE_RADIUS_MM = 16.0


def rotation(degrees_x: float, degrees_y: float, degrees_z: float) -> np.ndarray:
    """Rotation matrix Rz @ Ry @ Rx."""
    x, y, z = np.radians([degrees_x, degrees_y, degrees_z])
    rx = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    ry = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    rz = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return rz @ ry @ rx


def oblique_affine(
    spacing=(0.9, 1.3, 2.5),
    origin=(-31.0, 22.0, -18.0),
    degrees=(17.0, -9.0, 25.0),
    flips=(-1, -1, 1),
) -> np.ndarray:
    """Affine of an oblique anisotropic grid; the default flips make an LPS-like scan."""
    affine = np.eye(4)
    affine[:3, :3] = rotation(*degrees) @ np.diag(flips) * np.asarray(spacing)
    affine[:3, 3] = origin
    return affine


def grid_around(center_ras, shape=(60, 52, 34), **affine_arguments) -> Grid:
    """Oblique grid whose middle lies at ``center_ras``."""
    affine = oblique_affine(**affine_arguments)
    affine[:3, 3] = np.asarray(center_ras) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine)


def sphere_mask(grid: Grid, center_ras=SPHERE_CENTER_RAS, radius_mm=SPHERE_RADIUS_MM) -> np.ndarray:
    """Where voxel centres of ``grid`` lie within the sphere, by the formula, ``(I, J, K)``."""
    ijk = np.indices(grid.shape).reshape(3, -1).T
    distance = np.linalg.norm(grid.ras_from_ijk(ijk) - center_ras, axis=1)
    return (distance <= radius_mm).reshape(grid.shape)


def sphere_volume(dtype=np.int16) -> Volume:
    """A bright sphere (300) on dark ground (-50) with noise, on an oblique anisotropic grid."""
    grid = grid_around(SPHERE_CENTER_RAS)
    noise = np.random.default_rng(7).normal(0, 8, grid.shape)
    voxels = np.where(sphere_mask(grid), 300.0, -50.0) + noise
    return Volume(voxels.astype(dtype)[None], grid.affine)
