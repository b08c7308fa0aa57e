import stat
import sys

import pytest

from SegmentationAILib import resources
from SegmentationAILib.resources import data_folder, resource


def test_what_ships_is_found_from_source():
    assert resource("networks.json").read_text(encoding="utf-8").startswith("{")


def test_what_ships_is_found_beside_an_installed_library(tmp_path, monkeypatch):
    """Slicer's layout: Resources lies next to the library, not two folders above it."""
    library = tmp_path / "qt-scripted-modules" / "SegmentationAILib"
    places = (library.parents[1] / "Resources", library.parent / "Resources")
    monkeypatch.setattr(resources, "_PLACES", places)
    with pytest.raises(FileNotFoundError, match="install the program again"):
        resource("networks.json")
    places[1].mkdir(parents=True)
    (places[1] / "networks.json").touch()
    assert resource("networks.json") == places[1] / "networks.json"


def test_everything_kept_lies_where_the_variable_says(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGMENTATIONAI_HOME", str(tmp_path / "deep" / "home"))
    assert data_folder() == tmp_path / "deep" / "home"
    assert stat.S_IMODE(data_folder().stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("system", "variable", "below"),
    [
        ("linux", "XDG_DATA_HOME", "segmentationai"),
        ("win32", "LOCALAPPDATA", "SegmentationAI"),
    ],
)
def test_without_it_the_systems_data_folder_is_used(tmp_path, monkeypatch, system, variable, below):
    monkeypatch.delenv("SEGMENTATIONAI_HOME", raising=False)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setenv(variable, str(tmp_path))
    assert data_folder() == tmp_path / below


def test_a_folder_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEGMENTATIONAI_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(OSError, match="home"):
        data_folder()
