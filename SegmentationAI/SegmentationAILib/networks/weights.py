"""Weights files to arrays: the content decides what a file is, never its ending."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ..core.archive import member_names
from ..core.errors import WeightsError
from .checkpoint import check_pickle, safetensors_from_checkpoint
from .safetensors_header import entries_of, looks_like_safetensors

Kind = Literal["safetensors", "checkpoint", "archive", "pickle", "html", "other"]
Weights = dict[str, NDArray[Any]]

CHUNK: Final = 1 << 20
NAMED: Final = 3
# BF16 has no numpy type; it is the upper half of F32, hence exact in it.
NUMPY_TYPES: Final = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?",
}  # fmt: skip


def read_weights(path: Path, sha256: str = "") -> Weights:
    """Return the tensors of a weights file by name.

    Safetensors are read in this process after our own header check; checkpoints of torch in a
    child process (see `checkpoint`). BF16 comes back as float32, all else in its own type.

    Args:
        path: The file.
        sha256: Lower-case hex; when given, the bytes are held against it before they are parsed.

    Raises:
        WeightsError: Another hash, damaged, hostile, of a kind that is not read, or not finite.
        OSError: The file cannot be read.
    """
    if looks_like_safetensors(_first_bytes(path)):
        return weights_from_bytes(_whole(path), path.name, sha256)
    if sha256:
        check_sha256(path, sha256)
    kind = kind_of(path)
    if kind == "checkpoint":
        with tempfile.TemporaryDirectory(prefix="segmentationai-") as folder:
            converted = Path(folder) / "weights.safetensors"
            safetensors_from_checkpoint(path, converted)
            return weights_from_bytes(_whole(converted), path.name)
    raise WeightsError(_refusal(path, kind))


def weights_from_bytes(data: bytearray, source: str, sha256: str = "") -> Weights:
    """Return the tensors of a whole safetensors file; the arrays share its memory.

    Args:
        data: The file's bytes.
        source: Its name, for messages.
        sha256: When given, these very bytes are held against it: no one can exchange the file
            between the check and the reading.

    Raises:
        WeightsError: Another hash, a header that is not in order, or numbers that are not finite.
    """
    if sha256:
        _check_hash(hashlib.sha256(data).hexdigest(), sha256, source)
    weights: Weights = {}
    for entry in entries_of(data, source):
        count = int(np.prod(entry.shape, dtype=np.int64))
        flat = np.frombuffer(data, NUMPY_TYPES[entry.dtype], count, entry.start)
        if entry.dtype == "BF16":
            flat = (flat.astype("<u4") << 16).view("<f4")
        weights[entry.name] = flat.reshape(entry.shape)
    _check_finite(weights, source)
    return weights


def kind_of(path: Path) -> Kind:
    """Return what a file is, by its first bytes and, for a zip, by the names inside."""
    first = _first_bytes(path)
    if first.startswith(b"PK\x03\x04"):
        return "checkpoint" if any(n.endswith(".pkl") for n in member_names(path)) else "archive"
    if looks_like_safetensors(first):
        return "safetensors"
    if first[:1] == b"\x80" and first[1:2] in b"\x00\x01\x02\x03\x04\x05":
        return "pickle"
    if first.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "html"
    return "other"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as lower-case hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_sha256(path: Path, sha256: str) -> None:
    """Check the hash of a file.

    Raises:
        WeightsError: It has another; the message names both.
    """
    _check_hash(sha256_of(path), sha256, path.name)


def check_against(expected: Mapping[str, tuple[int, ...]], found: Weights, source: str) -> None:
    """Check that weights belong to an architecture: the same names, the same shapes.

    Args:
        expected: Shape of every tensor of the architecture.
        found: What the file holds.
        source: Its name, for the message.

    Raises:
        WeightsError: The message names the first three tensors that are missing, left over or of
            another shape.
    """
    faults = [f"{name} is missing" for name in expected if name not in found]
    faults += [f"{name} is left over" for name in found if name not in expected]
    faults += [
        f"{name} has shape {found[name].shape}, not {tuple(shape)}"
        for name, shape in expected.items()
        if name in found and found[name].shape != tuple(shape)
    ]
    if faults:
        more = f" and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
        raise WeightsError(
            f"{source} belongs to another network: {'; '.join(faults[:NAMED])}{more}."
        )


def _check_hash(found: str, sha256: str, source: str) -> None:
    if found != sha256.lower():
        raise WeightsError(
            f"{source} has SHA-256 {found} but {sha256[:80]} was expected; it was not opened."
        )


def _check_finite(weights: Weights, source: str) -> None:
    bad = [
        name
        for name, array in weights.items()
        if array.dtype.kind == "f" and not np.isfinite(array).all()
    ]
    if bad:
        more = f" and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
        shown = ", ".join(ascii(name[:80]) for name in bad[:NAMED])
        raise WeightsError(f"{source} has weights that are NaN or infinite: {shown}{more}.")


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(64)


def _whole(path: Path) -> bytearray:
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        data = bytearray(size)
        if stream.readinto(data) != size:
            raise WeightsError(f"{path.name} changed while it was read.")
    return data


def _refusal(path: Path, kind: Kind) -> str:
    if kind == "pickle":
        # Only to name what it would have run; the legacy formats are refused in any case.
        try:
            check_pickle(path.read_bytes()[:CHUNK], path.name)
        except WeightsError as error:
            if "import" in str(error):
                return str(error)
        return (
            f"{path.name} is a bare pickle (torch before 1.6), which can run code when opened; "
            "save it again with a recent torch, or better as safetensors."
        )
    if kind == "html":
        return (
            f"{path.name} is a web page, not weights; the download was answered by an error page."
        )
    if kind == "archive":
        return (
            f"{path.name} is an archive without weights of torch inside; install it as a network."
        )
    return f"{path.name} is neither safetensors nor a checkpoint of torch."
