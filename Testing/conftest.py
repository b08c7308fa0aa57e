"""Fixtures shared by all tests: oblique volumes, the shared data and weights folders."""

import os
from pathlib import Path

import pytest

from SegmentationAILib.core.volume import Volume

from phantoms import oblique_affine, sphere_volume

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


@pytest.fixture(scope="session")
def the_data() -> Path:
    """Folder with real volumes beside the repository; the test skips where it is absent."""
    return _shared_folder("data")


@pytest.fixture(scope="session")
def the_weights() -> Path:
    """Folder with real pretrained weights beside the repository."""
    return _shared_folder("weights")


@pytest.fixture
def an_affine():
    """Oblique and anisotropic: a cube at the origin hides every axis mistake."""
    return oblique_affine()


@pytest.fixture
def a_sphere_volume() -> Volume:
    """A sphere of known centre and radius (see `phantoms.sphere_volume`)."""
    return sphere_volume()


@pytest.fixture
def a_home(tmp_path, monkeypatch) -> Path:
    """An empty folder in which everything that the program keeps is kept."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("SEGMENTATIONAI_HOME", str(home))
    return home


@pytest.fixture(scope="module")
def a_worker_home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def a_worker(a_worker_home):
    """A real worker process with a home of its own."""
    from SegmentationAILib.worker.client import LocalWorker

    worker = LocalWorker(home=a_worker_home)
    yield worker
    worker.close()


def _shared_folder(name: str) -> Path:
    folder = Path(os.environ.get("SEGMENTATIONAI_SHARED", SHARED)) / name
    if not folder.is_dir():
        pytest.skip(f"the folder shared/{name} is not beside the repository")
    return folder
