import json

import jsonschema
import pytest
from network_files import tiny_card

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks.card_reader import (
    card_from_bytes,
    card_from_json,
    card_to_json,
    write_card,
)
from SegmentationAILib.networks.catalog import catalog, read_catalog
from SegmentationAILib.networks.weights import sha256_of
from SegmentationAILib.resources import resource

EVERY_CARD = [*catalog().cards, *catalog().recognized]


def changed(path, value):
    card = json.loads(json.dumps(tiny_card()))
    place = card
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return card


def test_a_card_says_what_its_json_says():
    card = card_from_json(tiny_card(), "tiny")
    assert [(label.value, label.name) for label in card.labels] == [(7, "Liver"), (3, "Spleen")]
    assert card.labels[0].color == (1.0, 0.0, 0.2)
    assert str(card.labels[0].terminology.type) == "SCT^10200004^Liver"
    assert card.labels[1].terminology is None
    assert card.spacing_mm == (1.0, 1.5, 2.0)
    assert card.patch_size == (32, 48, 64)
    assert card.intensity.number("high", 0) == 98.0
    assert card.architecture.arguments()["dilations"] == (1,)


def test_channels_map_to_label_values_with_background_first():
    softmax = card_from_json(tiny_card(), "tiny")
    assert softmax.channel_values == (0, 7, 3)
    assert softmax.out_channels == 3
    arguments = {"name": "meshnet", "parameters": {"out_channels": 2}}
    sigmoid = card_from_json(tiny_card(output="sigmoid", architecture=arguments), "tiny")
    assert sigmoid.channel_values == (7, 3)


@pytest.mark.parametrize("card", EVERY_CARD, ids=lambda card: card.id)
def test_every_card_survives_json(card, tmp_path):
    write_card(card, tmp_path / "card.json")
    assert card_from_bytes((tmp_path / "card.json").read_bytes(), "card.json") == card
    assert card_from_json(card_to_json(card), "again") == card


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["labels", 1, "value"], 7, "same value"),
        (["labels", 0, "value"], 0, "labels/0/value"),
        (["labels", 0, "color"], [0, 0, 300], "color"),
        (["architecture", "parameters", "out_channels"], 4, "3 channels"),
        (["architecture", "parameters", "in_channels"], 2, "in_channels"),
        (["architecture", "parameters", "_target_"], "os.system", "_target_"),
        (["architecture", "parameters", "activation"], "$__import__('os')", "activation"),
        (["architecture", "parameters", "dilations"], {"a": 1}, "dilations"),
        (["architecture", "name"], "../evil", "name"),
        (["channels"], [{"role": "t1"}, {"role": "t1"}], "same role"),
        (["address"], "http://example.org/a", "address"),
        (["address"], "file:///etc/passwd", "address"),
        (["file"], "weights/../../x.safetensors", "file"),
        (["id"], "../x", "id"),
        (["id"], "tiny\n", "id"),
        (["orientation"], "RAR", "orientation"),
        (["overlap"], 1.0, "overlap"),
        (["spacing_mm"], [1, 1, 0], "spacing_mm"),
        (["sha256"], "abc", "sha256"),
        (["unknown"], 1, "unknown"),
        (["divisible_by"], 7, "does not divide"),
        (["intensity", "rule"], "eval", "rule"),
        (["intensity", "low"], 99, "intensity rule"),
        (["intensity", "surprise"], 1, "intensity rule"),
    ],
)
def test_a_card_that_is_wrong_in_one_place_is_refused_with_the_place(path, value, said):
    with pytest.raises(WeightsError, match=said):
        card_from_json(changed(path, value), "tiny")


@pytest.mark.parametrize(
    "text",
    [
        '{"id": "a", "id": "b"}', '{"overlap": NaN}', '{"overlap": Infinity}', "[" * 5000, "{",
        "\xff", '{"a": ' + "9" * 5000 + "}",
    ],
)  # fmt: skip
def test_json_that_two_readers_would_read_differently_is_refused(text):
    with pytest.raises(WeightsError):
        card_from_bytes(text.encode("latin-1"), "card.json")


def test_the_schema_is_a_schema():
    schema = json.loads(resource("networks.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)


def test_listed_networks_are_free_to_use_and_recognized_ones_have_no_address():
    assert {card.license.use for card in catalog().cards} <= {"free", "research-only"}
    assert not any(card.address or card.file for card in catalog().recognized)
    assert all(card.paper or card.file for card in catalog().cards)


def test_every_code_and_its_meaning_are_those_of_slicers_terminology():
    slicer = pytest.importorskip("trame_slicer")
    folder = next(p for p in slicer.__path__) + "/resources/terminologies"
    known = codes_of(folder)
    for card in EVERY_CARD:
        for label in card.labels:
            for code in (label.terminology.category, label.terminology.type):
                assert (code.scheme, code.value, code.meaning) in known, label.name


def codes_of(folder):
    from pathlib import Path

    known = set()

    def walk(node):
        if isinstance(node, dict):
            if "CodeValue" in node:
                scheme = node["CodingSchemeDesignator"]
                known.add((scheme, node["CodeValue"], node["CodeMeaning"]))
            node = list(node.values())
        if isinstance(node, list):
            for child in node:
                walk(child)

    for path in Path(folder).glob("Segmentation*.term.json"):
        walk(json.loads(path.read_text(encoding="utf-8")))
    return known


@pytest.mark.parametrize("card", EVERY_CARD, ids=lambda card: card.id)
def test_hashes_of_the_catalogue_are_those_of_the_real_files(card, request):
    if card.file:
        assert sha256_of(resource(card.file)) == card.sha256
        return
    path = request.getfixturevalue("the_weights") / card.id / "model.pth"
    assert sha256_of(path) == card.sha256
    assert path.stat().st_size == card.size_bytes


@pytest.mark.parametrize("folder", ["subcortical", "model30chan50cls"])
def test_names_and_colors_are_the_sources(the_weights, folder):
    table = json.loads((the_weights / folder / "colormap.json").read_text(encoding="utf-8"))
    labels = catalog().by_id(folder).labels
    assert [label.name for label in labels] == table["labels"][1:]
    assert [label.value for label in labels] == list(range(1, len(table["labels"])))
    for channel, column in enumerate("RGB"):
        levels = [round(255 * label.color[channel]) for label in labels]
        assert levels == table[column][1:]


@pytest.mark.parametrize("folder", ["model5_gw_ae", "subcortical", "model30chan50cls"])
def test_architectures_are_those_of_the_model_files(the_weights, folder):
    layers = json.loads((the_weights / folder / "model.json").read_text(encoding="utf-8"))["layers"]
    arguments = catalog().by_id(folder).architecture.arguments()
    assert list(arguments["dilations"]) == [layer["dilation"] for layer in layers[:-1]]
    assert arguments["channels"] == layers[0]["out_channels"]
    assert arguments["out_channels"] == layers[-1]["out_channels"]


def test_two_cards_of_one_id_are_refused(tmp_path):
    path = tmp_path / "networks.json"
    cards = [tiny_card(), tiny_card(id="TINY")]
    path.write_text(json.dumps({"version": 1, "networks": cards}), encoding="utf-8")
    with pytest.raises(WeightsError, match="lists an ID twice"):
        read_catalog(path)
