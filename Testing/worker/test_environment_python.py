"""The interpreter that the worker gets: a virtual environment, also of one laid out as Slicer's."""

import shutil
import sys
import sysconfig
from pathlib import Path

import pytest
from tiny_wheels import run_in, source_of, tiny_set

from SegmentationAILib.worker import environment as environment_module
from SegmentationAILib.worker.environment import WorkerEnvironment
from SegmentationAILib.worker.environment_error import WorkerEnvironmentError
from SegmentationAILib.worker.host_python import (
    facts_of,
    host_python,
    make_venv,
    python_of_venv,
)
from SegmentationAILib.worker.process import WorkerPython

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def an_interpreter_like_slicers(tmp_path):
    """`bin/python-real` and the standard library in `lib/Python`, which PYTHONHOME names.

    Stands in for PythonSlicer on Linux; does not check macOS, Windows, or Slicer's own libraries.
    """
    base = Path(sys.base_prefix)
    root = tmp_path / "Slicer-5.11"
    home = root / "lib" / "Python"
    (root / "bin").mkdir(parents=True)
    (home / "lib").mkdir(parents=True)
    shutil.copy(base / "bin" / f"python{VERSION}", root / "bin" / "python-real")
    (home / "lib" / f"python{VERSION}").symlink_to(sysconfig.get_path("stdlib"))
    variables = {"PYTHONHOME": str(home), "LD_LIBRARY_PATH": str(base / "lib")}
    return WorkerPython(root / "bin" / "python-real", (), ("-P", "-s"), variables)


def test_the_host_is_this_interpreter_and_answers():
    facts = facts_of(host_python())
    assert facts.base_prefix == Path(sys.base_prefix)
    assert facts.version == sys.version_info[:2]


def test_inside_slicer_the_real_interpreter_beside_the_program_is_taken(
    an_interpreter_like_slicers, monkeypatch
):
    real = an_interpreter_like_slicers.executable
    monkeypatch.setattr(sys, "executable", str(real.parent / "SlicerApp-real"))
    monkeypatch.setattr(sys, "base_prefix", an_interpreter_like_slicers.variables["PYTHONHOME"])
    monkeypatch.setenv("PYTHONHOME", an_interpreter_like_slicers.variables["PYTHONHOME"])
    host = host_python()
    assert host.executable == real
    assert host.flags == ("-P", "-s")
    assert facts_of(host).base_prefix == Path(an_interpreter_like_slicers.variables["PYTHONHOME"])


def test_a_host_without_an_interpreter_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "Slicer"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WorkerEnvironmentError, match="cannot be started") as caught:
        host_python()
    assert caught.value.kind == "python"


def test_a_venv_of_an_interpreter_like_slicers_finds_its_library_without_pythonhome(
    an_interpreter_like_slicers, tmp_path, monkeypatch
):
    # Slicer's launcher sets this one for every process below it.
    monkeypatch.setenv("LD_LIBRARY_PATH", an_interpreter_like_slicers.variables["LD_LIBRARY_PATH"])
    monkeypatch.setenv("PYTHONHOME", "a folder that the worker must not be led to")
    assert make_venv(an_interpreter_like_slicers, tmp_path / "venv")
    facts = facts_of(python_of_venv(tmp_path / "venv"))
    assert facts.prefix == tmp_path / "venv"
    assert facts.base_prefix == Path(an_interpreter_like_slicers.variables["PYTHONHOME"])


def test_an_environment_of_an_interpreter_like_slicers_works_as_a_whole(
    an_interpreter_like_slicers, tmp_path, monkeypatch
):
    monkeypatch.setenv("LD_LIBRARY_PATH", an_interpreter_like_slicers.variables["LD_LIBRARY_PATH"])
    monkeypatch.setattr(environment_module, "host_python", lambda: an_interpreter_like_slicers)
    tiny_set(tmp_path / "wheels")
    environment = WorkerEnvironment(tmp_path / "environment")
    environment.make(source_of(tmp_path / "wheels"))
    python = environment.python()
    assert python.flags == ("-I",)
    assert run_in(python, "import tiny_net, sys; print(sys.base_prefix)") == str(
        an_interpreter_like_slicers.variables["PYTHONHOME"]
    )


def test_without_a_working_venv_nothing_is_left(tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    assert not make_venv(WorkerPython(broken), tmp_path / "venv")
    assert list(tmp_path.iterdir()) == [broken]
