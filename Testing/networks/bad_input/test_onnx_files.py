"""ONNX files that want out, want more than arithmetic, or lie. Each has the same harmless twin."""

import re
import subprocess

import numpy as np
import onnx
import onnx_networks as book
import pytest
from onnx import TensorProto, helper, numpy_helper

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks.expected_shapes import check_architecture
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.onnx_graph import onnx_network
from SegmentationAILib.networks.protobuf_fields import counted
from SegmentationAILib.networks.store import NetworkStore

FLOAT = TensorProto.FLOAT


@pytest.fixture(scope="session")
def a_good_file(tmp_path_factory):
    return book.exported(book.module(), tmp_path_factory.mktemp("onnx") / "net.onnx")


@pytest.fixture(scope="session")
def the_bytes(a_good_file):
    return a_good_file.read_bytes()


def largest(graph):
    return max(graph.initializer, key=lambda tensor: len(tensor.raw_data))


def outside(location, **entries):
    """Move the largest tensor to another file."""

    def bend(model):
        tensor = largest(model.graph)
        size = len(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, "length": str(size), **entries}.items():
            tensor.external_data.add(key=key, value=value)

    return bend


def operator(name, domain="", **attributes):
    """Let the volume pass another operator first."""

    def bend(model):
        node = helper.make_node(name, ["volume"], ["bent"], domain=domain, **attributes)
        first = model.graph.node[0]
        first.input[0] = "bent"
        model.graph.node.insert(0, node)

    return bend


def subgraph():
    value = helper.make_tensor_value_info("x", FLOAT, None)
    return helper.make_graph([helper.make_node("Identity", ["volume"], ["x"])], "g", [], [value])


def numbers(model):
    tensor = largest(model.graph)
    array = numpy_helper.to_array(tensor).copy()
    array.flat[3] = np.nan
    tensor.raw_data = array.tobytes()


def bomb(model):
    """A constant of 2^36 numbers out of a file of some bytes, added to the volume."""
    sides = numpy_helper.from_array(np.array([1, 1 << 12, 1 << 12, 1 << 12], np.int64), "sides")
    model.graph.initializer.append(sides)
    nodes = [
        helper.make_node("ConstantOfShape", ["sides"], ["many"]),
        helper.make_node("ReduceMax", ["many"], ["one"], keepdims=0),
        helper.make_node("Add", ["volume", "one"], ["bent"]),
    ]
    model.graph.node[0].input[0] = "bent"
    for node in reversed(nodes):
        model.graph.node.insert(0, node)


def doubled(model):
    model.graph.initializer.append(model.graph.initializer[0])


def dims(model):
    largest(model.graph).dims[0] += 1


def int4(model):
    largest(model.graph).data_type = TensorProto.INT4


def typed_twice(model):
    largest(model.graph).float_data.extend([1.0, 2.0])


def second_output(model):
    name = model.graph.node[0].output[0]
    model.graph.output.append(helper.make_tensor_value_info(name, FLOAT, None))


def second_input(model):
    model.graph.input.append(helper.make_tensor_value_info("other", FLOAT, [1, 1, 4, 4, 4]))


def half_input(model):
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16


def fewer_axes(model):
    del model.graph.input[0].type.tensor_type.shape.dim[2:]


def old(model):
    model.opset_import[0].version = 3


def function(model):
    model.functions.append(helper.make_function("own", "F", ["a"], ["b"], [], []))


def training(model):
    model.training_info.add()


def sparse(model):
    values = numpy_helper.from_array(np.ones(1, np.float32), "s")
    places = numpy_helper.from_array(np.zeros(1, np.int64), "i")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [4]))


def cycle(model):
    model.graph.node[0].input[0] = model.graph.node[-1].output[0]


HOSTILE = {
    "weights in /etc": (outside("/etc/passwd"), "not a file of its own folder"),
    "weights above the folder": (outside("../secret.bin"), "not a file of its own folder"),
    "weights above by a way around": (outside("a/../../secret.bin"), "not a file of its own"),
    "weights by a path of Windows": (outside("..\\secret.bin"), "not a file of its own folder"),
    "weights on a drive": (outside("C:secret.bin"), "not a file of its own folder"),
    "weights behind a link": (outside("link.bin"), "which is not there"),
    "weights that are absent": (outside("absent.bin"), "which is not there"),
    "weights beyond the end": (outside("short.bin"), "beyond the end"),
    "weights of another length": (outside("short.bin", length="3"), "external data of '3' bytes"),
    "weights at no place": (outside("short.bin", offset="-1"), "at '-1'"),
    "weights by an unknown entry": (outside("short.bin", url="http://x"), "'url'"),
    "an operator of another domain": (operator("Run", domain="com.evil"), "'com.evil'"),
    "control flow": (operator("Loop", body=subgraph()), "'Loop'"),
    "control flow under another name": (operator("Relu", body=subgraph()), "field 6"),
    "a random number": (operator("RandomNormalLike"), "'RandomNormalLike'"),
    "a local function": (function, "field 25"),
    "a training step": (training, "field 20"),
    "a sparse tensor": (sparse, "field 15"),
    "a number that is none": (numbers, "NaN"),
    "a constant of 2^36 numbers": (bomb, "cannot be run by OpenVINO"),
    "two tensors of one name": (doubled, "two tensors of one name"),
    "a shape that is larger than its numbers": (dims, "its shape needs"),
    "a type that is not read": (int4, "type 22"),
    "numbers in two places": (typed_twice, "several places"),
    "two outputs": (second_output, "2 outputs"),
    "two inputs": (second_input, "2 inputs"),
    "half precision": (half_input, "axes of single precision"),
    "no axes of space": (fewer_axes, "2 axes"),
    "operators of another time": (old, r"versions \[3\]"),
    "operators in a circle": (cycle, "cannot be run by OpenVINO"),
}  # fmt: skip
# Those that pass our own reader and are caught by OpenVINO's shapes, in its child process.
BY_SHAPES = ("a constant of 2^36 numbers", "operators in a circle")


@pytest.fixture
def refused(tmp_path):
    """Install a folder that is refused, and return the sentence."""
    store = NetworkStore(tmp_path / "home")

    def install_it(path, **changes):
        folder = book.with_card(path, **changes)
        with pytest.raises(WeightsError) as raised:
            install(store, InstallRequest(str(folder), "net"), check_architecture)
        assert not any(p.name == "net" for p in (store.folder.glob("*")))
        return str(raised.value)

    return install_it


@pytest.fixture
def a_place(tmp_path):
    """A folder with files that hostile locations name."""
    folder = tmp_path / "net"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(1 << 16))
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    (folder / "short.bin").write_bytes(bytes(40))
    return folder / "net.onnx"


@pytest.mark.parametrize("name", HOSTILE)
def test_what_wants_more_than_arithmetic_is_refused(name, the_bytes, a_place, refused, monkeypatch):
    bend, words = HOSTILE[name]
    model = onnx.load_from_string(the_bytes)
    bend(model)
    a_place.write_bytes(model.SerializeToString())
    if name not in BY_SHAPES:
        monkeypatch.setattr(subprocess, "run", None)  # no library may see it
    assert re.search(words, refused(a_place))


def test_the_twin_that_was_read_and_written_alike_is_installed(the_bytes, a_place, tmp_path):
    a_place.write_bytes(onnx.load_from_string(the_bytes).SerializeToString())
    (a_place.parent / "short.bin").unlink()
    store = NetworkStore(tmp_path / "home")
    folder = book.with_card(a_place)
    assert install(store, InstallRequest(str(folder), "net"), check_architecture).card.labels


CARDS = {
    "another number of channels": (
        {"channels": [{"role": "t1"}, {"role": "t2"}]}, "1 channels at once",
    ),
    "another number of labels": (
        {"labels": [{"value": 1, "name": "a", "color": [9, 9, 9]}]}, "its card needs",
    ),
    "patches that it does not take": ({"patch_size": [17, 19, 13], "divisible_by": 1}, "OpenVINO"),
    "another hash": ({"sha256": "1" * 64}, "SHA-256"),
}  # fmt: skip


@pytest.mark.parametrize("name", CARDS)
def test_a_card_of_another_network_is_refused(name, the_bytes, a_place, refused):
    a_place.write_bytes(the_bytes)
    changes, words = CARDS[name]
    assert words in refused(a_place, **changes)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!doctype html><p>Not found", "html"),
        (b"\x80\x04cos\nsystem\n.", "pickle"),
        (b"", "no graph"),
        (b"\x3a", "cut off"),
        (b"\x08\x07" * 2, "twice"),
        (b"\x0b\x0c", "not known"),
        (b"\x3a" + b"\xff" * 11, "too long"),
    ],
)
def test_what_is_no_onnx_file_is_refused(content, words, a_place, refused):
    a_place.write_bytes(content)
    assert words in refused(a_place)


def test_a_graph_that_comes_twice_is_refused(the_bytes):
    """Readers of protobuf merge them: what one of them sees, another need not."""
    with pytest.raises(WeightsError, match="graph twice"):
        onnx_network(the_bytes + counted(7, b""), "net.onnx")


def test_mutated_files_are_read_or_refused_with_a_sentence(the_bytes):
    rng = np.random.default_rng(11)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(400):
        data = bytearray(the_bytes)
        for place in rng.integers(0, len(data), rng.integers(1, 6)):
            data[place] = rng.integers(0, 256)
        if rng.random() < 0.3:
            del data[int(rng.integers(0, len(data))) :]
        try:
            onnx_network(bytes(data), "net.onnx")
            outcomes["read"] += 1
        except WeightsError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 20
