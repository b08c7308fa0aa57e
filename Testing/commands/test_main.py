"""The frame of the command line: exit status, one line per error, interruption."""

import io
import sys
import types

import pytest

from SegmentationAILib import __main__ as program
from SegmentationAILib.core.errors import Cancelled, GeometryError


@pytest.fixture
def a_command(monkeypatch):
    """Install a command whose run does what the test says."""

    def install(run):
        command = types.SimpleNamespace(__doc__="A command.", add_arguments=lambda _: None, run=run)
        monkeypatch.setattr(program.importlib, "import_module", lambda *_: command)

    return install


def raising(error):
    def run(_):
        raise error

    return run


def test_success_is_zero_and_a_partial_batch_is_one(a_command):
    a_command(lambda _: 0)
    assert program.main(["info"]) == 0
    a_command(lambda _: 1)
    assert program.main(["batch"]) == 1


def test_an_error_is_one_line_without_traceback_and_exit_2(a_command, capsys):
    a_command(raising(GeometryError("Found this,\n expected that; do so.")))
    assert program.main(["info"]) == 2
    assert capsys.readouterr().err == "error: Found this, expected that; do so.\n"


def test_debug_adds_the_traceback(a_command, capsys):
    a_command(raising(GeometryError("Found this.")))
    assert program.main(["info", "--debug"]) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.endswith("error: Found this.\n")


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Cancelled()])
def test_interruption_is_130(a_command, stop):
    a_command(raising(stop))
    assert program.main(["info"]) == 130


def test_a_name_that_the_output_cannot_encode_is_spelled_out(a_command, monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1252"))
    a_command(lambda _: print("Größe of 肝") or 0)
    assert program.main(["info"]) == 0
    sys.stdout.flush()
    assert written.getvalue().decode("cp1252").split() == ["Größe", "of", "\\u809d"]


def test_a_missing_file_is_named(a_command, capsys):
    a_command(raising(FileNotFoundError(2, "No such file or directory", "scan.nii")))
    assert program.main(["info"]) == 2
    assert capsys.readouterr().err == "error: No such file or directory: scan.nii\n"


def test_an_unknown_command_or_option_is_one_line(capsys):
    with pytest.raises(SystemExit) as stopped:
        program.main(["frobnicate"])
    assert stopped.value.code == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("error: ")


def test_help_lists_every_command(capsys):
    with pytest.raises(SystemExit) as stopped:
        program.main(["--help"])
    assert stopped.value.code == 0
    out = capsys.readouterr().out
    assert all(name in out for name in program.COMMANDS)


@pytest.mark.parametrize("command", program.COMMANDS)
def test_every_command_explains_itself_with_examples(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        program.main([command, "--help"])
    assert stopped.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: segmentationai {command} ")
    assert f"  segmentationai {command} " in out
    assert "\\\\" not in out, "a line is continued by one backslash"
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize("action", ["list", "show", "install", "remove", "export"])
def test_every_action_on_networks_explains_itself_with_examples(action, capsys):
    with pytest.raises(SystemExit) as stopped:
        program.main(["networks", action, "--help"])
    assert stopped.value.code == 0
    assert f"  segmentationai networks {action}" in capsys.readouterr().out
