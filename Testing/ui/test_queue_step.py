"""The step *Queue* on a logic that answers from memory."""

import pytest
import slicer
from panel_stand_in import CT, T1
from PySide6 import QtCore


@pytest.fixture
def a_queue(a_module, a_scan):
    a_module.logic.listed_scans = (a_scan,)
    a_module.panel.open("Queue")
    return a_module


def test_every_chosen_network_is_asked_for_on_every_chosen_scan(a_queue, a_scan):
    names = a_queue.find("queueNetworks")
    # "Lesions" reads two scans, "Organs" has no address: neither can wait here.
    assert [names.item(row).text() for row in range(names.count)] == [T1.title]
    assert a_queue.find("enqueueButton").enabled is False
    a_queue.check("queueScans", "Scan")
    a_queue.check("queueNetworks", T1.title)
    assert a_queue.find("enqueueButton").text == "Add 1 run"
    a_queue.click("enqueueButton")
    assert a_queue.logic.asked == [("enqueue", (a_scan,), ("t1",))]


def test_states_are_words_and_percent_and_the_chosen_entry_says_more(a_queue):
    a_queue.logic.enqueue((), ())
    table = a_queue.find("queueTable")
    assert [table.item(row, 2).text() for row in range(3)] == ["35%", "waiting", "not done"]
    table.selectRow(2)
    assert a_queue.find("queueLabel").text == "The memory ran out."
    assert a_queue.find("cancelOneButton").enabled is False
    a_queue.click("repeatButton")
    table.selectRow(0)
    a_queue.click("cancelOneButton")
    a_queue.click("cancelAllButton")
    assert a_queue.logic.asked[1:] == [("repeat", 3), ("cancel", 1), "cancel all"]
    a_queue.click("clearButton")
    assert table.rowCount == 2


def test_what_is_ticked_stays_ticked_when_the_list_is_made_anew(a_queue):
    a_queue.check("queueScans", "Scan")
    a_queue.panel.open("Segment")
    a_queue.panel.open("Queue")
    assert a_queue.find("queueScans").item(0).checkState() == QtCore.Qt.Checked


@pytest.mark.parametrize("agrees", [True, False])
def test_nothing_is_queued_without_consent_to_what_has_to_be_set_up(a_queue, agrees, monkeypatch):
    a_queue.logic.question = "An environment is needed. Set it up?"
    a_queue.logic.listed = (T1, CT)
    a_queue.check("queueScans", "Scan")
    a_queue.check("queueNetworks", T1.title)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: agrees)
    a_queue.click("enqueueButton")
    assert bool(a_queue.logic.asked) is agrees
