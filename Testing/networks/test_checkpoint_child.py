"""The process that opens foreign checkpoints has no network, where the system can take it away."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

import SegmentationAILib.networks.checkpoint as checkpoint

PROGRAM = """
import runpy, socket, sys
child = runpy.run_path(sys.argv[1])
if sys.argv[2] == "leave" and not child["leave_the_network"]():
    sys.exit(3)
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[3])), 2).close()
except OSError:
    sys.exit(4)
"""


def reached(port, word):
    words = [sys.executable, "-I", "-c", PROGRAM, str(Path(checkpoint.CHILD)), word, str(port)]
    status = subprocess.run(words, check=False, timeout=30).returncode
    if status == 3:
        pytest.skip("this system lets no process leave the network")
    return {0: True, 4: False}[status]


def test_the_child_reaches_no_server_and_its_twin_with_a_network_does():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert reached(port, "stay")
        assert not reached(port, "leave")
