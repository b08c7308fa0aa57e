import pytest

from SegmentationAILib.core.offline import OFFLINE_VARIABLE, OfflineError, check_online, is_offline
from SegmentationAILib.networks.download import download


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1", True), ("true", True), ("yes", True), ("0", False), ("", False), (" off ", False)],
)
def test_the_switch_reads_as_people_write_it(monkeypatch, value, expected):
    monkeypatch.setenv(OFFLINE_VARIABLE, value)
    assert is_offline() is expected


def test_without_the_variable_the_network_may_be_used(monkeypatch):
    monkeypatch.delenv(OFFLINE_VARIABLE, raising=False)
    check_online("A download")


def test_a_download_of_weights_opens_no_socket_while_the_switch_is_set(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    monkeypatch.setenv(OFFLINE_VARIABLE, "1")
    with pytest.raises(OfflineError, match=r"weights.example.org.*offline bundle"):
        download("https://weights.example.org/a", tmp_path / "a", "0" * 64)
    assert not list(tmp_path.iterdir())
