"""From a card and weights to a network that runs: on which device, by which engine, how precise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from .architectures.meshnet import MeshNet
from .card import NetworkCard
from .device import Device, choose_device
from .dropout_samples import DropoutSamples, switch_dropout_on
from .ensemble import Ensemble
from .expected_shapes import built_network
from .folds import split_folds
from .interleaved_meshnet import InterleavedMeshNet
from .onnx_check import ONNX
from .precision import Precision, choose_precision
from .preparation import Preparation
from .run_meshnet import WholeMeshNet
from .run_onnx import ON_THE_CPU, check_can_run, running_onnx
from .run_openvino import (
    OpenVinoNetwork,
    Shape,
    converted,
    openvino_is_there,
    openvino_precisions,
)
from .run_torch import TorchNetwork
from .running import Patch, RunningNetwork
from .trainable import InferenceForm, TrainableNetwork
from .weights import Weights

__all__ = ["RunningNetwork", "available_precisions", "load_network"]

WITHOUT_OPENVINO = (
    "OpenVINO is not installed: torch ran the network, with the same labels, about half as fast."
)


@dataclass
class _Noted:
    """A running network with notes about how it was chosen before its own."""

    network: RunningNetwork
    first_notes: tuple[str, ...]

    @property
    def out_channels(self) -> int:
        return self.network.out_channels

    @property
    def device_name(self) -> str:
        return self.network.device_name

    @property
    def precision(self) -> str:
        return self.network.precision

    @property
    def notes(self) -> tuple[str, ...]:
        return (*self.first_notes, *self.network.notes)

    def __call__(self, patch: Patch, /) -> Patch:
        return self.network(patch)

    def release_memory(self) -> None:
        self.network.release_memory()

    def close(self) -> None:
        self.network.close()


def load_network(
    card: NetworkCard,
    weights: Weights,
    device: str = "auto",
    precision: str = "auto",
    calibration: Sequence[Patch] = (),
    dropout_samples: int = 0,
    preparation: Preparation | None = None,
) -> RunningNetwork:
    """Return the network of a card, ready to be called.

    Args:
        card: Says the architecture and holds the precision gates.
        weights: Tensors by name, as `weights.read_weights` gives them.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        precision: ``auto``, ``fp32``, ``fp16``, ``bf16`` or ``int8``.
        calibration: Prepared real patches for int8.
        dropout_samples: Answers with dropout that are averaged; 0 runs it without.
        preparation: Told when a network is prepared for this computer.

    Raises:
        WeightsError: The weights are not those of the card's architecture.
        SegmentationAIError: A device or a precision asked for by name that is not there, or
            samples of a network without dropout.
    """
    if card.folds > 1:
        folds = [
            load_network(one, part, device, precision, calibration, dropout_samples, preparation)
            for one, part in split_folds(card, weights)
        ]
        return Ensemble(folds, "logits")
    if card.architecture.name == ONNX:
        return _load_onnx(
            card, weights, device, precision, calibration, dropout_samples, preparation
        )
    module = built_network(card, weights)
    if isinstance(module, TrainableNetwork):
        module = InferenceForm(module).eval()
    found = choose_device(device)
    chosen = choose_precision(card, precision, found.kind, available_precisions(found))
    notes = tuple(note for note in (found.note, chosen.note) if note)
    if dropout_samples:
        # OpenVINO's converted networks have no dropout any more.
        switch_dropout_on(module, card.id)
        network = _by_torch(card, module, found, chosen.precision)
        return _Noted(DropoutSamples(network, dropout_samples, card.output), notes)
    if found.kind == "cpu":
        return _Noted(*_on_cpu(card, module, chosen.precision, notes, calibration, preparation))
    return _Noted(_by_torch(card, module, found, chosen.precision), notes)


def available_precisions(device: Device) -> tuple[Precision, ...]:
    """Return the precisions that a device computes faster than single precision."""
    if device.kind == "cuda":
        return ("fp16", "bf16")
    if device.kind == "mps":
        return ("fp16",)
    return openvino_precisions() if openvino_is_there() else ()


def _on_cpu(
    card: NetworkCard,
    module: nn.Module,
    precision: Precision,
    notes: tuple[str, ...],
    calibration: Sequence[Patch],
    preparation: Preparation | None,
) -> tuple[RunningNetwork, tuple[str, ...]]:
    network: RunningNetwork
    if openvino_is_there():
        identity = f"{card.sha256} {card.architecture.name} {card.architecture.parameters}"
        network = OpenVinoNetwork(
            lambda shape: converted(_for_shape(module, shape), shape),
            identity,
            card.out_channels,
            precision,
            calibration,
            preparation,
        )
    else:
        notes = (*notes, WITHOUT_OPENVINO)
        network = _by_torch(card, module, choose_device("cpu"), precision)
    if isinstance(module, MeshNet):
        network = WholeMeshNet(module, network)
    return network, notes


def _by_torch(
    card: NetworkCard, module: nn.Module, device: Device, precision: Precision
) -> TorchNetwork:
    # Half a patch of a MeshNet is exact with its receptive radius around it; others get 16 voxels.
    halo = module.receptive_radius if isinstance(module, MeshNet) else 16
    multiple = card.divisible_by
    if isinstance(module, InferenceForm):
        multiple = math.lcm(multiple, *module.network.divisors)
    return TorchNetwork(module, card.out_channels, device, precision, multiple=multiple, halo=halo)


def _for_shape(module: nn.Module, shape: Shape) -> nn.Module:
    if not isinstance(module, MeshNet):
        return module
    x, y, z = shape[2:]
    return InterleavedMeshNet(module, (x, y, z))


def _load_onnx(
    card: NetworkCard,
    weights: Weights,
    device: str,
    precision: str,
    calibration: Sequence[Patch],
    dropout_samples: int,
    preparation: Preparation | None,
) -> RunningNetwork:
    found = choose_device(device)
    check_can_run(card, found, device, dropout_samples)
    chosen = choose_precision(card, precision, "cpu", openvino_precisions())
    network = running_onnx(card, weights, chosen.precision, calibration, preparation)
    why = found.note if found.kind == "cpu" else ON_THE_CPU
    return _Noted(network, tuple(note for note in (why, chosen.note) if note))
