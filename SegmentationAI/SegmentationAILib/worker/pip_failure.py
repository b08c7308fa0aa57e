"""What pip's output means: one sentence and one suggested fix instead of a page of text."""

import re
from typing import Final, NamedTuple

from .environment_error import Kind, WorkerEnvironmentError

LAST_LINES: Final = 40
_KEPT: Final = "What has been downloaded is kept, and the next try goes on from there."


class _Sign(NamedTuple):
    kind: Kind
    pattern: re.Pattern[str]
    sentence: str
    fix: str


def _sign(kind: Kind, pattern: str, sentence: str, fix: str) -> _Sign:
    return _Sign(kind, re.compile(pattern, re.IGNORECASE), sentence, fix)


# In this order: what pip says last ("no matching distribution") is often only the consequence of
# what it said before (every try to reach the index failed).
_SIGNS: Final = (
    _sign(
        "no-pip", r"no pip here|No module named '?pip",
        "This Python has no pip, so that nothing can be installed with it.",
        "Import an offline bundle on a Slicer that has pip, or install Slicer again.",
    ),
    _sign(
        "disk",
        r"No space left on device|Errno 28\b|WinError 112\b|Disk quota exceeded|Errno 122\b",
        "The disk is full.",
        f"Free some space, or choose a folder on another disk. {_KEPT}",
    ),
    _sign(
        "proxy", r"407 Proxy|failed: 407|error 407|Proxy Authentication Required",
        "The proxy asks for a user name and password (407).",
        "Give the proxy as http://user:password@host:port in the settings.",
    ),
    _sign(
        "proxy", r"ProxyError|Cannot connect to proxy|Unable to connect to proxy",
        "The proxy does not answer.",
        "Check the proxy's address in the settings, or ask who keeps your network.",
    ),
    _sign(
        "certificate", r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|SSLCertVerification",
        "The certificate of the package server is not trusted on this computer.",
        "Name the CA file of your institution in the settings.",
    ),
    _sign(
        "hash", r"DO NOT MATCH THE HASHES|hash mismatch|HashMismatch",
        "A downloaded package is not the one that was expected (its hash differs).",
        "Try again; when it happens twice, tell who keeps your network or mirror.",
    ),
    _sign(
        "damaged", r"BadZipFile|is not a zip file|invalid wheel|Wheel .* is invalid|zipfile\.",
        "A package is damaged.",
        "Try again; in an offline bundle, export the bundle again.",
    ),
    _sign(
        "permission", r"Permission denied|Errno 13\b|WinError 5\b|Access is denied|Read-only file",
        "A folder cannot be written.",
        "Choose a folder of your own in the settings, or ask for the permission.",
    ),
    _sign(
        "access", r"\b40[13] Client Error|\b40[13] (Forbidden|Unauthorized)|HTTP error 40[13]",
        "The package index refused the access (401 or 403).",
        "Check the index's address in the settings, with its user name if it wants one.",
    ),
    _sign(
        "interrupted", r"IncompleteRead|Connection broken:|Connection reset|ConnectionResetError|"
        r"RemoteDisconnected|Read timed out|ReadTimeout|IncompleteDownload",
        "The connection broke off.",
        f"Try again. {_KEPT}",
    ),
    _sign(
        "network", r"NewConnectionError|name resolution|Name or service not known|"
        r"nodename nor servname|getaddrinfo failed|Connection refused|Network is unreachable|"
        r"ConnectTimeout|No route to host|NameResolutionError|Max retries exceeded|SSLError",
        "The package index cannot be reached.",
        "Check the network and the proxy in the settings, or import an offline bundle.",
    ),
    _sign(
        "conflict", r"ResolutionImpossible|conflicting dependencies",
        "The packages contradict each other.",
        "Install the module again; its list of packages was changed.",
    ),
    _sign(
        "no-match", r"No matching distribution found|Could not find a version",
        "There is no package for this Python and system",
        "Use the Slicer version named in the documentation, or another index in the settings.",
    ),
)  # fmt: skip
_PACKAGE: Final = re.compile(r"(?:No matching distribution found for|that satisfies the "
                             r"requirement) ([A-Za-z0-9._+=<>!~-]+)")  # fmt: skip
_PASSWORD: Final = re.compile(r"(?<=://)[^/@\s]+@")


def failure_of(output: str, status: int) -> WorkerEnvironmentError:
    """Return the error for a pip that failed.

    Args:
        output: Everything that it wrote.
        status: Its exit status; negative when a signal ended it.
    """
    lines = [_PASSWORD.sub("", line.rstrip()) for line in output.splitlines() if line.strip()]
    details = "\n".join(lines[-LAST_LINES:])
    for sign in _SIGNS:
        if sign.pattern.search(output):
            sentence = sign.sentence
            if sign.kind == "no-match":
                found = _PACKAGE.search(output)
                sentence += f": {found[1]}." if found else "."
            return WorkerEnvironmentError(sign.kind, sentence, sign.fix, details)
    if status < 0:
        return WorkerEnvironmentError(
            "interrupted",
            "The installation was ended from outside.",
            f"Try again. {_KEPT}",
            details,
        )
    errors = [line for line in lines if "error" in line.lower()] or lines or ["no word"]
    return WorkerEnvironmentError(
        "unknown",
        f"The installation failed; pip said: {errors[-1][:300]}",
        "Try again, and report these words when it fails twice.",
        details,
    )
