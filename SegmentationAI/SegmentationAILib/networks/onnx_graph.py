"""ONNX files read as data, before any library opens them: structure, operators, tensors, ends.

An ONNX file is a program of tensor operators (https://onnx.ai/onnx/repo-docs/IR.html). What is
checked here bounds what it can be: one graph without control flow, standard operators alone, one
input, one output, and all numbers where the shapes say. OpenVINO then reads what passed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..core.errors import WeightsError
from . import onnx_schema as schema
from .onnx_tensors import OnnxTensor, tensor_of
from .protobuf_fields import Field, fields_of, text_of

MAX_BYTES: Final = (1 << 31) - 1
MAX_NODES: Final = 20_000
MAX_METADATA: Final = 1 << 20
FLOAT: Final = 1
# Before opset 7 numpy's broadcasting was not ONNX's; 26 is the newest of ONNX 1.21.
OPSETS: Final = range(7, 27)
Sides = tuple[int | None, ...]


@dataclass(frozen=True)
class End:
    """The input or the output: its name, and its sides, None where they may be any."""

    name: str
    sides: Sides


@dataclass(frozen=True)
class OnnxNetwork:
    """What an ONNX file says.

    Attributes:
        input: Single precision, batch and channels first.
        output: The logits.
        tensors: Its initializers in their order.
        metadata: Texts by name.
        model_fields: Of the file.
        graph_fields: Of its graph.
    """

    input: End
    output: End
    tensors: tuple[OnnxTensor, ...]
    metadata: dict[str, str]
    model_fields: tuple[Field, ...]
    graph_fields: tuple[Field, ...]


def onnx_network(data: bytes | memoryview, source: str) -> OnnxNetwork:
    """Return what an ONNX file says, all of it checked but for numbers that lie in other files.

    Args:
        data: The whole file.
        source: Its name, for messages.

    Raises:
        WeightsError: Damaged, or something that is not run here; the message names it.
    """
    if len(data) > MAX_BYTES:
        raise WeightsError(f"{source} has more than {MAX_BYTES} bytes, the most of an ONNX file.")
    fields = fields_of(memoryview(data), schema.MODEL, source)
    graphs = [one.bytes() for one in fields if one.name == "graph"]
    if not graphs:
        raise WeightsError(f"{source} has no graph; it is no ONNX file.")
    _check_opset(fields, source)
    graph = fields_of(graphs[0], schema.GRAPH, f"the graph of {source}")
    nodes = [one.bytes() for one in graph if one.name == "node"]
    if not 0 < len(nodes) <= MAX_NODES:
        raise WeightsError(f"{source} has {len(nodes)} operators; 1 to {MAX_NODES} are a network.")
    for node in nodes:
        _check_node(node, source)
    tensors = tuple(tensor_of(one.bytes(), source) for one in graph if one.name == "initializer")
    names = [tensor.name for tensor in tensors]
    if len(set(names)) != len(names) or "" in names:
        raise WeightsError(f"{source} has two tensors of one name, or one without.")
    ends = {
        kind: [_end(f.bytes(), source) for f in graph if f.name == kind]
        for kind in ("input", "output")
    }
    # Files of before IR version 4 list the tensors among the inputs.
    inputs = [one for one in ends["input"] if one.name not in names]
    return OnnxNetwork(
        _only(inputs, "input", source), _only(ends["output"], "output", source), tensors,
        _metadata(fields, source), tuple(fields), tuple(graph),
    )  # fmt: skip


def _check_opset(fields: Sequence[Field], source: str) -> None:
    versions = []
    for one in fields:
        if one.name != "opset_import":
            continue
        parts = fields_of(one.bytes(), schema.OPSET, source)
        domain = next((text_of(f, source) for f in parts if f.name == "domain"), "")
        version = next((f.number() for f in parts if f.name == "version"), 0)
        if domain in schema.STANDARD_DOMAINS:
            versions.append(version)
    if len(versions) != 1 or versions[0] not in OPSETS:
        raise WeightsError(
            f"{source} uses the operators of versions {versions}; one from {OPSETS.start} to "
            f"{OPSETS.stop - 1} is read. Export it again with a recent opset_version."
        )


def _check_node(node: memoryview, source: str) -> None:
    fields = fields_of(node, schema.NODE, f"an operator of {source}")
    texts = {f.name: text_of(f, source) for f in fields if f.name in ("op_type", "domain")}
    name, domain = texts.get("op_type", ""), texts.get("domain", "")
    if domain not in schema.STANDARD_DOMAINS or any(
        len(f.bytes()) for f in fields if f.name == "overload"
    ):
        raise WeightsError(
            f"{source} has the operator {name[:80]!a} of the domain {domain[:80]!a}; only ONNX's "
            "own operators are run."
        )
    if name not in schema.OPERATORS:
        raise WeightsError(
            f"{source} has the operator {name[:80]!a}, which is not among those of networks that "
            "are run here (no control flow, no random numbers, no texts)."
        )
    place = f"an attribute of {name} in {source}"
    for one in fields:
        if one.name == "attribute":
            for part in fields_of(one.bytes(), schema.ATTRIBUTE, place):
                if part.name == "t" and tensor_of(part.bytes(), source).outside is not None:
                    raise WeightsError(f"{source} has a constant that lies in another file.")


def _end(message: memoryview, source: str) -> End:
    fields = fields_of(message, schema.VALUE, f"an end of {source}")
    name = next((text_of(f, source) for f in fields if f.name == "name"), "")
    place = f"{name[:80]!a} of {source}"
    types = [f for f in fields if f.name == "type"]
    inside = fields_of(types[0].bytes(), schema.TYPE, place) if types else []
    tensors = [f for f in inside if f.name == "tensor_type"]
    parts = fields_of(tensors[0].bytes(), schema.TENSOR_TYPE, place) if tensors else []
    kind = next((f.number() for f in parts if f.name == "elem_type"), 0)
    shapes = [f for f in parts if f.name == "shape"]
    dims = fields_of(shapes[0].bytes(), schema.SHAPE, place) if shapes else []
    return End(name, tuple(_side(dim.bytes(), place) for dim in dims) if kind == FLOAT else ())


def _side(message: memoryview, place: str) -> int | None:
    fields = fields_of(message, schema.DIMENSION, place)
    value = next((f.number() for f in fields if f.name == "dim_value"), None)
    if value is not None and not 0 < value < 1 << 20:
        raise WeightsError(f"{place} has a side of {value} voxels.")
    return value


def _only(ends: list[End], kind: str, source: str) -> End:
    if len(ends) != 1:
        names = ", ".join(ascii(one.name[:40]) for one in ends[:5])
        raise WeightsError(
            f"{source} has {len(ends)} {kind}s ({names}); one is run: export the network with its "
            f"{'volume' if kind == 'input' else 'finest logits'} alone."
        )
    if len(ends[0].sides) not in (4, 5) and (kind == "input" or ends[0].sides):
        raise WeightsError(
            f"{source} has the {kind} {ends[0].name[:40]!a} with {len(ends[0].sides)} axes of "
            "single precision; batch, channels and two or three axes of space are needed."
        )
    return ends[0]


def _metadata(fields: Sequence[Field], source: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in fields:
        if one.name != "metadata_props":
            continue
        parts = fields_of(one.bytes(), schema.ENTRY, source)
        pair = {f.name: text_of(f, source, MAX_METADATA) for f in parts}
        key = pair.get("key", "")
        if key in found:
            raise WeightsError(f"{source} has the metadata {key[:40]!a} twice.")
        found[key] = pair.get("value", "")
    return found
