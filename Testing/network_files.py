"""Small networks, safetensors and zip files made byte by byte, so that a test can bend any part."""

import hashlib
import json
import random
import struct
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DTYPES = {"<f4": "F32", "<f2": "F16", "<f8": "F64", "<i8": "I64"}
SHAPES = {
    "model.0.weight": (2, 1, 3, 3, 3),
    "model.0.bias": (2,),
    "model.2.weight": (3, 2, 1, 1, 1),
    "model.2.bias": (3,),
}


def tiny_weights(seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Weights of a MeshNet with one hidden layer of two channels and three classes."""
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}


def header_of(tensors: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    header, start = {}, 0
    for name, array in tensors.items():
        header[name] = {
            "dtype": DTYPES[array.dtype.str],
            "shape": list(array.shape),
            "data_offsets": [start, start + array.nbytes],
        }
        start += array.nbytes
    return header


def safetensors_bytes(header: Mapping[str, Any] | str, payload: bytes) -> bytes:
    text = header if isinstance(header, str) else json.dumps(header)
    return struct.pack("<Q", len(text.encode())) + text.encode() + payload


def whole_safetensors(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    payload = b"".join(array.tobytes() for array in tensors.values())
    return safetensors_bytes(header_of(tensors), payload)


def tiny_card(**changes: Any) -> dict[str, Any]:
    card = {
        "id": "tiny",
        "title": "Two structures",
        "task": "Two structures of a phantom.",
        "modality": "MR",
        "labels": [
            {
                "value": 7,
                "name": "Liver",
                "color": [255, 0, 51],
                "terminology": {
                    "category": {
                        "scheme": "SCT", "value": "123037004", "meaning": "Anatomical Structure",
                    },
                    "type": {"scheme": "SCT", "value": "10200004", "meaning": "Liver"},
                },
            },
            {"value": 3, "name": "Spleen", "color": [0, 255, 0]},
        ],
        "spacing_mm": [1.0, 1.5, 2],
        "orientation": "RAS",
        "intensity": {"rule": "percentile", "low": 2, "high": 98},
        "channels": [{"role": "t1"}],
        "patch_size": [32, 48, 64],
        "overlap": 0.25,
        "output": "softmax",
        "license": {"id": "MIT", "text": "Made for a test.", "use": "free"},
        "source": "https://example.org/tiny",
        "paper": "",
        "sha256": hashlib.sha256(whole_safetensors(tiny_weights())).hexdigest(),
        "architecture": {
            "name": "meshnet",
            "parameters": {
                "in_channels": 1, "channels": 2, "out_channels": 3, "dilations": [1],
                "activation": "relu", "normalization": "none",
            },
        },
        "gates": [],
        "limits": ["Knows nothing."],
        "notes": [],
    }  # fmt: skip
    return {**card, **changes}


def network_folder(folder: Path, **changes: Any) -> Path:
    """Make a folder with a card and weights that `networks install` takes."""
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(json.dumps(tiny_card(**changes)), encoding="utf-8")
    # The ending lies on purpose: the content decides.
    (folder / "model.pth").write_bytes(whole_safetensors(tiny_weights()))
    return folder


def zip_of(path: Path, members: Iterable[tuple[str | zipfile.ZipInfo, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in members:
            archive.writestr(member, data)
    return path


def fingerprint(folder: Path, leave_out: Iterable[Path] = ()) -> str:
    """Hash of every name, kind and byte below ``folder``: equal when nothing was changed."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if any(path == out or out in path.parents for out in leave_out):
            continue
        digest.update(f"{path.relative_to(folder)}|{path.is_dir()}|{path.is_symlink()}".encode())
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def flipped(data: bytes, rng: random.Random, region: int | None = None) -> bytearray:
    """Some bytes flipped, overwritten, cut out or doubled, below ``region`` where it is given."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        place = rng.randrange(region or len(changed))
        kind = rng.randrange(4)
        if kind == 0:
            changed[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[place : place + 4] = rng.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"])
        elif kind == 2:
            del changed[place : place + rng.randint(1, 64)]
        else:
            changed[place:place] = changed[place : place + rng.randint(1, 64)]
        if not changed:
            return bytearray(b"x")
    return changed
