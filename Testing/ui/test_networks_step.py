"""The step *Networks* beyond the catalogue: addresses, files, updates, terms."""

from dataclasses import replace

from panel_stand_in import CT, FOUR, T1
from PySide6 import QtWidgets


def test_an_address_is_installed_with_its_hash_alone(a_module):
    a_module.panel.open("Networks")
    a_module.find("sourceLine").text = "https://example.org/network.zip"
    assert a_module.find("installFromButton").enabled is False
    a_module.find("shaLine").text = "ab" * 32
    a_module.find("idLine").text = "mine"
    a_module.click("installFromButton")
    assert a_module.logic.asked == [
        ("install", "https://example.org/network.zip", "mine", "ab" * 32)
    ]
    assert a_module.find("sourceLine").text == ""


def test_a_folder_and_a_file_are_chosen_by_a_dialog(a_module, monkeypatch):
    a_module.panel.open("Networks")
    monkeypatch.setattr(QtWidgets.QFileDialog, "getExistingDirectory", lambda *_: "/nets/one")
    a_module.click("folderButton")
    assert a_module.find("sourceLine").text == "/nets/one"
    assert a_module.find("installFromButton").enabled is True
    monkeypatch.setattr(QtWidgets.QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    a_module.click("fileButton")
    assert a_module.find("sourceLine").text == "/nets/one", "nothing was chosen"


def test_an_update_is_offered_where_the_catalogue_has_other_weights(a_module):
    a_module.panel.open("Networks")
    table = a_module.find("networksTable")
    table.selectRow(0)
    assert not a_module.is_shown("updateButton")
    a_module.logic.listed = (replace(T1, has_update=True), FOUR, CT)
    a_module.panel.networks.open()
    assert table.item(0, 2).text() == "update available"
    a_module.click("updateButton")
    assert a_module.logic.asked == [("update", "t1")]
    assert table.item(0, 2).text() == "installed"


def test_terms_origin_and_paper_are_shown(a_module):
    facts = replace(T1, license_text="Free for all.", source="https://o.org", paper="10.1/x")
    a_module.logic.listed = (facts,)
    a_module.panel.open("Networks")
    a_module.find("networksTable").selectRow(0)
    assert a_module.find("licenseLabel").text == "License: free (MIT). Free for all."
    assert a_module.find("cardText").plainText.endswith("Origin: https://o.org. Paper: doi:10.1/x.")
