"""A second interpreter is isolated and finds the packages, also laid out as Slicer's is."""

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import torch

from SegmentationAILib.core.child_python import (
    PUT_FOLDERS,
    child_environment,
    child_words,
    package_folders,
)
from SegmentationAILib.core.files import read_volume
from SegmentationAILib.networks.weights import read_weights

ROOT = Path(__file__).resolve().parents[2] / "SegmentationAI"
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
# What a worker is, as far as its children see: packages from folders put on the path.
IN_THE_WORKER = (
    "import json, sys; from pathlib import Path; sys.path[:0] = sys.argv[1:3];"
    "from SegmentationAILib.core.files import read_volume;"
    "from SegmentationAILib.networks.weights import read_weights;"
    "volume = read_volume(Path(sys.argv[3]));"
    "weights = read_weights(Path(sys.argv[4]));"
    "print(json.dumps([volume.voxels.shape, int(volume.voxels.sum()),"
    " float(weights['a'].sum())]))"
)


@pytest.fixture
def a_python_like_slicers(tmp_path):
    """`bin/python-real` with no packages, whose library PYTHONHOME alone names.

    Stands in for PythonSlicer on Linux; does not check macOS, Windows, or Slicer's own libraries.
    """
    base, home = Path(sys.base_prefix), tmp_path / "Slicer" / "lib" / "Python"
    (tmp_path / "Slicer" / "bin").mkdir(parents=True)
    own_library = home / "lib" / f"python{VERSION}"
    own_library.mkdir(parents=True)
    for entry in Path(sysconfig.get_path("stdlib")).iterdir():
        if not entry.name.endswith("-packages"):
            (own_library / entry.name).symlink_to(entry)
    (own_library / "site-packages").mkdir()
    executable = tmp_path / "Slicer" / "bin" / "python-real"
    shutil.copy(base / "bin" / f"python{VERSION}", executable)
    variables = {"PYTHONHOME": str(home), "LD_LIBRARY_PATH": str(base / "lib")}
    return executable, variables


@pytest.fixture
def a_poisoned_folder(tmp_path):
    """Modules that leave a trace when they are imported."""
    folder = tmp_path / "beside"
    folder.mkdir()
    for name in ("numpy", "pydicom", "torch", "safetensors", "json", "sitecustomize"):
        trace = f"open({str(folder / 'imported')!r}, 'a').write({name!r})\n"
        (folder / f"{name}.py").write_text(trace)
    return folder


def test_children_work_with_packages_in_a_folder_and_a_library_that_pythonhome_names(
    a_python_like_slicers, a_poisoned_folder, the_data, tmp_path
):
    executable, variables = a_python_like_slicers
    torch.save({"a": torch.arange(5.0)}, tmp_path / "net.pt")
    series = the_data / "ct-dicom" / "series"
    (packages,) = package_folders("torch")
    done = subprocess.run(
        [executable, "-P", "-s", "-c", IN_THE_WORKER, packages, ROOT, series, tmp_path / "net.pt"],
        env=child_environment(**variables), cwd=a_poisoned_folder,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    shape, total, weight = json.loads(done.stdout)
    here = read_volume(series).voxels
    assert (tuple(shape), total, weight) == (here.shape, int(here.sum()), 10.0)
    assert not (a_poisoned_folder / "imported").exists()


def test_neither_variables_nor_the_working_directory_take_part(
    a_poisoned_folder, monkeypatch, tmp_path, the_data
):
    monkeypatch.chdir(a_poisoned_folder)
    monkeypatch.setenv("PYTHONPATH", str(a_poisoned_folder))
    torch.save({"a": torch.arange(5.0)}, tmp_path / "net.pt")
    assert read_weights(tmp_path / "net.pt")["a"].sum() == 10
    assert read_volume(the_data / "ct-dicom" / "series").voxels.shape[1:] == (512, 512, 20)
    assert not (a_poisoned_folder / "imported").exists()


def test_folders_stand_behind_the_standard_library_and_before_own_packages(tmp_path):
    show = f"{PUT_FOLDERS}import json; print(json.dumps(sys.path))"
    done = subprocess.run(
        [*child_words(), "-c", show, str(tmp_path)],
        env=child_environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    path = json.loads(done.stdout)
    library = path.index(sysconfig.get_path("stdlib"))
    own = next(n for n, folder in enumerate(path) if folder.endswith("site-packages"))
    assert library < path.index(str(tmp_path)) < own


def test_a_package_that_is_not_there_has_no_folder():
    assert package_folders("numpy_of_nobody") == []
    assert package_folders("torch", "numpy") == [str(Path(torch.__file__).parents[1])]


def test_pythonhome_alone_of_pythons_variables_reaches_a_child(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/poisoned")
    monkeypatch.setenv("PYTHONHOME", "/home/of/library")
    environment = child_environment(OMP_NUM_THREADS="1")
    assert environment["PYTHONHOME"] == "/home/of/library"
    assert environment["OMP_NUM_THREADS"] == "1"
    assert "PYTHONPATH" not in environment
    assert child_words() == [sys.executable, "-P", "-s"]
    monkeypatch.delenv("PYTHONHOME")
    assert child_words() == [sys.executable, "-I"]
