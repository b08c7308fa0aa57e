"""The sealed key of a blind review: from one secret follow order and sides for every reader."""

import hashlib
from typing import Final, Literal

from ..review import Choice

Answer = Literal["left", "right", "tie"]
ANSWERS: Final = ("left", "right", "tie")


def commitment_of(secret: str) -> str:
    """Return what is told of a secret while the review is open: its SHA-256."""
    return hashlib.sha256(secret.encode()).hexdigest()


def form_code(commitment: str, reader: str) -> str:
    """Return what tells the form of one reader of one review from all others; no side of it."""
    return hashlib.sha256(f"{commitment} form {reader}".encode()).hexdigest()[:8]


def first_is_left(secret: str, reader: str, item: int) -> bool:
    """Return whether the first candidate of a pair stands on the left for a reader."""
    return bool(hashlib.sha256(f"{secret} side {item} {reader}".encode()).digest()[0] & 1)


def choice_of(secret: str, reader: str, item: int, answer: Answer) -> Choice:
    """Return what an answer says of the first candidate, its side known."""
    if answer == "tie":
        return "tie"
    return "win" if (answer == "left") == first_is_left(secret, reader, item) else "loss"


def order_of(secret: str, reader: str, total: int) -> list[int]:
    """Return the order in which a reader sees the pairs ``0`` to ``total - 1``."""

    def lot(item: int) -> bytes:
        return hashlib.sha256(f"{secret} order {item} {reader}".encode()).digest()

    return sorted(range(total), key=lot)
