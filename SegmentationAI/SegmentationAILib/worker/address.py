"""Where a worker listens, and connections to it: proxies, certificate authorities, plain sentences.

Beyond this machine a worker is reached by https alone, for the token and the volume of a patient
travel with each call. The system's proxy is honored, and a CA file of a hospital's own.
"""

import http.client
import ipaddress
import json
import os
import socket
import ssl
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from .protocol import WorkerError

CONNECT_SECONDS: Final = 10.0
LARGEST_ANSWER: Final = 1 << 20
CA_VARIABLES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Address:
    """Where a worker listens, and the token that it wants; see `address_of`."""

    host: str
    port: int
    token: str = field(repr=False)
    scheme: str = "http"
    prefix: str = ""
    ca_file: Path | None = None

    @property
    def shown(self) -> str:
        """The address as a person knows it."""
        return f"{self.scheme}://{self.host}:{self.port}{self.prefix}"

    def headers(self, **more: str) -> dict[str, str]:
        """Return the headers of a request; underscores in names become hyphens."""
        fixed = {"Authorization": f"Bearer {self.token}", "Connection": "close"}
        return {**fixed, **{name.replace("_", "-"): value for name, value in more.items()}}

    def connected(self, seconds: float = CONNECT_SECONDS) -> http.client.HTTPConnection:
        """Return an open connection.

        Raises:
            WorkerError: Nothing answers, or its certificate is not trusted; the sentence says what
                can be done.
        """
        with self.sentences():
            connection = self._connection(seconds)
            connection.connect()
            return connection

    def ask(self, method: str, path: str, seconds: float = CONNECT_SECONDS) -> tuple[int, Any]:
        """Return status and JSON of a short answer.

        Raises:
            WorkerError: As for `connected`, or the answer is no JSON.
        """
        with self.sentences():
            connection = self.connected(seconds)
            try:
                connection.request(method, self.prefix + path, headers=self.headers())
                answer = connection.getresponse()
                return answer.status, json.loads(answer.read(LARGEST_ANSWER))
            except ValueError as error:
                raise WorkerError(
                    f"What answers at {self.shown} is no SegmentationAI server."
                ) from error
            finally:
                connection.close()

    @contextmanager
    def sentences(self) -> Iterator[None]:
        """Turn the errors of connections into sentences."""
        try:
            yield
        except WorkerError:
            raise
        except (OSError, http.client.HTTPException) as error:
            raise WorkerError(self._sentence(error)) from error

    def _connection(self, seconds: float) -> http.client.HTTPConnection:
        if self.scheme == "http":
            return http.client.HTTPConnection(self.host, self.port, timeout=seconds)
        context = ssl.create_default_context(cafile=self._ca_file())
        proxy = _proxy_for(self.host, self.port)
        if proxy is None:
            return http.client.HTTPSConnection(
                self.host, self.port, timeout=seconds, context=context
            )
        through = http.client.HTTPSConnection(
            proxy.hostname or "", proxy.port or 8080, timeout=seconds, context=context
        )
        through.set_tunnel(self.host, self.port, _proxy_headers(proxy))
        return through

    def _ca_file(self) -> str | None:
        named = [os.environ.get(variable) for variable in CA_VARIABLES]
        ca_file = (
            str(self.ca_file) if self.ca_file else next((path for path in named if path), None)
        )
        if ca_file is not None and not Path(ca_file).is_file():
            raise WorkerError(f"The CA file {Path(ca_file).name} is not there.")
        return ca_file

    def _sentence(self, error: Exception) -> str:
        where = self.shown
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"The certificate of {where} is not trusted: {error.verify_message}. If it is your "
                "institution's own, give the file of its authority (--ca-file)."
            )
        if isinstance(error, ssl.SSLError):
            return f"{where} does not answer in TLS ({error.reason}); check address and port."
        if isinstance(error, socket.gaierror):
            return f"The name {self.host} is not known here; check the address and the network."
        if isinstance(error, TimeoutError):
            return f"{where} does not answer; check the address, the firewall and the proxy."
        if isinstance(error, ConnectionRefusedError):
            return f"Nothing listens at {where}; is the server running?"
        if self.scheme == "http" and isinstance(error, http.client.HTTPException | ConnectionError):
            return f"{where} broke the connection off; perhaps it wants https."
        return f"The connection to {where} failed: {error}."


def address_of(url: str, token: str, ca_file: Path | None = None) -> Address:
    """Return the address that a person wrote.

    Args:
        url: ``https://host[:port][/prefix]``; http for this machine itself only.
        token: As the server's token file has it.
        ca_file: Certificates (PEM) to trust instead of the system's; None for the system's.

    Raises:
        WorkerError: It is not an address, or not a safe one, or the token cannot be one.
    """
    try:
        parts = urllib.parse.urlsplit(url.strip())
        port, host = parts.port, parts.hostname or ""
    except ValueError as error:
        raise WorkerError(f"{url[:200]!a} is not an address: {error}.") from error
    if parts.scheme not in _PORTS or not host or parts.query or parts.fragment or parts.username:
        raise WorkerError(
            f"{url[:200]!a} is not an address of a server; https://name:port is expected."
        )
    if parts.scheme == "http" and not is_this_machine(host):
        raise WorkerError(
            f"{host} is another machine: its address has to begin with https, for the token and "
            "the volume would travel unprotected."
        )
    if not token or not token.isascii() or not token.isprintable():
        raise WorkerError("The token is empty or holds characters that no token has.")
    return Address(
        host, port or _PORTS[parts.scheme], token, parts.scheme, parts.path.rstrip("/"), ca_file
    )


def is_this_machine(host: str) -> bool:
    """Return whether a host is a loopback address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _proxy_for(host: str, port: int) -> urllib.parse.SplitResult | None:
    """Return the system's proxy for https to a host, None where there is none to use."""
    if is_this_machine(host) or urllib.request.proxy_bypass(f"{host}:{port}"):
        return None
    proxy = urllib.request.getproxies().get("https")
    if not proxy:
        return None
    return urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")


def _proxy_headers(proxy: urllib.parse.SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    user, password = (urllib.parse.unquote(part or "") for part in (proxy.username, proxy.password))
    words = b64encode(f"{user}:{password}".encode()).decode()
    return {"Proxy-Authorization": f"Basic {words}"}
