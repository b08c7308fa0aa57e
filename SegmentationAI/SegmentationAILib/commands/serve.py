r"""Serve this machine's networks to others: the same worker that runs beside Slicer.

GET /health answers everyone with version, device and load; everything else wants the header
'Authorization: Bearer TOKEN' with a token of the token file (one a line; each sees its own calls).

Examples:
  segmentationai serve                                      for this machine, http://127.0.0.1:8470
  segmentationai serve --host 0.0.0.0 --token-file tokens.txt --tls-cert cert.pem --tls-key key.pem
  segmentationai segment ct.nrrd --network torso --output ct.seg.nrrd \
      --server https://gpu.example.org:8470 --token-file token.txt

Beyond this machine it serves with TLS and a token file only, for volumes of patients pass. Results
are for research and need a physician's check.
"""

import argparse
import errno
import ipaddress
import os
import socket
from pathlib import Path
from typing import Any, Final

DEFAULT_PORT: Final = 8470
TOKEN_FILE: Final = "serve-token.txt"
BACKLOG: Final = 64
LAST_PATCH_SECONDS: Final = 2.0
INTERRUPTED: Final = 130
DEFAULT_MAX_BODY_MB: Final = 4096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``serve``."""
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at; default %(default)s, this machine",
    )
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, metavar="N",
        help="port to listen at, 0 for any that is free; default %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE",
        help=f"tokens that may call, one a line; default {TOKEN_FILE} in the data folder, made "
        "when absent",
    )  # fmt: skip
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate chain, PEM")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="its private key, PEM")
    parser.add_argument(
        "--max-body-mb", type=int, default=DEFAULT_MAX_BODY_MB, metavar="N",
        help="largest volume that is taken, MB of 1048576 bytes; default %(default)s",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted."""
    # These load the web server; --help and a wrong option must not wait for it.
    from ..core.errors import SegmentationAIError
    from ..resources import data_folder
    from ..worker.child import server_of
    from ..worker.office import Office
    from ..worker.server import make_application
    from ..worker.tokens import Tokens, check_strength, read_tokens, token_made_in

    tls = tls_options(arguments)
    if arguments.max_body_mb < 1:
        raise SegmentationAIError("--max-body-mb has to be 1 or more.")
    is_beyond = not is_loopback(arguments.host)
    if is_beyond and not (tls and arguments.token_file):
        raise SegmentationAIError(
            f"{arguments.host} is reached from other machines: give --tls-cert, --tls-key and "
            "--token-file, or serve this machine alone with --host 127.0.0.1."
        )
    token_file = arguments.token_file or data_folder() / TOKEN_FILE
    words = read_tokens(token_file) if arguments.token_file else token_made_in(token_file)
    if is_beyond:
        check_strength(words)
    with listening_socket(arguments.host, arguments.port) as listener:
        office = Office(None, takes_paths=False)
        # The device is known, and the first run need not wait, before anyone is let in.
        office.runs.is_ready.wait()
        application = make_application(office, Tokens(words), arguments.max_body_mb << 20)
        scheme, port = "https" if tls else "http", listener.getsockname()[1]
        shown = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
        print(f"Serving {office.health()['device']} at {scheme}://{shown}:{port}", flush=True)
        print(f"Tokens are in {token_file}. Ctrl-C ends it.", flush=True)
        try:
            server_of(application, office, **tls).run(sockets=[listener])
        finally:
            office.close()
            if not office.wait_until_ended(LAST_PATCH_SECONDS):
                # A thread inside a patch aborts an interpreter that ends around it.
                os._exit(INTERRUPTED)
    return 0


def is_loopback(host: str) -> bool:
    """Return whether a host's every address is this machine alone.

    Raises:
        SegmentationAIError: The name is not known.
    """
    from ..core.errors import SegmentationAIError

    if not host:  # every address of this machine
        return False
    try:
        found = socket.getaddrinfo(host, None)
    except (OSError, UnicodeError) as error:
        raise SegmentationAIError(f"The address {host!a} is not known on this machine.") from error
    return all(ipaddress.ip_address(str(one[4][0]).split("%")[0]).is_loopback for one in found)


def tls_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the web server's options for TLS, none when it is not asked for.

    Raises:
        SegmentationAIError: One of the two files is not named, or they do not fit each other.
    """
    import ssl

    from ..core.errors import SegmentationAIError

    files = (arguments.tls_cert, arguments.tls_key)
    if files == (None, None):
        return {}
    if None in files:
        raise SegmentationAIError("--tls-cert and --tls-key are given together or not at all.")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*files, password="")
    except (OSError, ValueError) as error:
        raise SegmentationAIError(
            f"{files[0].name} and {files[1].name} are not a certificate and its key without a "
            f"password ({getattr(error, 'strerror', None) or error})."
        ) from error
    return {"ssl_certfile": str(files[0]), "ssl_keyfile": str(files[1])}


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address.

    Raises:
        SegmentationAIError: The port is taken, or may not be used.
    """
    from ..core.errors import SegmentationAIError

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        is_taken = getattr(error, "errno", None) == errno.EADDRINUSE
        why = "another program listens there" if is_taken else str(error)
        raise SegmentationAIError(
            f"Port {port} at {host} cannot be used: {why}; choose another with --port."
        ) from error
