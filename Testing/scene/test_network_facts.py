import json
import math

import numpy as np
import pytest
from threshold_network import threshold_network_folder

from SegmentationAILib.core.volume import Grid
from SegmentationAILib.networks.store import NetworkStore
from SegmentationAILib.scene.network_facts import all_networks, networks_for_scan


@pytest.fixture
def an_installed_network(a_home):
    threshold_network_folder(a_home / "networks" / "bright")
    return a_home


def test_the_list_agrees_with_the_workers(an_installed_network):
    """The host reads the cards by itself; the store, which checks them, is the reference."""
    ours = {n.id: n for n in all_networks(an_installed_network)}
    theirs = {n.card.id: n for n in NetworkStore(an_installed_network).listing().networks}
    assert set(ours) == set(theirs)
    for network_id, network in theirs.items():
        card, facts = network.card, ours[network_id]
        assert facts.state == network.state
        assert facts.structures == tuple(label.name for label in card.labels)
        assert facts.roles == tuple((c.role, c.title) for c in card.channels)
        assert (facts.title, facts.modality, facts.use) == (
            card.title, card.modality, card.license.use)  # fmt: skip
        assert facts.can_be_installed == bool(card.address)


def test_a_card_that_cannot_be_read_is_left_out_and_the_others_stay(an_installed_network):
    for name, content in (("torn", "{"), ("empty", "{}"), ("list", "[]")):
        folder = an_installed_network / "networks" / name
        folder.mkdir()
        (folder / "card.json").write_text(content)
    found = {n.id for n in all_networks(an_installed_network)}
    assert "bright" in found
    assert found.isdisjoint({"torn", "empty", "list"})


def test_networks_for_other_scans_come_last_and_say_so(an_installed_network):
    grid = Grid((10, 10, 10), np.eye(4))
    networks = all_networks(an_installed_network)
    for_ct = networks_for_scan(networks, "CT", grid, an_installed_network)
    assert [n.fits for n in for_ct] == sorted((n.fits for n in for_ct), reverse=True)
    assert not next(n for n in for_ct if n.id == "bright").fits
    assert all(n.fits for n in networks_for_scan(networks, "", grid, an_installed_network))


def test_the_expected_time_is_that_of_past_runs_per_voxel_of_the_network(an_installed_network):
    """2 s per million voxels of 1.5 mm; 1 mm voxels become 1 / 3.375 as many."""
    history = an_installed_network / "history"
    history.mkdir()
    runs = {"bright|cpu|": [[1e6, 2.0], [2e6, 4.0]], "other|cpu|": [[1e6, 99.0]]}
    (history / "runs.json").write_text(json.dumps({"runs": runs}))
    grid = Grid((100, 200, 300), np.eye(4))
    networks = networks_for_scan(
        all_networks(an_installed_network), "MR", grid, an_installed_network
    )
    facts = next(n for n in networks if n.id == "bright")
    assert math.isclose(facts.expected_seconds, 6 / 3.375 * 2.0)
    assert all(n.expected_seconds is None for n in networks if n.id != "bright")
    (history / "runs.json").write_text("{")
    networks = networks_for_scan(networks, "MR", grid, an_installed_network)
    assert all(n.expected_seconds is None for n in networks)
