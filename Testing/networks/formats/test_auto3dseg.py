"""Networks of SlicerMONAIAuto3DSeg: the labels of its own inference, written out with MONAI."""

import zipfile

import monai_bundles as book
import numpy as np
import pytest
import torch
from auto3dseg_files import CT, NETWORK, ROWS, a_table, a_zip, run_of_the_extension

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.core.files import read_volume
from SegmentationAILib.networks.expected_shapes import check_architecture
from SegmentationAILib.networks.formats.auto3dseg import card_from_settings
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.segmenter import open_segmenter
from SegmentationAILib.networks.store import NetworkStore

TIE = 1e-3
SETTINGS = {
    "CT": {},
    "MR, spacing near enough": {
        "normalize_mode": "meanstd", "resample_resolution": [1.0, 0.9, 3.0],
    },
    "tanh, not cropped, as stored": {
        "normalize_mode": "meanstdtanh", "crop_foreground": False, "orientation_ras": False,
    },
    "PET": {"normalize_mode": "pet"},
}  # fmt: skip

# One of them in `make test`; each takes 4 s.
MARKED = [n if n == "CT" else pytest.param(n, marks=pytest.mark.slow) for n in SETTINGS]


@pytest.mark.parametrize("name", MARKED)
def test_labels_equal_the_extensions_own_and_keep_names_and_codes(name, tmp_path):
    settings = {**CT, **SETTINGS[name]}
    network = a_zip(tmp_path / "net.zip", settings)
    volume = book.a_scan()
    scan = book.saved(volume, tmp_path)
    theirs, margin = run_of_the_extension(network, settings, scan)
    store = NetworkStore(tmp_path / "home")
    card = install(store, InstallRequest(str(tmp_path / "net.zip")), check_architecture).card
    liver, lump = card.labels
    assert (liver.name, lump.name, lump.terminology) == ("liver", "a lump", None)
    assert liver.terminology.type.value == "10200004"
    assert liver.terminology.category.meaning == "Anatomical Structure"
    segmenter = open_segmenter("net", "cpu", "fp32", store)
    ours = segmenter.segment(read_volume(tmp_path / "channel_0.nii.gz")).labelmap.layers[0]
    theirs = theirs.astype(int)
    differ = ours != theirs
    print(f"{name}: {differ.sum()} of {differ.size}, {np.bincount(theirs.ravel())}")
    assert len(np.unique(theirs)) >= 2
    assert margin[differ].max(initial=0.0) < TIE


REFUSED = {
    "overlapping labels": ({"sigmoid": True}, ROWS, "sigmoid"),
    "a normalization that is not known": ({"normalize_mode": "log"}, ROWS, "normalize_mode"),
    "an expression": (
        {"network": {**NETWORK, "init_filters": "$__import__('os').getpid()"}}, ROWS, "expression",
    ),
    "another class": (
        {"network": {**NETWORK, "_target_": "os.system"}}, ROWS, "names the network",
    ),
    "labels of other values": ({}, ROWS[:1], "the network has 1 to 2"),
    "a value twice": ({}, [ROWS[0], ROWS[0]], "the network has 1 to 2"),
    "a value that is no number": ({}, [["x", *ROWS[0][1:]], ROWS[1]], "LabelValue"),
    "patches without a size": ({"roi_size": [16, 20]}, ROWS, "roi_size"),
    "channels of which nothing is said": (
        {"network": {**NETWORK, "in_channels": 2}}, ROWS, "2 channels",
    ),
    "a flag that is none": ({"crop_foreground": "yes"}, ROWS, "crop_foreground yes"),
    "bounds that are none": ({"intensity_bounds": [170, -50]}, ROWS, "intensity_bounds"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_run_is_refused_by_name(name):
    changed, rows, words = REFUSED[name]
    with pytest.raises(WeightsError, match=words):
        card_from_settings({**CT, **changed}, a_table(rows), "net", "0" * 64)
    assert card_from_settings(CT, a_table(), "net", "0" * 64).architecture.name == "segresnet"


def test_a_network_whose_result_the_extension_cleans_is_refused_by_name():
    with pytest.raises(WeightsError, match="two largest components"):
        card_from_settings(CT, a_table(), "whole-head-v1.0.0", "0" * 64)


def test_the_faster_kernel_of_a_layer_is_the_same_layer():
    fused = {**CT, "network": {**NETWORK, "norm": "INSTANCE_NVFUSER"}}
    found = card_from_settings(fused, a_table(), "net", "0" * 64)
    assert found.architecture == card_from_settings(CT, a_table(), "net", "0" * 64).architecture


def test_markup_in_names_is_shown_as_text_and_names_are_unique():
    rows = [["1", "<b>x</b>", *ROWS[0][2:]], ["2", "<b>x</b>", *ROWS[1][2:]]]
    one, other = card_from_settings(CT, a_table(rows), "net", "0" * 64).labels
    assert "<" not in one.name
    assert one.name != other.name


def test_two_networks_in_one_zip_are_refused(tmp_path):
    a_zip(tmp_path / "net.zip", CT)
    with zipfile.ZipFile(tmp_path / "net.zip", "a") as archive:
        archive.writestr("other/labels.csv", a_table())
        archive.writestr("other/model.pt", b"PK")
    store = NetworkStore(tmp_path / "home")
    with pytest.raises(WeightsError, match="2 networks"):
        install(store, InstallRequest(str(tmp_path / "net.zip")), check_architecture)


def test_a_checkpoint_without_settings_is_refused(tmp_path):
    torch.save({"state_dict": {"w": torch.zeros(3)}}, tmp_path / "model.pt")
    (tmp_path / "labels.csv").write_bytes(a_table())
    store = NetworkStore(tmp_path / "home")
    with pytest.raises(WeightsError, match="no config of its network"):
        install(store, InstallRequest(str(tmp_path), "net"), check_architecture)
