"""What `serve` refuses before it listens."""

import socket

import pytest
from loopback_server import CERTIFICATE

from SegmentationAILib.__main__ import main
from SegmentationAILib.commands.serve import is_loopback

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


def test_loopback_is_told_from_other_addresses():
    assert is_loopback("127.0.0.1")
    assert is_loopback("localhost")
    assert is_loopback("127.8.9.1")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("192.0.2.7")
    assert not is_loopback("")
