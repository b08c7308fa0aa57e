"""What `serve` refuses before it listens."""

import signal
import socket
import subprocess
import sys
import time

import pytest
from loopback_server import CERTIFICATE
from threshold_network import threshold_network_folder

from SegmentationAILib.__main__ import main
from SegmentationAILib.commands.serve import is_loopback
from SegmentationAILib.core.errors import Cancelled
from SegmentationAILib.worker.client import RemoteWorker

from phantoms import sphere_volume

TLS = ["--tls-cert", str(CERTIFICATE), "--tls-key", str(CERTIFICATE)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "0.0.0.0"], "is reached from other machines"),
        (["--host", "0.0.0.0", *TLS], "is reached from other machines"),
        (["--host", "0.0.0.0", "--token-file", "tokens"], "is reached from other machines"),
        (["--host", "::"], "is reached from other machines"),
        (["--host", "0.0.0.0", "--token-file", "tokens", *TLS], "guessed over a network"),
        (["--host", "no such name"], "is not known"),
        (["--tls-cert", "tokens"], "given together"),
        (["--tls-cert", "tokens", "--tls-key", "tokens"], "not a certificate and its key"),
        (["--tls-cert", "absent", "--tls-key", "absent"], "not a certificate and its key"),
        (["--token-file", "absent"], "cannot be read"),
        (["--token-file", "empty"], "holds 0 tokens"),
        (["--max-body-mb", "0"], "1 or more"),
        (["--port", "70000"], "cannot be used"),
    ],
)
def test_what_is_not_safe_is_refused_in_one_line(
    words, said, a_home, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tokens").write_text("short\n")
    (tmp_path / "empty").write_text("")
    assert main(["serve", *words]) == 2
    error = capsys.readouterr().err
    assert error.count("error: ") == 1
    assert said in error


def test_a_port_that_is_taken_is_said(a_home, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 2
    assert "another program listens there; choose another with --port" in capsys.readouterr().err


@pytest.mark.slow
def test_ctrl_c_ends_a_server_and_its_run_with_130(a_home, tmp_path):
    install_words = ["networks", "install", str(threshold_network_folder(tmp_path / "net"))]
    assert main(install_words) == 0
    words = [sys.executable, "-m", "SegmentationAILib", "serve", "--port", "0"]
    with subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where these tests run as a background job of a shell, Ctrl-C is ignored and that is
        # inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as server:
        address = server.stdout.readline().split(" at ")[1].strip()
        token = (a_home / "serve-token.txt").read_text().strip()
        worker = RemoteWorker(address, token)
        call = worker.segment(sphere_volume(), None, "net", {"overlap": 0.9})
        while call.last_event.kind != "progress":
            time.sleep(0.01)
        server.send_signal(signal.SIGINT)
        with pytest.raises(Cancelled):
            call.result(10)
        assert server.wait(10) == 130
        assert "Traceback" not in server.stderr.read()


def test_loopback_is_told_from_other_addresses():
    assert is_loopback("127.0.0.1")
    assert is_loopback("localhost")
    assert is_loopback("127.8.9.1")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("192.0.2.7")
    assert not is_loopback("")
