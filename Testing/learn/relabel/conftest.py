"""A loop that runs in seconds: a store with a base of thresholds, and a study of phantoms."""

import pytest
from relabel_study import relabel_study, store_with_base


@pytest.fixture
def without_conversion(monkeypatch):
    """Torch runs the networks of thresholds: converting each takes longer than all else here."""
    monkeypatch.setattr("SegmentationAILib.networks.build.openvino_is_there", lambda: False)


@pytest.fixture
def the_store(a_home):
    return store_with_base(a_home)


@pytest.fixture
def the_study(the_store, tmp_path):
    return relabel_study(tmp_path / "s", the_store)
