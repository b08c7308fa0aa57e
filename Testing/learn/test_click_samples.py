import numpy as np
import pytest

from SegmentationAILib.learn.click_samples import (
    OUTSIDE,
    SIDE,
    LabeledScan,
    ProceduralSource,
    ScanSource,
    random_anisotropy,
    random_grid,
    read_intensities,
    read_labels,
    recolored,
)

from phantoms import grid_around


def a_scan():
    """Intensities are the R coordinate in mm; label 3 where it is positive, 7 elsewhere.

    The labels lie on a grid of their own, oblique in another way.
    """
    scan = grid_around((3.0, 20.0, -11.0), (40, 36, 30), spacing=(2.0, 2.5, 3.0))
    labels = grid_around(
        (5.0, 17.0, -9.0), (44, 30, 28), spacing=(2.2, 2.4, 3.1), degrees=(5, 11, -20)
    )
    r = [
        grid.ras_from_ijk(np.indices(grid.shape).reshape(3, -1).T)[:, 0].reshape(grid.shape)
        for grid in (scan, labels)
    ]
    return LabeledScan(
        r[0].astype(np.float32),
        scan.affine,
        np.where(r[1] > 0, 3, 7).astype(np.uint8),
        labels.affine,
        (2.0, 4.0),
    )


def test_intensities_and_labels_are_read_in_patient_coordinates():
    scan = a_scan()
    middle = scan.affine[:3, :3] @ (np.array(scan.voxels.shape) / 2) + scan.affine[:3, 3]
    points = random_grid(np.random.default_rng(5), np.array([1.0, 1.5, 0.8]), middle)
    labels, outside = read_labels(scan, points)
    places = np.linalg.inv(scan.affine)[:3, :3] @ (points.reshape(3, -1) - scan.affine[:3, 3:])
    within = ((places > 0) & (places < np.array(scan.voxels.shape)[:, None] - 1)).all(axis=0)
    inside = within.reshape(outside.shape) & ~outside
    assert inside.mean() > 0.2
    assert read_intensities(scan, points)[inside] == pytest.approx(points[0][inside], abs=1e-2)
    far = inside & (abs(points[0]) > 3.2)
    assert np.array_equal(labels[far] == 3, points[0][far] > 0)


def test_held_out_labels_are_never_there():
    source = ScanSource([a_scan()], held_out=(7,))
    rng = np.random.default_rng(0)
    found = {int(v) for _ in range(6) for v in np.unique(source.sample(rng).labels)}
    assert 3 in found
    assert found <= {0, 3, OUTSIDE}


def test_a_seed_gives_the_same_sample():
    first, second = (ProceduralSource().sample(np.random.default_rng(9)) for _ in range(2))
    assert np.array_equal(first.intensities, second.intensities)
    assert np.array_equal(first.labels, second.labels)
    assert first.intensities.shape == (SIDE,) * 3
    assert float(np.std(first.intensities.astype(np.float32))) == pytest.approx(1.0, abs=0.05)


def test_about_half_of_the_voxels_are_coarser_along_one_axis():
    rng = np.random.default_rng(0)
    ratios = [max(s) / min(s) for s in (random_anisotropy(rng, 6.0) for _ in range(400))]
    assert 0.3 < np.mean(np.array(ratios) > 1.5) < 0.5
    assert max(ratios) < 9.0


def test_a_recolored_scan_shifts_organs_apart_and_keeps_each_as_it_is():
    labels = np.zeros((24, 24, 24), np.uint8)
    labels[:, 8:16], labels[:, 16:] = 3, 9
    # The same stripes run through all three.
    hounsfield = np.broadcast_to(np.where(np.arange(24) % 4 < 2, 40.0, 80.0), labels.shape)
    found = recolored(np.random.default_rng(2), hounsfield.astype(np.float32), labels)
    middles = np.stack([found[:, place] for place in (3, 12, 20)])
    shifts = middles - middles[0]
    assert np.allclose(shifts, shifts[:, :1, :1], atol=1e-3)
    assert len(np.unique(np.round(shifts[:, 0, 0]))) == 3
    assert np.allclose(middles[..., 4:], middles[..., :-4], atol=1e-3)
