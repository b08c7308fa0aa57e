"""Does an ONNX network fit its card: channels, patches, and what OpenVINO makes of it."""

import json
import os
import subprocess
from pathlib import Path
from typing import Final

import numpy as np

from ..core.child_python import child_environment, child_words, package_folders
from ..core.errors import WeightsError
from .card import NetworkCard
from .onnx_graph import OnnxNetwork, onnx_network
from .weights import Weights

# Name of the architecture on a card, and of the one tensor that holds the file's bytes.
ONNX: Final = "onnx"
CHILD: Final = Path(__file__).with_name("onnx_child.py")
SECONDS: Final = 120
# A whole grid to try: a multiple of the card's divisor, at least as long.
TRIED_SIDE: Final = 32
NEEDS_OPENVINO: Final = (
    "{} is an ONNX network, which OpenVINO runs, and OpenVINO is not installed: install the "
    "package openvino (the program's own requirements have it)."
)


def check_onnx(card: NetworkCard, weights: Weights) -> None:
    """Check an ONNX network against its card, then its shapes in a process without network.

    Raises:
        WeightsError: Not an ONNX file that is run here, or other channels or patches than the
            card's; the message names them.
    """
    data = onnx_bytes(card, weights)
    shape = _patch_shape(card, onnx_network(data, card.id))
    if not package_folders("openvino"):
        raise WeightsError(NEEDS_OPENVINO.format(card.id))
    found = _shape_of_output(data, shape, card.id)
    wanted = [1, card.out_channels, *shape[2:]]
    if found != wanted:
        raise WeightsError(
            f"{card.id} makes logits of shape {found} out of a patch {shape}; its card needs "
            f"{wanted}."
        )


def onnx_bytes(card: NetworkCard, weights: Weights) -> bytes:
    """Return the ONNX file that the weights of such a card hold.

    Raises:
        WeightsError: They hold something else.
    """
    found = weights.get(ONNX)
    if len(weights) != 1 or found is None or found.dtype != np.uint8 or found.ndim != 1:
        raise WeightsError(
            f"The weights of {card.id} have {len(weights)} tensors; its card is that of an ONNX "
            f"network, whose file is one tensor {ONNX!a} of bytes."
        )
    data = found.tobytes()
    if any(tensor.outside for tensor in onnx_network(data, card.id).tensors):
        raise WeightsError(f"{card.id} has weights outside its ONNX file.")
    return data


def _patch_shape(card: NetworkCard, network: OnnxNetwork) -> list[int]:
    """Return the shape of one patch as the network takes it."""
    batch, channels, *sides = network.input.sides
    if batch not in (None, 1) or channels not in (None, len(card.channels)):
        raise WeightsError(
            f"{card.id} takes {batch or 'any'} patches of {channels or 'any'} channels at once; "
            f"its card has one of {len(card.channels)} channels."
        )
    tried = card.divisible_by * -(-TRIED_SIDE // card.divisible_by)
    patch = list(card.patch_size or card.size or [tried] * 3)
    if len(sides) == 2 and (card.patch_size is None or patch.pop() != 1):
        raise WeightsError(
            f"{card.id} is a network of planes; its card has to give a patch_size, such as "
            "(256, 256, 1)."
        )
    is_fixed = card.patch_size is not None or card.size is not None
    if any(
        side not in (None, own) or (side and not is_fixed)
        for side, own in zip(sides, patch, strict=True)
    ):
        raise WeightsError(
            f"{card.id} takes patches of {[side or 'any' for side in sides]} voxels alone; its "
            f"card has the patch_size {card.patch_size}."
        )
    return [1, len(card.channels), *patch]


def _shape_of_output(data: bytes, shape: list[int], name: str) -> list[int]:
    words = [*child_words(), str(CHILD), json.dumps(shape)]
    words.append(os.pathsep.join(package_folders("openvino", "numpy")))
    try:
        child = subprocess.run(
            words, input=data, capture_output=True, env=child_environment(), timeout=SECONDS,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise WeightsError(f"{name} could not be read by OpenVINO within {SECONDS} s.") from error
    lines = child.stdout.decode("utf-8", "replace").strip().splitlines()
    if child.returncode != 0 or not lines:
        told = child.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = told[-1][:300] if told else f"its reader ended with status {child.returncode}"
        raise WeightsError(
            f"{name} cannot be run by OpenVINO with patches of {shape[2:]}: {reason}"
        )
    return [int(side) for side in json.loads(lines[-1])]
