import hashlib

import pytest
from loopback_server import CERTIFICATE, loopback_server

from SegmentationAILib.core.errors import Cancelled, WeightsError
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.networks import download as module
from SegmentationAILib.networks.download import check_address, download

DATA = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN_TRIES", 0.0)
    for variable in (*module.CA_VARIABLES, "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)


def test_a_file_arrives_whole_and_progress_names_the_size(tmp_path):
    seen = []
    with loopback_server(lambda request: request.send(DATA)) as server:
        download(
            f"{server.url}/net", tmp_path / "net", SHA256, len(DATA),
            Progress(lambda fraction, sentence: seen.append((fraction, sentence))),
        )  # fmt: skip
    assert (tmp_path / "net").read_bytes() == DATA
    assert [path.name for path in tmp_path.iterdir()] == ["net"]
    assert seen[-1] == (1.0, "Downloading, 1.0 of 1.0 MB")


def test_https_is_trusted_through_the_ca_file_of_the_system_alone(tmp_path, monkeypatch):
    with loopback_server(lambda request: request.send(DATA), encrypted=True) as server:
        with pytest.raises(WeightsError, match="certificate"):
            download(f"{server.url}/net", tmp_path / "net", SHA256)
        assert not list(tmp_path.iterdir())
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        download(f"{server.url}/net", tmp_path / "net", SHA256)
    assert (tmp_path / "net").read_bytes() == DATA


def test_the_proxy_of_the_system_is_asked(tmp_path, monkeypatch):
    with loopback_server(lambda request: request.send(b"", 502)) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with pytest.raises(WeightsError, match="broke off"):
            download("https://weights.example.org/net", tmp_path / "net", SHA256)
    assert {entry[:2] for entry in proxy.log} == {("CONNECT", "weights.example.org:443")}


def test_a_proxy_is_not_asked_for_this_machine_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with loopback_server(lambda request: request.send(DATA)) as server:
        download(f"{server.url}/net", tmp_path / "net", SHA256)
    assert (tmp_path / "net").read_bytes() == DATA


def test_a_kept_part_is_gone_on_from(tmp_path):
    (tmp_path / "net.part").write_bytes(DATA[:1000])
    with loopback_server(lambda request: request.send_from_range(DATA)) as server:
        download(f"{server.url}/net", tmp_path / "net", SHA256)
    assert server.log == [("GET", "/net", "bytes=1000-")]
    assert (tmp_path / "net").read_bytes() == DATA


def test_a_server_that_knows_no_ranges_sends_all_again(tmp_path):
    (tmp_path / "net.part").write_bytes(b"something else")
    with loopback_server(lambda request: request.send(DATA)) as server:
        download(f"{server.url}/net", tmp_path / "net", SHA256)
    assert (tmp_path / "net").read_bytes() == DATA


def test_another_range_than_asked_for_is_refused(tmp_path):
    (tmp_path / "net.part").write_bytes(DATA[:1000])

    def answer(request):
        request.send(DATA, 206, Content_Range=f"bytes 0-{len(DATA) - 1}/{len(DATA)}")

    with (
        loopback_server(answer) as server,
        pytest.raises(WeightsError, match="another part"),
    ):
        download(f"{server.url}/net", tmp_path / "net", SHA256)


def test_more_bytes_than_expected_are_not_written(tmp_path):
    with (
        loopback_server(lambda request: request.send(DATA)) as server,
        pytest.raises(WeightsError, match="1000 were expected"),
    ):
        download(f"{server.url}/net", tmp_path / "net", SHA256, 1000)


def test_cancelling_keeps_what_has_come(tmp_path):
    def cancel(fraction, sentence):
        raise Cancelled

    with (
        loopback_server(lambda request: request.send(DATA)) as server,
        pytest.raises(Cancelled),
    ):
        download(f"{server.url}/net", tmp_path / "net", SHA256, 0, Progress(cancel))
    assert not (tmp_path / "net").exists()
    kept = (tmp_path / "net.part").read_bytes()
    assert kept
    assert DATA.startswith(kept)


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org/a", "ftp://example.org/a", "file:///etc/passwd", "https:///a",
        "http://127.0.0.1.example.org/a", "https://user:pass@example.org/a", "https://[::1/a",
        "data:text/plain,a", "http://10.0.0.1/a", "https://example.org:99999/a",
    ],
)  # fmt: skip
def test_addresses_that_are_not_https_are_refused(address):
    with pytest.raises(WeightsError):
        check_address(address)


@pytest.mark.parametrize(
    "address", ["https://example.org/a", "http://127.0.0.1:80/a", "http://[::1]/a"]
)
def test_https_and_this_machine_are_accepted(address):
    check_address(address)
