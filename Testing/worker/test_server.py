"""``segmentationai serve`` as a real process with TLS: the same labels, and what it refuses."""

import contextlib
import http.client
import json
import socket
import ssl
import time

import numpy as np
import pytest
from loopback_server import CERTIFICATE
from served_worker import MAX_BODY_MB, TOKENS

from SegmentationAILib.__main__ import main
from SegmentationAILib.core.errors import Cancelled, PromptError, WeightsError
from SegmentationAILib.core.files import read_labelmap, write_volume
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.worker.client import RefineAsked, RemoteWorker, WorkerError
from SegmentationAILib.worker.frame import Frame, chunks_of_frame
from SegmentationAILib.worker.wire_volumes import frame_of_volumes

from phantoms import oblique_affine, sphere_volume


@pytest.fixture
def ask(a_served_address):
    """A function that sends one request and returns status, headers and body."""
    context = ssl.create_default_context(cafile=str(CERTIFICATE))

    def send(method, path, body=None, token=TOKENS[0], **headers):
        connection = http.client.HTTPSConnection(
            "127.0.0.1", a_served_address[0], context=context, timeout=20
        )
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        # A refusal comes before all of the body was read.
        with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
            connection.request(
                method, path, body, headers, encode_chunked="Transfer-Encoding" in headers
            )
        answer = connection.getresponse()
        answer.held = connection
        return answer

    return send


def a_frame(header, volume=None) -> bytes:
    frame = Frame(header, {}) if volume is None else frame_of_volumes(header, volume, {})
    return b"".join(chunks_of_frame(frame))


def test_labels_are_those_of_a_run_in_this_process(a_remote_worker, the_answer):
    events = []
    result = a_remote_worker.segment(
        sphere_volume(), None, "threshold", {"uncertainty": True}, events.append
    ).result(60)
    np.testing.assert_array_equal(result.labelmap.layers[0], the_answer.labelmap.layers[0])
    assert [label.name for label in result.labelmap.labels] == ["Sphere", "Never"]
    assert result.uncertainty.grid.matches(sphere_volume().grid)
    assert any(e.kind == "progress" for e in events)


def test_the_command_line_writes_the_same_labels_through_the_server(
    a_served_address, a_home, tmp_path, the_answer, capsys
):
    port, tokens = a_served_address
    scan, output, report = tmp_path / "s.nii.gz", tmp_path / "o.seg.nrrd", tmp_path / "r.json"
    write_volume(sphere_volume(), scan)
    status = main(
        ["segment", str(scan), "--network", "threshold", "--output", str(output), "--report",
         str(report), "--server", f"https://127.0.0.1:{port}", "--token-file", str(tokens),
         "--ca-file", str(CERTIFICATE)]
    )  # fmt: skip
    assert status == 0, capsys.readouterr().err
    written = read_labelmap(output)
    mask = written.mask(written.labels[0])
    np.testing.assert_array_equal(mask, the_answer.labelmap.layers[0] == 7)
    facts = json.loads(report.read_text())
    assert set(facts["seconds"]) == {"read", "prepare", "network", "labels", "write", "total"}
    assert facts["labels"][0]["voxels"] == mask.sum()


def test_a_server_without_its_token_file_is_refused_before_reading(a_home, tmp_path, capsys):
    words = ["segment", "absent.nii", "--network", "n", "--output", str(tmp_path / "o.nii")]
    assert main([*words, "--server", "https://127.0.0.1:1"]) == 2
    assert "--server needs --token-file" in capsys.readouterr().err


def test_health_needs_no_token_and_says_version_device_and_load(ask):
    answer = ask("GET", "/health", token=None)
    assert answer.status == 200
    facts = json.loads(answer.read())
    assert facts["version"]
    assert facts["device"]
    assert facts["load"] == {"running": 0, "waiting": 0}


@pytest.mark.parametrize("token", [None, "", "wrong", TOKENS[0][:-1], TOKENS[0] + "x"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/calls/segment"), ("GET", "/calls/x/result"), ("GET", "/"), ("POST", "/health"),
     ("GET", "/docs"), ("GET", "/openapi.json")],
)  # fmt: skip
def test_everything_but_health_wants_the_right_token(ask, method, path, token):
    assert ask(method, path, token=token).status == 401


def test_a_wrong_token_is_said_in_a_sentence(a_served_address):
    worker = RemoteWorker(f"https://127.0.0.1:{a_served_address[0]}", "wrong", CERTIFICATE)
    with pytest.raises(WorkerError, match="The token is missing or wrong"):
        worker.networks().result(20)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/calls/shutdown"), ("GET", "/calls/00/result"), ("DELETE", "/calls/00"),
     ("GET", "/other"), ("GET", "/docs"), ("GET", "/openapi.json"),
     ("POST", "/calls/..%2f..%2fetc%2fpasswd")],
)  # fmt: skip
def test_unknown_calls_are_not_found(ask, method, path):
    assert ask(method, path).status == 404


def test_a_call_is_anothers_to_every_other_token(ask):
    frame = a_frame({"network": "slow", "options": {}}, sphere_volume())
    events = ask("POST", "/calls/segment", frame)
    call_id = json.loads(events.readline())["id"]
    for method, path in (("DELETE", f"/calls/{call_id}"), ("GET", f"/calls/{call_id}/result")):
        assert ask(method, path, token=TOKENS[1]).status == 404
    assert ask("DELETE", f"/calls/{call_id}").status == 200
    assert json.loads(events.read().splitlines()[-1])["event"] == "canceled"


@pytest.mark.parametrize("length", [MAX_BODY_MB * 2**20 + 1, 10**12, 10**18])
def test_a_body_that_declares_too_much_is_refused_before_it_comes(ask, length):
    started = time.monotonic()
    answer = ask("POST", "/calls/segment", **{"Content-Length": str(length)})
    assert answer.status == 413
    assert time.monotonic() - started < 5


def test_a_chunked_body_is_refused_as_soon_as_it_passes_the_limit(ask):
    pieces = (b"x" * 2**20 for _ in range(MAX_BODY_MB + 4))
    assert ask("POST", "/calls/segment", pieces, **{"Transfer-Encoding": "chunked"}).status == 413


def test_the_host_says_that_a_volume_is_too_large_without_sending_it(a_remote_worker):
    large = Volume(np.zeros((1, 200, 200, 80), np.int16), oblique_affine())
    with pytest.raises(WorkerError, match="the server takes 4 MB at most"):
        a_remote_worker.segment(large, None, "threshold").result(20)


@pytest.mark.parametrize(
    "body", [b"", b"x", b"GARBAGE" * 100, b"SEGAIFRM" + b"\xff" * 8, a_frame({})[:-1],
             a_frame({"mapped": "0" * 32})],
)  # fmt: skip
def test_a_body_that_is_no_frame_is_refused_in_a_sentence(ask, body):
    answer = ask("POST", "/calls/segment", body)
    assert answer.status == 400
    assert json.loads(answer.read())["detail"].endswith(".")


def test_a_client_cannot_name_files_of_the_server(a_remote_worker, a_served_address):
    with pytest.raises(WorkerError, match="catalogue and from https"):
        a_remote_worker.install(str(a_served_address[1])).result(20)
    with pytest.raises(WeightsError):
        a_remote_worker.remove("../../etc").result(20)


def test_a_server_refuses_to_keep_what_was_adapted_to_a_patient(a_remote_worker):
    opened = a_remote_worker.refine(RefineAsked("open", volume=sphere_volume())).result(60)
    with pytest.raises(PromptError, match="on one's own computer, not on a server"):
        a_remote_worker.refine(RefineAsked("keep", opened.session, {"id": "mine"})).result(20)
    a_remote_worker.refine(RefineAsked("close", opened.session)).result(20)


def test_plain_text_at_a_tls_port_gets_no_answer(a_served_address):
    with socket.create_connection(("127.0.0.1", a_served_address[0]), timeout=20) as plain:
        plain.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"200" not in plain.recv(4096)
    worker = RemoteWorker(f"http://127.0.0.1:{a_served_address[0]}", TOKENS[0])
    with pytest.raises(WorkerError, match="perhaps it wants https"):
        worker.health()


def test_a_cancel_and_a_host_that_hangs_up_free_the_server(a_remote_worker, ask):
    call = a_remote_worker.segment(sphere_volume(), None, "slow")
    while call.last_event.kind != "progress":
        time.sleep(0.01)
    call.cancel()
    with pytest.raises(Cancelled):
        call.result(0.5)
    assert call.wait_until_released(3.0)
    frame = a_frame({"network": "slow", "options": {}}, sphere_volume())
    events = ask("POST", "/calls/segment", frame)
    events.readline()
    events.held.sock and events.held.sock.close()
    events.close()
    deadline = time.monotonic() + 5
    while a_remote_worker.health()["load"]["running"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert a_remote_worker.health()["load"] == {"running": 0, "waiting": 0}
