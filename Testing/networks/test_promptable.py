"""Networks that answer prompts: they are told apart from those that segment whole volumes."""

import numpy as np
import pytest
from network_files import network_folder, tiny_card

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.networks.card_reader import card_from_json, card_to_json
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.segmenter import open_segmenter
from SegmentationAILib.networks.store import NetworkStore
from SegmentationAILib.refine.click_network import open_click


def an_installed(a_home, **card):
    store = NetworkStore(a_home)
    folder = network_folder(a_home / "mine", **card)
    install(store, InstallRequest(str(folder)), lambda card, weights: None)
    return store


def test_a_card_tells_whether_its_network_answers_prompts():
    for told in (True, False):
        card = card_from_json(tiny_card(promptable=told), "card.json")
        assert card.promptable is told
        assert card_from_json(card_to_json(card), "card.json") == card
    assert not card_from_json(tiny_card(), "card.json").promptable


def test_a_promptable_network_is_refused_for_a_whole_volume(a_home):
    store = an_installed(a_home, promptable=True)
    with pytest.raises(WeightsError, match="answers prompts and segments nothing by itself"):
        open_segmenter("mine", store=store)


def test_an_automatic_network_is_refused_as_one_that_answers_prompts(a_home):
    an_installed(a_home)
    volume = Volume(np.zeros((1, 8, 9, 7), np.float32), np.eye(4))
    with pytest.raises(WeightsError, match="mine does not answer prompts"):
        open_click(volume, "mine", "", "cpu")
