"""Cases 41, 43, 44, 46, 47 and 49 for every format: each hostile folder, and the folder unbent."""

import hashlib
import pickle
import zipfile

import numpy as np
import pytest
import torch
from foreign_networks import KINDS, NAMES, bend, know_the_hash
from network_files import fingerprint

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks.expected_shapes import check_architecture
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.store import NetworkStore

HOSTILE_NAMES = ["<img src=x onerror=alert(1)>", "liver\u202egpj.exe", "x" * 10_000, "\x1b[31mred"]
EVERY = list(KINDS)
# Opening a checkpoint in its child process takes a second or two.
QUICK = [n if not KINDS[n].in_child else pytest.param(n, marks=pytest.mark.slow) for n in EVERY]
KEYED = [
    n if not KINDS[n].in_child else pytest.param(n, marks=pytest.mark.slow)
    for n in EVERY
    if KINDS[n].keeps_keys
]


class Runs:
    """Pickled, it runs a shell command when opened."""

    def __init__(self, marker):
        self.command = f"touch {marker}"

    def __reduce__(self):
        import os

        return os.system, (self.command,)


@pytest.fixture
def a_store(a_home):
    return NetworkStore(a_home)


@pytest.fixture
def made(tmp_path):
    """Make the folder of a format."""

    def make(name, names=NAMES):
        folder = tmp_path / "given" / "net"
        folder.parent.mkdir()
        KINDS[name].make(folder, names)
        return folder

    return make


def refused(store, source, **request):
    """Install what is refused; return the sentence, nothing of it being installed."""
    with pytest.raises(WeightsError) as raised:
        install(store, InstallRequest(str(source), "net", **request), check_architecture)
    assert not [path for path in store.folder.glob("*") if path.name == "net"]
    return str(raised.value)


def zipped(folder, path, extra=()):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, f"net/{file.relative_to(folder)}")
        for name, data in extra:
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("name", QUICK)
def test_the_harmless_twin_is_installed_from_its_folder_and_from_a_zip(
    name, made, a_store, tmp_path
):
    folder = made(name)
    card = install(a_store, InstallRequest(str(folder), "net"), check_architecture).card
    assert [label.name for label in card.labels] == NAMES
    archive = zipped(folder, tmp_path / "net.zip")
    again = install(a_store, InstallRequest(str(archive), "again"), check_architecture).card
    assert again.sha256 == card.sha256


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("form", ["pickle", "zip", "legacy"])
def test_case_41_a_pickle_in_place_of_the_weights_is_not_run(name, form, made, a_store, tmp_path):
    folder, marker = made(name), tmp_path / "marker"
    path = folder / KINDS[name].weights
    value = {"state_dict": {"a": torch.zeros(2)}, "b": Runs(marker)}
    if form == "pickle":
        path.write_bytes(pickle.dumps(value))
    else:
        torch.save(value, path, _use_new_zipfile_serialization=form == "zip")
    know_the_hash(folder, path)
    assert path.name in refused(a_store, folder)
    assert not marker.exists()


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("member", ["../evil", "/tmp/segmentationai-evil", "net/../../evil"])
def test_case_44_a_zip_with_a_member_that_wants_out_writes_nothing(
    name, member, made, a_store, tmp_path
):
    archive = zipped(made(name), tmp_path / "net.zip", [(member, b"x")])
    before = fingerprint(tmp_path, leave_out=[a_store.home])
    assert "net.zip" in refused(a_store, archive)
    assert fingerprint(tmp_path, leave_out=[a_store.home]) == before


@pytest.mark.parametrize("name", EVERY)
def test_case_46_a_web_page_in_place_of_the_weights_is_refused(name, made, a_store):
    folder = made(name)
    path = folder / KINDS[name].weights
    path.write_bytes(b"<!DOCTYPE html><html><body>404 Not found</body></html>")
    know_the_hash(folder, path)
    refused(a_store, folder)


@pytest.mark.parametrize("name", QUICK)
def test_case_46_weights_cut_off_are_refused(name, made, a_store):
    folder = made(name)
    path = folder / KINDS[name].weights
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    know_the_hash(folder, path)
    refused(a_store, folder)


@pytest.mark.parametrize("name", QUICK)
def test_case_46_another_hash_is_refused_and_the_right_one_accepted(name, made, a_store):
    folder = made(name)
    assert "SHA-256" in refused(a_store, folder, sha256="1" * 64)
    right = hashlib.sha256((folder / KINDS[name].weights).read_bytes()).hexdigest()
    if name != "nnU-Net":  # whose hash is of all its files together
        request = InstallRequest(str(folder), "net", sha256=right)
        assert install(a_store, request, check_architecture).card.labels


@pytest.mark.parametrize("name", QUICK)
def test_case_43_numbers_that_are_none_are_refused_with_the_tensors_name(name, made, a_store):
    folder, bent = made(name), []

    def change(tensors):
        key = max(tensors, key=lambda one: tensors[one].size)
        tensors[key].flat[0] = np.nan
        bent.append(key)

    bend(KINDS[name], folder, change)
    assert "NaN" in refused(a_store, folder)
    assert bent


@pytest.mark.parametrize("name", KEYED)
@pytest.mark.parametrize("fault", ["missing", "left over", "channels swapped"])
def test_case_47_other_tensors_are_refused_by_name(name, fault, made, a_store):
    folder, bent = made(name), []

    def change(tensors):
        # nnU-Net names each layer several times, and every name is bent.
        key = next(k for k, a in tensors.items() if a.ndim == 5 and a.shape[0] != a.shape[1])
        alike = [k for k, a in tensors.items() if a.shape == tensors[key].shape]
        alike = [k for k in alike if np.array_equal(tensors[k], tensors[key])]
        for one in alike:
            array = tensors.pop(one) if fault == "missing" else tensors[one]
            if fault == "channels swapped":
                tensors[one] = np.ascontiguousarray(array.swapaxes(0, 1))
        if fault == "left over":
            tensors["one.more.weight"] = np.zeros(3, np.float32)
        bent.extend(alike if fault != "left over" else ["one.more.weight"])

    bend(KINDS[name], folder, change)
    said = refused(a_store, folder)
    assert any(key in said for key in bent), said


@pytest.mark.parametrize("name", QUICK)
def test_case_49_hostile_label_names_are_shown_inert_and_unique(name, made, a_store):
    folder = made(name, HOSTILE_NAMES)
    card = install(a_store, InstallRequest(str(folder), "net"), check_architecture).card
    names = [label.name for label in card.labels]
    assert len(set(names)) == len(HOSTILE_NAMES)
    assert not set("<>\n\x1b\u202e") & set("".join(names))
    assert max(map(len, names)) < 200
