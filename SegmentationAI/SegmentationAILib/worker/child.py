"""A worker as the child of a host on this machine: reads its token, listens, ends with its host."""

import json
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI

from .exchange import Exchange, remove_folder
from .office import Office
from .protocol import DEFAULT_MAX_BODY_BYTES, PROTOCOL_VERSION
from .server import make_application
from .tokens import Tokens

LONGEST_GREETING: Final = 1 << 16
MOST_CONNECTIONS: Final = 64
STDIN, STDOUT, STDERR = 0, 1, 2


def main() -> None:
    """Serve the host that wrote a greeting to standard input, until that input ends."""
    greeting = json.loads(sys.stdin.buffer.readline(LONGEST_GREETING))
    folder = None if greeting["exchange"] is None else Path(greeting["exchange"])
    office = Office(None if folder is None else Exchange(folder), takes_paths=True)
    application = make_application(office, Tokens([greeting["token"]]), DEFAULT_MAX_BODY_BYTES)
    listener = socket.create_server(("127.0.0.1", 0), backlog=MOST_CONNECTIONS)
    hello = {
        "protocol": PROTOCOL_VERSION,
        "pid": os.getpid(),
        "port": listener.getsockname()[1],
    }
    os.write(STDOUT, json.dumps(hello).encode() + b"\n")
    # What libraries print belongs with the messages, not with the answers to the host.
    os.dup2(STDERR, STDOUT)
    threading.Thread(target=_end_with_host, args=(folder,), name="host", daemon=True).start()
    server_of(application, office).run(sockets=[listener])


class _Server(uvicorn.Server):
    """A web server that ends its calls first, so that their streams end and nothing hangs."""

    def __init__(self, config: uvicorn.Config, office: Office) -> None:
        super().__init__(config)
        self._office = office

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._office.close()
        await super().shutdown(sockets)


def server_of(application: FastAPI, office: Office, **options: object) -> uvicorn.Server:
    """Return the web server of an application; ``options`` are uvicorn's."""
    settings = {
        "log_config": None,
        "access_log": False,
        "lifespan": "off",
        "server_header": False,
        "limit_concurrency": MOST_CONNECTIONS,
        "timeout_graceful_shutdown": 2,
        **options,
    }
    config = uvicorn.Config(application, **settings)  # type: ignore[arg-type]
    return _Server(config, office)


def _end_with_host(folder: Path | None) -> None:
    """Wait for the end of standard input, which is the end of the host, and end at once."""
    while os.read(STDIN, 4096):
        pass
    if folder is not None:
        remove_folder(folder)
    # A patch can take long, and nobody is left to wait for it.
    os._exit(0)
