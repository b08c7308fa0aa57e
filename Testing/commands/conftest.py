"""Fixtures of the command line's tests."""

import pytest
from threshold_network import threshold_network_folder

from SegmentationAILib.__main__ import main


@pytest.fixture
def an_installed_network(a_home, tmp_path):
    """ID of the threshold network, installed in an empty home."""
    assert main(["networks", "install", str(threshold_network_folder(tmp_path / "net"))]) == 0
    return "net"
