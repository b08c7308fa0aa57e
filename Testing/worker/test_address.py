"""Addresses, proxies and certificates: what is refused, and in which words."""

import socket
import ssl

import pytest
from loopback_server import CERTIFICATE, loopback_server

from SegmentationAILib.worker import address as address_module
from SegmentationAILib.worker.address import address_of
from SegmentationAILib.worker.client import RemoteWorker, WorkerError

TOKEN = "a-token-of-the-tests"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://10.0.0.5:8470", "has to begin with https"),
        ("http://gpu.example.org", "has to begin with https"),
        ("ftp://127.0.0.1", "is not an address"),
        ("127.0.0.1:8470", "is not an address"),
        ("https://", "is not an address"),
        ("https://a:99999", "is not an address"),
        ("https://user:secret@a", "is not an address"),
        ("https://a/?x=1", "is not an address"),
    ],
)
def test_an_address_that_is_none_or_not_safe_is_refused(url, said):
    with pytest.raises(WorkerError, match=said):
        address_of(url, TOKEN)


@pytest.mark.parametrize("token", ["", "a\nb", "schlüssel"])
def test_a_token_that_cannot_be_one_is_refused(token):
    with pytest.raises(WorkerError, match="token"):
        address_of("https://a", token)


def test_addresses_keep_host_port_and_prefix():
    assert address_of("https://GPU.example.org", TOKEN).shown == "https://gpu.example.org:443"
    assert address_of("https://a:8470/here/", TOKEN).shown == "https://a:8470/here"
    assert address_of("http://127.0.0.1:1", TOKEN).port == 1
    assert TOKEN not in repr(address_of("https://a", TOKEN))


def test_where_nothing_listens_is_said():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(WorkerError, match="Nothing listens"):
        RemoteWorker(f"https://127.0.0.1:{port}", TOKEN).health()


def test_another_program_is_not_taken_for_a_worker():
    with (
        loopback_server(lambda request: request.send(b'{"status": "ok"}')) as server,
        pytest.raises(WorkerError, match="not a SegmentationAI server"),
    ):
        RemoteWorker(server.url, TOKEN).health()


def test_a_server_of_another_version_is_refused_before_anything_is_sent(a_sphere_volume):
    facts = b'{"program": "segmentationai", "version": "7.0", "protocol": 99}'
    with loopback_server(lambda request: request.send(facts)) as server:
        call = RemoteWorker(server.url, TOKEN).segment(a_sphere_volume, None, "net")
        with pytest.raises(WorkerError, match=r"version 7\.0 and speaks protocol 99"):
            call.result(20)
        assert [path for _, path, _ in server.log] == ["/health"]


def test_a_certificate_is_trusted_by_its_ca_file_alone():
    facts = b'{"program": "segmentationai", "version": "0.1.0", "protocol": 1}'
    with loopback_server(lambda request: request.send(facts), encrypted=True) as server:
        with pytest.raises(WorkerError, match=r"is not trusted.*--ca-file"):
            RemoteWorker(server.url, TOKEN).health()
        with pytest.raises(WorkerError, match=r"CA file nowhere\.pem is not there"):
            RemoteWorker(server.url, TOKEN, CERTIFICATE.with_name("nowhere.pem")).health()
        assert RemoteWorker(server.url, TOKEN, CERTIFICATE).health()["protocol"] == 1


def test_tls_with_a_server_that_speaks_none_is_said():
    with (
        loopback_server(lambda request: request.send(b"{}")) as server,
        pytest.raises(WorkerError, match="does not answer in TLS"),
    ):
        RemoteWorker(server.url.replace("http:", "https:"), TOKEN, CERTIFICATE).health()


def test_another_machine_is_reached_through_the_systems_proxy(monkeypatch):
    with loopback_server(lambda request: request.send(b"", 407)) as proxy:
        for name in ("https_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.url.replace("http://", "http://me:secret@"))
        monkeypatch.setenv("no_proxy", "")
        with pytest.raises(WorkerError, match="407"):
            RemoteWorker("https://gpu.example.org:8470", TOKEN).health()
        assert [(method, path) for method, path, _ in proxy.log] == [
            ("CONNECT", "gpu.example.org:8470")
        ]


def test_this_machine_is_never_reached_through_a_proxy(monkeypatch):
    facts = b'{"program": "segmentationai", "version": "0.1.0", "protocol": 1}'
    monkeypatch.setenv("https_proxy", "http://192.0.2.1:1")
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:1")
    with loopback_server(lambda request: request.send(facts), encrypted=True) as server:
        assert RemoteWorker(server.url, TOKEN, CERTIFICATE).health()["protocol"] == 1


def test_a_proxy_that_hangs_is_given_up_in_time(monkeypatch):
    monkeypatch.setattr(address_module, "CONNECT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "")
        address = address_of("https://gpu.example.org:8470", TOKEN)
        with pytest.raises(WorkerError, match="does not answer"):
            address.ask("GET", "/health", 0.3)


def test_the_names_of_tls_faults_are_those_of_the_library():
    """The sentences above hang on these kinds of errors; a change in Python shows here."""
    assert issubclass(ssl.SSLCertVerificationError, ssl.SSLError)
    assert issubclass(ssl.SSLError, OSError)
