"""A web server on this machine that misbehaves on request, for tests of downloads.

Stands in for a real server; does not check HTTP/2, authentication, or slow lines.
"""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CERTIFICATE = Path(__file__).parent / "networks" / "loopback" / "certificate.pem"
Answer = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request; `log` of the server holds (method, path, Range header) of all."""

    def do_GET(self) -> None:
        self.server.log.append((self.command, self.path, self.headers.get("Range")))
        self.server.answer(self)

    do_CONNECT = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def send(self, data: bytes, status: int = 200, length: int | None = None, **headers) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def send_from_range(self, data: bytes, come: int | None = None) -> None:
        """Send ``data`` from where the Range header says, but only ``come`` bytes of it."""
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        rest = data[start:]
        extra = {"Content_Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if wanted else {}
        part = rest if come is None else rest[:come]
        self.send(part, 206 if wanted else 200, len(rest), **extra)
        self.close_connection = True


@contextmanager
def loopback_server(answer: Answer, *, encrypted: bool = False) -> Iterator[ThreadingHTTPServer]:
    """Serve ``answer`` on a free port while the block runs; `url` is the server's address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Request)
    server.answer, server.log = answer, []
    scheme = "http"
    if encrypted:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    server.url = f"{scheme}://127.0.0.1:{server.server_port}"
    server.handle_error = lambda *_: None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
