"""ONNX networks run by OpenVINO, which reads them as they are."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.errors import SegmentationAIError, WeightsError
from .card import NetworkCard
from .device import Device
from .onnx_check import NEEDS_OPENVINO, onnx_bytes
from .precision import Precision
from .preparation import Preparation
from .run_openvino import OpenVinoNetwork, Shape, openvino_is_there
from .running import Patch
from .weights import Weights

ON_THE_CPU = "An ONNX network is run by OpenVINO on the CPU; the GPU was not used."
PLANE_AXES = 4


def check_can_run(card: NetworkCard, device: Device, requested: str, dropout_samples: int) -> None:
    """Check what is asked of an ONNX network.

    Raises:
        WeightsError: OpenVINO is not installed.
        SegmentationAIError: A GPU was asked for by name, or answers with dropout.
    """
    if not openvino_is_there():
        raise WeightsError(NEEDS_OPENVINO.format(card.id))
    if dropout_samples:
        raise SegmentationAIError(
            f"{card.id} is an ONNX network and has no dropout any more; ask for mirrored copies or "
            "an ensemble."
        )
    if device.kind != "cpu" and requested != "auto":
        raise SegmentationAIError(
            f"{card.id} is an ONNX network, which OpenVINO runs on the CPU alone; ask for the "
            "device cpu or auto."
        )


def running_onnx(
    card: NetworkCard,
    weights: Weights,
    precision: Precision,
    calibration: Sequence[Patch] = (),
    preparation: Preparation | None = None,
) -> OpenVinoNetwork:
    """Return the network of an ONNX file, ready to be called.

    Args:
        card: Whose weights were checked when they were installed (see `onnx_check`).
        weights: As they are stored.
        precision: ``fp32``, ``bf16`` or ``int8``.
        calibration: Prepared real patches for int8.
        preparation: Told before it is read.

    Raises:
        WeightsError: The weights hold no such file.
    """
    data = onnx_bytes(card, weights)
    return OpenVinoNetwork(
        lambda shape: onnx_model(data, shape), f"{card.sha256} onnx", card.out_channels, precision,
        calibration, preparation,
    )  # fmt: skip


def onnx_model(data: bytes, shape: Shape) -> Any:
    """Return the OpenVINO model for patches of one shape ``(1, C, X, Y, Z)``.

    A network of planes, ``(1, C, X, Y)``, takes and answers patches of one slice.
    """
    import openvino

    model = openvino.Core().read_model(data)
    if len(model.inputs[0].get_partial_shape()) == PLANE_AXES:
        _make_volumetric(model, shape)
    model.reshape(list(shape))
    return model


def _make_volumetric(model: Any, shape: Shape) -> None:
    import openvino
    from openvino import opset13 as ops

    last = ops.constant(np.array([PLANE_AXES], np.int64))
    plane = model.get_parameters()[0]
    volume = ops.parameter(list(shape), openvino.Type.f32)
    plane.output(0).replace(ops.squeeze(volume, last).output(0))
    model.replace_parameter(0, volume)
    result = model.get_results()[0]
    result.input(0).replace_source_output(ops.unsqueeze(result.input_value(0), last).output(0))
    model.validate_nodes_and_infer_types()
