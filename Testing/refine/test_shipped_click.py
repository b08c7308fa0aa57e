"""The network that ships, on a ball whose mask is known by its formula."""

import numpy as np
import pytest

from SegmentationAILib.core.volume import Volume
from SegmentationAILib.refine.session import RefineSession

from phantoms import SPHERE_CENTER_RAS, grid_around, sphere_mask, sphere_volume


@pytest.fixture(scope="module", autouse=True)
def a_home_of_the_module(tmp_path_factory):
    """One home for all tests: the network is prepared for this computer once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGMENTATIONAI_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture
def a_session():
    session = RefineSession(sphere_volume(), engine="click")
    yield session
    session.close()


def test_two_clicks_find_a_ball_and_undo_gives_back_the_bytes(a_session):
    truth = sphere_mask(a_session.volume.grid)
    a_session.add_point(SPHERE_CENTER_RAS)
    first = a_session.mask
    change = a_session.add_point(np.add(SPHERE_CENTER_RAS, (0.0, 24.0, 0.0)), positive=False)
    found = a_session.mask
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.85
    outside = np.ones(truth.shape, bool)
    ends = zip(change.start_ijk, change.stop_ijk, strict=True)
    outside[tuple(slice(*pair) for pair in ends)] = False
    assert np.array_equal(found[outside], first[outside])
    a_session.undo()
    assert np.array_equal(a_session.mask, first)
    a_session.undo()
    assert not a_session.mask.any()


@pytest.mark.parametrize("shape", [(60, 52, 1), (1, 52, 34)])
def test_a_click_finds_a_disk_in_a_scan_of_one_slice(shape):
    grid = grid_around(SPHERE_CENTER_RAS, shape)
    truth = sphere_mask(grid)
    noise = np.random.default_rng(0).normal(0, 8, shape)
    voxels = (np.where(truth, 300, -50) + noise).astype(np.int16)
    session = RefineSession(Volume(voxels[None], grid.affine), engine="click")
    session.add_point(SPHERE_CENTER_RAS)
    found = session.mask
    session.close()
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.9
