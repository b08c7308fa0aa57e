import json

import pytest
from network_files import network_folder

from SegmentationAILib.__main__ import main

pytestmark = pytest.mark.usefixtures("a_home")
FACTS = {
    "id", "title", "modality", "task", "labels", "license", "installed", "weights_sha256",
    "spacing_mm", "patch_size",
}  # fmt: skip


def run(capsys, *words):
    status = main(["networks", *map(str, words)])
    said = capsys.readouterr()
    return status, said.out, said.err


def listed(capsys):
    status, out, _ = run(capsys, "list", "--json")
    assert status == 0
    return {row["id"]: row for row in json.loads(out)}


def test_the_list_has_the_facts_of_the_contract(capsys):
    rows = listed(capsys)
    assert all(row.keys() >= FACTS for row in rows.values())
    subcortical = rows["subcortical"]
    assert subcortical["installed"] is False
    assert subcortical["license"] == "MIT"
    assert {"value": 14, "name": "Hippocampus"} in subcortical["labels"]
    assert subcortical["spacing_mm"] == [1, 1, 1]
    assert "mindgrab" not in rows


def test_the_table_names_every_network_and_its_state(capsys, tmp_path):
    run(capsys, "install", network_folder(tmp_path / "mine"))
    lines = run(capsys, "list")[1].splitlines()
    assert lines[0].split()[:2] == ["ID", "state"]
    states = {line.split()[0]: line.split()[1] for line in lines[1:]}
    assert states["mine"] == "installed"
    assert states["subcortical"] == "available"


def test_a_network_goes_in_out_and_in_again(capsys, tmp_path):
    status, out, _ = run(capsys, "install", network_folder(tmp_path / "mine"), "--json")
    assert (status, json.loads(out)["installed"]) == (0, True)
    assert run(capsys, "export", "mine", tmp_path / "mine.zip")[0] == 0
    assert run(capsys, "remove", "mine")[0] == 0
    assert "mine" not in listed(capsys)
    assert run(capsys, "install", tmp_path / "mine.zip", "--id", "again")[0] == 0
    assert listed(capsys)["again"]["labels"] == [
        {"value": 7, "name": "Liver"},
        {"value": 3, "name": "Spleen"},
    ]


def test_show_prints_labels_with_codes_and_limits(capsys, tmp_path):
    run(capsys, "install", network_folder(tmp_path / "mine"))
    out = run(capsys, "show", "mine")[1]
    assert "SCT 10200004 Liver" in out
    assert "- Knows nothing." in out
    card = json.loads(run(capsys, "show", "mine", "--json")[1])["card"]
    assert card["architecture"]["name"] == "meshnet"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "nothing"], "no network nothing"),
        (["remove", "subcortical"], "is not installed"),
        (["export", "subcortical", "a.zip"], "not installed"),
        (["install", "nowhere"], "neither a file or folder"),
        (["install", "https://example.org/net.zip"], "--sha256"),
        (["install", "http://example.org/net.zip", "--sha256", "0" * 64], "https"),
        (["install", "https://example.org/net.zip", "--sha256", "abc"], "64 hexadecimal"),
        (["show", "../x"], "cannot be the ID"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_two(capsys, words, said):
    status, _, err = run(capsys, *words)
    assert status == 2
    assert err.startswith("error: ")
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_wrong_hash_is_refused_and_nothing_installed(capsys, tmp_path):
    folder = network_folder(tmp_path / "mine")
    status, _, err = run(capsys, "install", folder, "--sha256", "0" * 64)
    assert status == 2
    assert "SHA-256" in err
    assert "mine" not in listed(capsys)


def test_weights_that_do_not_fit_their_card_are_refused(capsys, tmp_path):
    parameters = {"in_channels": 1, "channels": 4, "out_channels": 3, "dilations": [1],
                  "activation": "relu"}  # fmt: skip
    architecture = {"name": "meshnet", "parameters": parameters}
    folder = network_folder(tmp_path / "mine", architecture=architecture)
    status, _, err = run(capsys, "install", folder)
    assert status == 2
    assert "model.0.weight has shape (2, 1, 3, 3, 3), not (4, 1, 3, 3, 3)" in err


@pytest.mark.parametrize("folder", ["subcortical", "mindgrab", "sae_robust_tissue"])
def test_third_party_networks_install_from_their_own_files(capsys, the_weights, folder):
    status, out, err = run(capsys, "install", the_weights / folder, "--json")
    assert status == 0
    row = json.loads(out)
    assert row["id"] == folder
    assert ("states no license" in err) == (row["license"] == "unstated")
    assert run(capsys, "install", the_weights / folder)[0] == 2
