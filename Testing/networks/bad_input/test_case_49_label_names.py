"""Case 49: label names that act, with their harmless twin."""

from network_files import (
    tiny_card,
)

from SegmentationAILib.networks.card_reader import card_from_json

HOSTILE_NAMES = [
    "<img src=x onerror=alert(1)>",
    "line\nbreak",
    "x" * 10_000,
    "Liver",
    "Liver",
    "liver\u202egpj.exe",
    "\x1b[31mred",
    "&#60;b&#62;",
]


def card_with(names):
    labels = [{"value": n + 1, "name": name, "color": [0, 0, 0]} for n, name in enumerate(names)]
    parameters = {"name": "meshnet", "parameters": {"out_channels": len(names) + 1}}
    return card_from_json(tiny_card(labels=labels, architecture=parameters), "tiny")


def test_case_49_hostile_names_are_shown_inert_and_unique():
    names = [label.name for label in card_with(HOSTILE_NAMES).labels]
    assert len(set(names)) == len(HOSTILE_NAMES)
    assert not set("<>\n\x1b\u202e") & set("".join(names))
    assert max(map(len, names)) < 200
    assert names[3:5] == ["Liver", "Liver (2)"]


def test_case_49_twin_ordinary_names_are_the_sources_own():
    names = ["Thalamus-Proper*", "Corpus callosum", "Weiße Substanz & Rand", "3rd-Ventricle", "肝"]
    assert [label.name for label in card_with(names).labels] == names
