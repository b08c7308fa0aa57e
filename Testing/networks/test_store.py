import os
import shutil
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from loopback_server import CERTIFICATE, loopback_server
from network_files import network_folder, tiny_card, tiny_weights, whole_safetensors

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.core.folder_lock import locked
from SegmentationAILib.networks import install as install_module
from SegmentationAILib.networks.card_reader import card_from_json
from SegmentationAILib.networks.catalog import Catalog
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.network_source import check_id
from SegmentationAILib.networks.store import NetworkStore
from SegmentationAILib.networks.weights import sha256_of


def any_weights(card, weights):
    """Accept every architecture; what the check refuses is tested with the check."""


@pytest.fixture
def a_store(a_home):
    return NetworkStore(cards=Catalog(()))


def put(store, source, **more):
    return install(store, InstallRequest(str(source), **more), any_weights)


def states(store):
    return {network.card.id: network.state for network in store.listing().networks}


def test_a_folder_installs_under_its_name_and_its_weights_come_back(a_store, tmp_path):
    network = put(a_store, network_folder(tmp_path / "mine"))
    assert (network.card.id, network.state) == ("mine", "installed")
    found = a_store.find("mine").read_weights()
    for name, array in tiny_weights().items():
        np.testing.assert_array_equal(found[name], array)
    assert states(a_store) == {"mine": "installed"}


def test_what_is_kept_is_for_its_owner_alone(a_store, tmp_path):
    network = put(a_store, network_folder(tmp_path / "mine"))
    assert stat.S_IMODE(a_store.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(network.weights.parent.stat().st_mode) == 0o700


def test_another_id_can_be_chosen_and_an_existing_one_is_refused(a_store, tmp_path):
    folder = network_folder(tmp_path / "mine")
    put(a_store, folder, network_id="other")
    put(a_store, folder)
    for taken in ("mine", "Other"):
        with pytest.raises(WeightsError, match="already"):
            put(a_store, folder, network_id=taken)
    assert states(a_store) == {"mine": "installed", "other": "installed"}


def test_an_id_is_new_where_nothing_of_it_is_here_or_listed(a_home, tmp_path):
    store = NetworkStore(cards=Catalog((card_from_json(tiny_card(id="listed"), "listed"),)))
    store.check_new_id("mine")
    put(store, network_folder(tmp_path / "mine"))
    (store.folder / "torn").mkdir()
    for taken in ("mine", "Mine", "listed", "torn"):
        with pytest.raises(WeightsError, match=f"There is a network {taken} already"):
            store.check_new_id(taken)
    store.check_new_id("mine-2")


def test_an_exported_network_installs_again_as_the_same(a_store, tmp_path):
    first = put(a_store, network_folder(tmp_path / "mine"))
    a_store.export("mine", tmp_path / "copy.zip")
    second = put(a_store, tmp_path / "copy.zip")
    assert second.card == first.card.renamed("copy")
    assert second.weights.read_bytes() == first.weights.read_bytes()
    before = (tmp_path / "copy.zip").read_bytes()
    a_store.export("mine", tmp_path / "copy.zip")
    assert (tmp_path / "copy.zip").read_bytes() == before


def test_a_removed_network_is_gone(a_store, tmp_path):
    put(a_store, network_folder(tmp_path / "mine"))
    a_store.remove("mine")
    assert states(a_store) == {}
    assert [path.name for path in a_store.folder.iterdir()] == [".lock"]
    with pytest.raises(WeightsError, match="no network mine"):
        a_store.remove("mine")


def test_bare_weights_are_matched_with_the_catalogue_by_their_hash(a_home, tmp_path):
    card = card_from_json(tiny_card(id="listed"), "listed")
    store = NetworkStore(cards=Catalog((card,)))
    assert states(store) == {"listed": "available"}
    (tmp_path / "w.pth").write_bytes(whole_safetensors(tiny_weights()))
    network = put(store, tmp_path / "w.pth", network_id="listed")
    assert network.card.title == card.title
    assert states(store) == {"listed": "installed"}


def test_other_weights_under_the_name_of_a_listed_network_are_refused(a_home, tmp_path):
    listed = card_from_json(tiny_card(id="mine", sha256="0" * 64), "listed")
    store = NetworkStore(cards=Catalog((listed,)))
    with pytest.raises(WeightsError, match="whose weights are others"):
        put(store, network_folder(tmp_path / "mine"))
    assert put(store, network_folder(tmp_path / "x" / "own")).card.id == "own"


def test_weights_that_no_card_describes_are_refused(a_store, tmp_path):
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "a").write_bytes(whole_safetensors(tiny_weights()))
    with pytest.raises(WeightsError, match=r"no card\.json"):
        put(a_store, tmp_path / "w")
    (tmp_path / "w" / "b").write_bytes(whole_safetensors(tiny_weights(1)))
    with pytest.raises(WeightsError, match="2 weights files"):
        put(a_store, tmp_path / "w")


def test_a_link_in_a_folder_is_not_followed(a_store, tmp_path):
    folder = network_folder(tmp_path / "mine")
    (folder / "model.pth").rename(tmp_path / "elsewhere")
    (folder / "model.pth").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WeightsError, match="0 weights files"):
        put(a_store, folder)


def test_a_pipe_is_refused_instead_of_waited_for(a_store, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WeightsError, match="device or a pipe"):
        put(a_store, tmp_path / "pipe")


def test_weights_that_changed_after_installing_are_not_opened(a_store, tmp_path):
    network = put(a_store, network_folder(tmp_path / "mine"))
    network.weights.write_bytes(whole_safetensors(tiny_weights(1)))
    with pytest.raises(WeightsError, match="SHA-256"):
        a_store.find("mine").read_weights()
    with pytest.raises(WeightsError, match="SHA-256"):
        a_store.export("mine", tmp_path / "copy.zip")
    assert not (tmp_path / "copy.zip").exists()


def test_a_damaged_network_is_named_and_hides_no_other(a_store, tmp_path):
    put(a_store, network_folder(tmp_path / "good"))
    bad = put(a_store, network_folder(tmp_path / "bad")).weights.parent
    (bad / "card.json").write_text("{")
    listing = a_store.listing()
    assert [network.card.id for network in listing.networks] == ["good"]
    assert "'bad'" in listing.notes[0]
    a_store.remove("bad")
    assert a_store.listing().notes == ()


def test_a_converted_checkpoint_remembers_where_it_came_from(a_home, the_weights):
    store = NetworkStore()
    network = put(store, the_weights / "mindgrab")
    assert network.card.converted_from == sha256_of(the_weights / "mindgrab" / "model.pth")
    assert network.card.sha256 == sha256_of(network.weights)
    weights = network.read_weights()
    assert len(weights) == 27
    assert sum(array.size for array in weights.values()) == 146_237


@pytest.mark.parametrize("folder", ["model5_gw_ae", "subcortical", "model30chan50cls"])
def test_networks_of_the_catalogue_install_from_their_own_files(a_home, the_weights, folder):
    store = NetworkStore()
    assert states(store)[folder] == "available"
    network = put(store, the_weights / folder)
    assert network.card.sha256 == sha256_of(the_weights / folder / "model.pth")
    assert states(store)[folder] == "installed"


def test_a_shipped_network_that_is_missing_says_so_and_hides_no_other(a_home):
    lost = card_from_json(tiny_card(id="lost", file="weights/no-such-file.safetensors"), "lost")
    other = card_from_json(tiny_card(id="other"), "other")
    store = NetworkStore(cards=Catalog((lost, other)))
    assert states(store) == {"lost": "available", "other": "available"}
    with pytest.raises(WeightsError, match="missing from this installation"):
        store.find("lost").read_weights()


def test_an_address_outside_the_catalogue_needs_a_hash(a_store, tmp_path):
    network_folder(tmp_path / "net")
    archive = shutil.make_archive(str(tmp_path / "served"), "zip", tmp_path / "net")
    data = (tmp_path / "served.zip").read_bytes()
    with loopback_server(lambda request: request.send(data)) as server:
        with pytest.raises(WeightsError, match="--sha256"):
            put(a_store, f"{server.url}/fine.zip")
        assert server.log == []
        network = put(a_store, f"{server.url}/fine.zip?a=1", sha256=sha256_of(Path(archive)))
    assert network.card.id == "fine"
    assert not list((a_store.home / "downloads").iterdir())


def test_the_id_of_an_available_network_is_enough(a_home, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    data = whole_safetensors(tiny_weights())
    with loopback_server(lambda request: request.send(data), encrypted=True) as server:
        card = card_from_json(tiny_card(id="listed"), "listed")
        store = NetworkStore(cards=Catalog((replace(card, address=f"{server.url}/model.pth"),)))
        assert put(store, "listed").card.id == "listed"
    assert states(store) == {"listed": "installed"}


@pytest.mark.parametrize("name", ["..", ".hidden", "a/b", "con", "LPT1.x", "a.", "a" * 65, "ä", ""])
def test_ids_that_are_no_folder_name_everywhere_are_refused(name):
    with pytest.raises(WeightsError):
        check_id(name)


def test_two_processes_cannot_change_the_networks_at_once(tmp_path):
    with (
        locked(tmp_path),
        pytest.raises(WeightsError, match="Another process"),
        locked(tmp_path, seconds=0.1),
    ):
        pytest.fail("the lock was taken twice")
    with locked(tmp_path, seconds=0.1):
        pass


def test_the_lock_ends_with_the_process_that_holds_it(tmp_path):
    code = (
        "import sys, pathlib, time\n"
        "from SegmentationAILib.core.folder_lock import locked\n"
        "with locked(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n    time.sleep(60)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "held\n"
    with pytest.raises(WeightsError), locked(tmp_path, seconds=0.1):
        pass
    child.kill()
    child.wait()
    child.stdout.close()
    with locked(tmp_path, seconds=5):
        pass


def test_weights_of_another_architecture_leave_nothing(a_store, tmp_path):
    def refuse(card, weights):
        raise WeightsError("belongs to another network")

    with pytest.raises(WeightsError, match="another network"):
        install(a_store, InstallRequest(str(network_folder(tmp_path / "mine"))), refuse)
    assert [path.name for path in a_store.folder.iterdir()] == [".lock"]


def test_a_listing_while_installing_shows_all_or_nothing(a_store, tmp_path, monkeypatch):
    filled, shown = threading.Event(), threading.Event()
    publish = install_module.publish

    def slow_publish(ready, final):
        filled.set()
        shown.wait(5)
        publish(ready, final)

    monkeypatch.setattr(install_module, "publish", slow_publish)
    thread = threading.Thread(target=put, args=(a_store, network_folder(tmp_path / "mine")))
    thread.start()
    assert filled.wait(5)
    assert states(a_store) == {}
    shown.set()
    thread.join()
    assert states(a_store) == {"mine": "installed"}
