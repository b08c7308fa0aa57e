"""The network that ships, on a ball whose mask is known by its formula."""

import numpy as np
import pytest

from SegmentationAILib.refine.session import RefineSession

from phantoms import SPHERE_CENTER_RAS, sphere_mask, sphere_volume


@pytest.fixture
def a_session(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGMENTATIONAI_HOME", str(tmp_path))
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
