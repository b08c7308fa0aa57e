"""Case 46: downloads that go wrong, with their harmless twin."""

import hashlib

import pytest
from loopback_server import loopback_server

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks import download as download_module
from SegmentationAILib.networks.download import download

DATA = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def an_old_file(tmp_path, monkeypatch):
    monkeypatch.setattr(download_module, "SECONDS_BETWEEN_TRIES", 0.0)
    (tmp_path / "net").write_bytes(b"the old network")
    return tmp_path / "net"


def redirect(request):
    request.send(b"", 302, Location="http://example.org/net")


WRONG_ANSWERS = {
    "wrong hash": (lambda request: request.send(DATA[:-1] + b"x"), "not the one expected"),
    "HTML": (
        lambda r: r.send(b"<html>404</html>", Content_Type="text/html; charset=a"),
        "web page",
    ),
    "HTML that says it is binary": (lambda request: request.send(b"<html>404</html>"), "SHA-256"),
    "redirect to http": (redirect, "not https"),
    "not found": (lambda request: request.send(b"", 404), "404"),
    "truncated each time": (lambda r: r.send_from_range(DATA, 100_000), "broke off 4 times"),
    "empty": (lambda request: request.send(b""), "SHA-256"),
}


@pytest.mark.parametrize("name", WRONG_ANSWERS)
def test_case_46_the_old_file_stays_when_a_download_goes_wrong(an_old_file, name):
    answer, said = WRONG_ANSWERS[name]
    with loopback_server(answer) as server, pytest.raises(WeightsError, match=said):
        download(f"{server.url}/net", an_old_file, SHA256)
    assert an_old_file.read_bytes() == b"the old network"


def test_case_46_a_server_that_is_gone_at_half_is_resumed(an_old_file):
    with loopback_server(lambda r: r.send_from_range(DATA, len(DATA) // 2)) as server:
        download(f"{server.url}/net", an_old_file, SHA256)
    assert an_old_file.read_bytes() == DATA
    # Halves of halves: each try went on from where the one before ended.
    starts = [int(wanted[6:-1]) if wanted else 0 for _, _, wanted in server.log]
    assert starts == sorted(set(starts))
    assert len(starts) > 1


def test_case_46_a_server_that_is_gone_for_good_leaves_a_part_to_resume(an_old_file):
    with loopback_server(lambda r: r.send_from_range(DATA, 1000)) as server:
        address = f"{server.url}/net"
        with pytest.raises(WeightsError, match="goes on from there"):
            download(address, an_old_file, SHA256)
    part = an_old_file.with_name("net.part")
    assert part.read_bytes() == DATA[: 4 * 1000]
    with loopback_server(lambda request: request.send_from_range(DATA)) as server:
        download(f"{server.url}/net", an_old_file, SHA256)
    assert server.log[0][2] == "bytes=4000-"
    assert an_old_file.read_bytes() == DATA


def test_case_46_twin_a_whole_download_replaces_the_old_file(an_old_file):
    with loopback_server(lambda request: request.send(DATA)) as server:
        download(f"{server.url}/net", an_old_file, SHA256)
    assert an_old_file.read_bytes() == DATA
