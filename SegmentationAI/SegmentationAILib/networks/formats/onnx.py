"""ONNX networks: one file, with a card beside it or in its metadata.

ONNX says how logits are computed and not what they mean, or what the network wants to see: a card
of ours says that. The file stays what it is, for its operators are the network: it is kept whole as
the one tensor of the stored weights, and OpenVINO runs it. Weights that lie in files beside it (as
PyTorch exports them) are taken in; only files of the same folder are.
"""

import re
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np

from ...core.errors import WeightsError
from ..card import NetworkCard
from ..card_reader import MAX_CARD_BYTES, card_from_bytes
from ..network_source import CARD, NetworkSource
from ..onnx_check import ONNX
from ..onnx_graph import MAX_BYTES, OnnxNetwork, onnx_network
from ..onnx_tensors import OnnxTensor, check_finite
from ..protobuf_fields import counted
from ..weights import check_sha256, kind_of, sha256_of
from .format import FoundFiles, source_of_weights

ENDING: Final = ".onnx"
METADATA: Final = "segmentationai.card"
# Numbers of fields of `onnx_schema`: the graph of a file, a tensor of a graph, its raw numbers.
GRAPH, INITIALIZER, RAW_DATA = 7, 5, 9
_OUTSIDE: Final = ("external_data", "data_location")


def recognizes(found: FoundFiles) -> bool:
    """Return whether a file here has the ending, and none that of other weights."""
    endings = [name.suffix.lower() for name in found.names]
    return ENDING in endings and ".safetensors" not in endings


def read(found: FoundFiles, staging: Path) -> NetworkSource:
    """Return the one network of these files.

    Raises:
        WeightsError: Several, none that can be run, no card, or weights that lie elsewhere.
    """
    names = [name for name in found.names if name.suffix.lower() == ENDING]
    if len(names) != 1:
        raise WeightsError(f"{found.root.name} holds {len(names)} ONNX files; one is a network.")
    path, source = found.path(names[0]), names[0].name
    if (kind := kind_of(path)) != "other":
        raise WeightsError(f"{source} is no ONNX file but has the content of: {kind}.")
    if path.stat().st_size > MAX_BYTES:
        raise WeightsError(f"{source} has more than {MAX_BYTES} bytes, the most of an ONNX file.")
    data = path.read_bytes()
    network = onnx_network(data, source)
    card = _card(found.below(names[0].parent), path, network)
    whole = _with_outside_data(data, network, found.below(names[0].parent), source)
    card = replace(card, converted_from=sha256_of(path))
    return source_of_weights(card, {ONNX: np.frombuffer(whole, np.uint8)}, staging)


def _card(found: FoundFiles, path: Path, network: OnnxNetwork) -> NetworkCard:
    if PurePosixPath(CARD) in found.names:
        place = found.path(CARD)
        if place.stat().st_size > MAX_CARD_BYTES:
            raise WeightsError(f"The {CARD} of {path.name} has more than {MAX_CARD_BYTES} bytes.")
        card = card_from_bytes(place.read_bytes(), f"{CARD} of {path.name}")
        check_sha256(path, card.sha256)
    elif METADATA in network.metadata:
        text = network.metadata[METADATA]
        card = card_from_bytes(text.encode(), f"the metadata of {path.name}")
    else:
        raise WeightsError(
            f"{path.name} has no {CARD} beside it and no metadata {METADATA!a}: what it needs and "
            "what its channels mean is unknown. Put a card beside it."
        )
    if card.architecture.name != ONNX:
        raise WeightsError(
            f"The card of {path.name} names the architecture {card.architecture.name}; for an ONNX "
            f"file it is {ONNX}."
        )
    return card


def _with_outside_data(data: bytes, network: OnnxNetwork, found: FoundFiles, source: str) -> bytes:
    """Return the file with all of its numbers inside."""
    if not any(tensor.outside for tensor in network.tensors):
        return data
    tensors = iter(network.tensors)
    graph = []
    for field in network.graph_fields:
        tensor = next(tensors) if field.name == "initializer" else None
        is_outside = tensor is not None and tensor.outside is not None
        graph.append(
            _taken_in(tensor, found, source) if is_outside and tensor else bytes(field.whole)
        )
    inside = b"".join(graph)
    whole = b"".join(
        counted(GRAPH, inside) if field.name == "graph" else bytes(field.whole)
        for field in network.model_fields
    )
    if len(whole) > MAX_BYTES:
        raise WeightsError(f"{source} has more than {MAX_BYTES} bytes with its weights.")
    return whole


def _taken_in(tensor: OnnxTensor, found: FoundFiles, source: str) -> bytes:
    """Return a tensor as a field of the graph, with its numbers inside."""
    outside = tensor.outside
    assert outside is not None
    path = _place(outside.location, found, source)
    if outside.offset + outside.size > path.stat().st_size:
        raise WeightsError(
            f"The tensor {tensor.name[:80]!a} of {source} lies beyond the end of {path.name}."
        )
    with path.open("rb") as stream:
        stream.seek(outside.offset)
        raw = stream.read(outside.size)
    check_finite(raw, tensor.kind, f"The tensor {tensor.name[:80]!a} of {source}")
    kept = b"".join(bytes(one.whole) for one in tensor.fields if one.name not in _OUTSIDE)
    return counted(INITIALIZER, kept + counted(RAW_DATA, raw))


def _place(location: str, found: FoundFiles, source: str) -> Path:
    """Return the file of a location: a plain relative name of one of the files at hand."""
    name = PurePosixPath(location)
    is_plain = re.fullmatch(r"[^\x00-\x1f\\:*?\"<>|~]{1,255}", location) is not None
    if not is_plain or name.is_absolute() or ".." in name.parts:
        raise WeightsError(
            f"{source} has weights in {location[:80]!a}, which is not a file of its own folder."
        )
    if name not in found.names:
        raise WeightsError(
            f"{source} has weights in {location[:80]!a}, which is not there; install the folder "
            "that holds both."
        )
    return found.path(name)
