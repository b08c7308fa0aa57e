"""Weights from an address: https only, resumed when broken off, and kept only with the right hash.

The system's proxy settings are honored (environment, and the registry or System Settings), and its
certificate authorities; ``SSL_CERT_FILE`` or ``REQUESTS_CA_BUNDLE`` names those of a hospital.
"""

import http.client
import ipaddress
import os
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, BinaryIO, Final

from ..core.errors import WeightsError
from ..core.offline import check_online
from ..core.progress import IGNORE, Progress
from .weights import check_sha256

MAX_BYTES: Final = 8 << 30
CHUNK: Final = 256 << 10
TIMEOUT_SECONDS: Final = 30
TRIES: Final = 4
SECONDS_BETWEEN_TRIES: Final = 0.5
PARTIAL_STATUS: Final = 206
RANGE_REFUSED: Final = 416
CA_VARIABLES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class _BrokenOffError(Exception):
    """The connection ended early; what has come is kept, and asked for no more."""


def download(
    address: str, target: Path, sha256: str, size_bytes: int = 0, progress: Progress = IGNORE
) -> None:
    """Bring the file at ``address`` to ``target``, which appears whole and verified or not at all.

    What has come stays in ``<target>.part`` when the connection breaks, and the next call goes on
    from there; a file that was at ``target`` before stays until the new one is verified.

    Args:
        address: https; http for this machine itself only.
        target: File to write, its folder exists.
        sha256: Of the whole file, lower-case hex.
        size_bytes: Of the whole file, 0 when unknown.
        progress: Told after each chunk.

    Raises:
        WeightsError: Not https, redirected away from https, an error page, another size or hash,
            or the server is out of reach.
        OfflineError: The program is set to stay off the network.
        OSError: The disk is full or the folder cannot be written.
    """
    check_address(address)
    check_online(f"The download from {_shown(address)}")
    part = target.with_name(target.name + ".part")
    for attempt in range(TRIES):
        try:
            _fetch_rest(address, part, size_bytes, progress)
            break
        except _BrokenOffError as error:
            if attempt == TRIES - 1:
                raise WeightsError(
                    f"The download of {_shown(address)} broke off {TRIES} times ({error}); what "
                    "has come is kept, and the same command goes on from there."
                ) from error
            time.sleep(SECONDS_BETWEEN_TRIES * attempt)
    try:
        check_sha256(part, sha256)
    except WeightsError as error:
        part.unlink()
        raise WeightsError(
            f"The file from {_shown(address)} is not the one expected and was deleted: {error}"
        ) from error
    part.replace(target)


def check_address(address: str) -> None:
    """Check that an address may be opened.

    Raises:
        WeightsError: Neither https nor http to this machine itself, or it holds a password.
    """
    try:
        parts = urllib.parse.urlsplit(address)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError as error:
        raise WeightsError(f"{address[:200]!a} is not an address: {error}.") from error
    if parts.username or parts.password:
        raise WeightsError("An address with a user name or password in it is not opened.")
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and _is_here(host))):
        raise WeightsError(
            f"{_shown(address)} is not an https address; weights come by https only."
        )


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https alone."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        old, new = (urllib.parse.urlsplit(url) for url in (req.full_url, newurl))
        if new.scheme != "https" and (old.scheme, old.hostname) != (new.scheme, new.hostname):
            raise WeightsError(
                f"{_shown(req.full_url)} leads to {_shown(newurl)}, which is not https; refused."
            )
        check_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(address: str) -> urllib.request.OpenerDirector:
    host = urllib.parse.urlsplit(address).hostname or ""
    proxies = urllib.request.ProxyHandler({} if _is_here(host) else None)
    named = (os.environ.get(variable) for variable in CA_VARIABLES)
    ca_file = next((path for path in named if path), None)
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise WeightsError(f"The CA file {ca_file} cannot be read: {error}.") from error
    return urllib.request.build_opener(
        proxies, urllib.request.HTTPSHandler(context=context), _SafeRedirects()
    )


def _fetch_rest(address: str, part: Path, size_bytes: int, progress: Progress) -> None:
    start = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "SegmentationAI", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(address, headers=headers)
    try:
        with _opener(address).open(request, timeout=TIMEOUT_SECONDS) as answer:
            resumed = start > 0 and _continues_at(answer, start)
            _check_answer(answer, address)
            with part.open("ab" if resumed else "wb") as stream:
                _copy(answer, stream, start if resumed else 0, size_bytes, progress)
    except urllib.error.HTTPError as error:
        if error.code == RANGE_REFUSED and start:
            part.unlink()
            raise _BrokenOffError("the kept part does not fit") from error
        raise WeightsError(f"{_shown(address)} answered {error.code} {error.reason}.") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise WeightsError(
                f"The certificate of {_shown(address)} is not trusted: "
                f"{error.reason.verify_message}. SSL_CERT_FILE can name your own authorities."
            ) from error
        raise _BrokenOffError(str(error.reason)) from error
    except (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
        raise _BrokenOffError(str(error) or type(error).__name__) from error


def _continues_at(answer: Any, start: int) -> bool:
    """Return whether the server goes on from ``start`` rather than sending all again."""
    if answer.status != PARTIAL_STATUS:
        return False
    if not str(answer.headers.get("Content-Range", "")).startswith(f"bytes {start}-"):
        raise WeightsError("The server answered with another part of the file than was asked for.")
    return True


def _check_answer(answer: Any, address: str) -> None:
    if "html" in str(answer.headers.get("Content-Type", "")).lower():
        raise WeightsError(
            f"{_shown(address)} answered with a web page instead of the weights; perhaps a log-in "
            "or error page of the network."
        )
    if str(answer.headers.get("Content-Encoding", "identity")).lower() != "identity":
        raise WeightsError(f"{_shown(address)} answered in a packed form that was not asked for.")


def _copy(answer: Any, stream: BinaryIO, done: int, size_bytes: int, progress: Progress) -> None:
    announced = answer.headers.get("Content-Length")
    total = done + int(announced) if announced and announced.isdigit() else size_bytes
    limit = size_bytes or MAX_BYTES
    if total > limit:
        raise WeightsError(f"The server announces {total} bytes; {limit} were expected.")
    while chunk := answer.read(CHUNK):
        done += len(chunk)
        if done > limit:
            raise WeightsError(f"The server sends more than the {limit} bytes expected.")
        stream.write(chunk)
        megabytes = f"{done / 1e6:.1f}" + (f" of {total / 1e6:.1f}" if total else "")
        progress(done / total if total else 0.0, f"Downloading, {megabytes} MB")
    if done < total:
        # read(n) of http.client ends silently when the connection does.
        raise _BrokenOffError(f"{done} of {total} bytes came")


def _shown(address: str) -> str:
    """Return the address without its query, which can hold a key."""
    return ascii(address.split("?", 1)[0][:200])[1:-1]
