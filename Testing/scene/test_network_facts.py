import json
import math

import numpy as np
import pytest
from threshold_network import threshold_network_folder

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.core.volume import Grid
from SegmentationAILib.networks.store import NetworkStore
from SegmentationAILib.networks.torch_module import torch_module
from SegmentationAILib.resources import resource
from SegmentationAILib.scene.network_facts import (
    all_networks,
    history_of,
    history_of_server,
    networks_for_scan,
    networks_of_server,
)


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


def test_what_the_engine_adapt_refuses_is_known_beforehand(an_installed_network):
    """`torch_module` is what refuses; it is asked for both networks."""
    onnx = {"architecture": {"name": "onnx", "parameters": {}}}
    threshold_network_folder(an_installed_network / "networks" / "exported", **onnx)
    ours = {n.id: n for n in all_networks(an_installed_network)}
    store = NetworkStore(an_installed_network)
    assert ours["bright"].can_be_adapted
    torch_module(store.find("bright").card, store.find("bright").read_weights())
    assert not ours["exported"].can_be_adapted
    with pytest.raises(WeightsError, match="only as ONNX"):
        torch_module(store.find("exported").card, store.find("exported").read_weights())


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
    for_ct = networks_for_scan(networks, "CT", grid, {})
    assert [n.fits for n in for_ct] == sorted((n.fits for n in for_ct), reverse=True)
    assert not next(n for n in for_ct if n.id == "bright").fits
    assert all(n.fits for n in networks_for_scan(networks, "", grid, {}))


def test_networks_that_answer_prompts_are_not_offered_for_a_whole_scan(an_installed_network):
    card = an_installed_network / "networks" / "bright" / "card.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"promptable": True}))
    networks = all_networks(an_installed_network)
    assert next(n for n in networks if n.id == "bright").is_promptable
    offered = networks_for_scan(networks, "", Grid((10, 10, 10), np.eye(4)), {})
    assert "bright" not in {n.id for n in offered}
    assert len(offered) == sum(not n.is_promptable for n in networks)


def test_time_and_memory_are_those_of_past_runs_of_like_size(an_installed_network):
    """2 s per million voxels of 1.5 mm; 1 mm voxels become 1 / 3.375 as many."""
    history = an_installed_network / "history"
    history.mkdir()
    runs = {
        "bright|cpu|": [[1e6, 2.0], [2e6, 4.0, 3e9], [2e6, 4.0, 5e9]],
        "bright|cpu|mirror": [[1e6, 900.0]],
        "other|cpu|": [[1e6, 99.0]],
    }
    (history / "runs.json").write_text(json.dumps({"runs": runs}))
    grid, home = Grid((100, 200, 300), np.eye(4)), an_installed_network
    networks = networks_for_scan(all_networks(home), "MR", grid, history_of(home))
    facts = next(n for n in networks if n.id == "bright")
    assert math.isclose(facts.expected_seconds, 6 / 3.375 * 2.0)
    assert facts.expected_bytes == 4e9
    assert all(n.expected_seconds is None for n in networks if n.id != "bright")
    (history / "runs.json").write_text("{")
    networks = networks_for_scan(networks, "MR", grid, history_of(home))
    assert all((n.expected_seconds, n.expected_bytes) == (None, None) for n in networks)


def test_other_weights_in_the_catalogue_are_an_update(a_home):
    """The installed one has the ID of a listed one, and was not converted from its weights."""
    listed = next(n for n in all_networks(a_home) if n.state == "available")
    folder = threshold_network_folder(a_home / "networks" / listed.id)
    assert next(n for n in all_networks(a_home) if n.id == listed.id).has_update
    catalogue = json.loads(resource("networks.json").read_text(encoding="utf-8"))["networks"]
    sha256 = next(card["sha256"] for card in catalogue if card["id"] == listed.id)
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, "converted_from": sha256}))
    assert not next(n for n in all_networks(a_home) if n.id == listed.id).has_update


def test_the_networks_of_a_server_are_those_it_lists(an_installed_network):
    card = json.loads((an_installed_network / "networks" / "bright" / "card.json").read_text())
    card["id"] = "bright"
    rows = [
        {"id": "bright", "state": "installed", "installed": True, "card": card,
         "seconds_per_million_voxels": {"cuda": 0.5}},
        {"id": "torn", "state": "installed", "installed": True, "card": {}},
    ]  # fmt: skip
    (facts,) = networks_of_server(rows)
    assert (facts.id, facts.state, facts.license_text) == ("bright", "installed", "Made for tests.")
    (facts,) = networks_for_scan((facts,), "MR", Grid((100, 200, 300), np.diag([1.5] * 3 + [1])),
                                 history_of_server(rows))  # fmt: skip
    assert math.isclose(facts.expected_seconds, 3.0)
