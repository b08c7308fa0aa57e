"""Who may call: bearer tokens, one per person, compared in a time that tells nothing of them."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..core.errors import SegmentationAIError

SHORTEST_IN_A_NETWORK: Final = 16
MOST_TOKENS: Final = 1000
LARGEST_FILE: Final = 1 << 20
_SCHEME: Final = b"bearer "


class Tokens:
    """Tokens that are accepted, kept as their hashes.

    Args:
        words: The tokens; at least one.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._digests = [hashlib.sha256(word.encode()).digest() for word in words]

    def owner(self, authorization: bytes) -> str | None:
        """Return who an ``Authorization`` header is, None when it is nobody.

        All tokens are compared in full, so that the time taken says nothing about them.
        """
        is_bearer = authorization[: len(_SCHEME)].lower() == _SCHEME
        given = hashlib.sha256(authorization[len(_SCHEME) :].strip()).digest()
        same = [hmac.compare_digest(given, digest) for digest in self._digests]
        return given.hex() if is_bearer and any(same) else None


def read_tokens(path: Path) -> list[str]:
    """Return the tokens of a file: one a line; empty lines and those with ``#`` are left out.

    Raises:
        SegmentationAIError: The file cannot be read or holds no token.
    """
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_FILE).decode("ascii")
    except OSError as error:
        raise SegmentationAIError(
            f"The token file {path.name} cannot be read ({error.strerror}); it holds one token a "
            "line."
        ) from error
    except UnicodeDecodeError as error:
        raise SegmentationAIError(
            f"The token file {path.name} holds other characters than letters, digits and signs."
        ) from error
    lines = (line.strip() for line in text.splitlines())
    words = [line for line in lines if line and not line.startswith("#")]
    if not words or len(words) > MOST_TOKENS:
        raise SegmentationAIError(
            f"The token file {path.name} holds {len(words)} tokens; 1 to {MOST_TOKENS}, one a "
            "line, are expected."
        )
    return words


def check_strength(words: Sequence[str]) -> None:
    """Check that no token can be guessed over a network.

    Raises:
        SegmentationAIError: One is short.
    """
    if any(len(word) < SHORTEST_IN_A_NETWORK for word in words):
        raise SegmentationAIError(
            f"A token has fewer than {SHORTEST_IN_A_NETWORK} characters, which can be guessed over "
            "a network; make one with: python -c 'import secrets; print(secrets.token_urlsafe())'"
        )


def token_made_in(path: Path) -> list[str]:
    """Return the tokens of a file, made with a new token for its owner alone when it is absent."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return read_tokens(path)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
    return read_tokens(path)
