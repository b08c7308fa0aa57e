"""Networks run by OpenVINO on a CPU: converted once per patch shape, then about twice as fast.

Converting traces no forward pass (torch.export works on shapes alone): 4 to 9 s, kept on disk.
OpenVINO would take bf16 by itself where the CPU has it; here the precision is always stated.
"""

import contextlib
import hashlib
import importlib.util
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from .device import physical_cores
from .openvino_cache import cache_folder, cache_key, read_or_convert
from .precision import Precision
from .preparation import Preparation
from .running import Patch

Shape = tuple[int, ...]
HINTS: Final = {"fp32": "f32", "bf16": "bf16"}


def openvino_is_there() -> bool:
    """Return whether OpenVINO is installed."""
    return importlib.util.find_spec("openvino") is not None


def openvino_precisions() -> tuple[Precision, ...]:
    """Return the precisions that this CPU computes faster than single precision."""
    import openvino

    able = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    found: list[Precision] = []
    if "BF16" in able:
        found.append("bf16")
    if "INT8" in able and importlib.util.find_spec("nncf") is not None:
        found.append("int8")
    return tuple(found)


class OpenVinoNetwork:
    """A `RunningNetwork` on the CPU.

    Args:
        model_for: Gives OpenVINO's model for patches of shape ``(1, C, X, Y, Z)``.
        identity: Says which weights in which architecture; part of the key of what is kept.
        out_channels: Channels of the logits.
        precision: ``fp32``, ``bf16`` or ``int8``.
        calibration: Prepared real patches ``(1, C, X, Y, Z)`` for int8. Where there are none, the
            first patch that is run calibrates, and a note says so.
        preparation: Told before a network is converted, which takes seconds.

    Raises:
        ImportError: OpenVINO (or NNCF, for int8) is not installed.
    """

    device_name = "cpu"

    def __init__(
        self,
        model_for: Callable[[Shape], Any],
        identity: str,
        out_channels: int,
        precision: Precision = "fp32",
        calibration: Sequence[Patch] = (),
        preparation: Preparation | None = None,
    ) -> None:
        import openvino

        self.out_channels = out_channels
        self.precision: str = precision
        self._model_for, self._identity = model_for, identity
        self._calibration = calibration
        self._preparation = preparation or Preparation()
        self._openvino = openvino
        self._core = openvino.Core()
        self._compiled: dict[Shape, Any] = {}
        self._notes: list[str] = []

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done otherwise than asked."""
        return tuple(self._notes)

    def __call__(self, patch: Patch, /) -> Patch:
        """Return logits ``(B, K, X, Y, Z)`` of a patch ``(B, C, X, Y, Z)``."""
        patch = np.ascontiguousarray(patch, np.float32)
        logits = np.empty((len(patch), self.out_channels, *patch.shape[2:]), np.float32)
        for number in range(len(patch)):
            one = patch[number : number + 1]
            request = self._request(one)
            # Both arrays are handed over as they lie; nothing is copied.
            request.set_input_tensor(self._openvino.Tensor(one, shared_memory=True))
            answer = self._openvino.Tensor(logits[number : number + 1], shared_memory=True)
            request.set_output_tensor(answer)
            request.infer()
        return logits

    def release_memory(self) -> None:
        """Give back working memory; the next call takes it again."""
        for request in self._compiled.values():
            request.get_compiled_model().release_memory()

    def close(self) -> None:
        """Give back all memory."""
        self._compiled.clear()

    def _request(self, patch: Patch) -> Any:
        shape = patch.shape
        if shape not in self._compiled:
            # One shape at a time: each holds its own working memory.
            self._compiled.clear()
            settings = {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": physical_cores(),
                "INFERENCE_PRECISION_HINT": self._hint(),
                # Not one folder for all: OpenVINO 2026.4 takes what it compiled in f32 for bf16
                # too, and then answers nonsense (Dice 0.6) without an error.
                "CACHE_DIR": str(cache_folder() / f"compiled-{self.precision}-{self._hint()}"),
            }
            compiled = self._core.compile_model(self._model(patch), "CPU", settings)
            self._compiled[shape] = compiled.create_infer_request()
        return self._compiled[shape]

    def _hint(self) -> str:
        if self.precision == "int8":
            # What is not quantized runs in the fastest type there is.
            return "bf16" if "bf16" in openvino_precisions() else "f32"
        return HINTS[self.precision]

    def _model(self, patch: Patch) -> Any:
        parts = [self._identity, str(patch.shape), self._openvino.__version__]
        if self.precision != "int8":
            convert = lambda: self._converted(patch)  # noqa: E731
        else:
            examples = list(self._calibration) or [patch]
            if not self._calibration:
                self._notes.append("The first patch of this volume calibrated the int8 network.")
            parts += ["int8", _hash(examples)]
            convert = lambda: self._quantized(patch, examples)  # noqa: E731
        model, note = read_or_convert(self._core, cache_key(*parts), convert, self._save)
        if note:
            self._notes.append(note)
        return model

    def _converted(self, patch: Patch) -> Any:
        self._preparation.begins()
        return self._model_for(patch.shape)

    def _quantized(self, patch: Patch, examples: Sequence[Patch]) -> Any:
        import nncf

        logging.getLogger("nncf").setLevel(logging.ERROR)
        model = self._converted(patch)
        cut = [np.ascontiguousarray(example, np.float32) for example in examples]
        with _quiet():
            return nncf.quantize(model, nncf.Dataset(cut), subset_size=len(cut))

    def _save(self, model: Any, path: Path) -> None:
        self._openvino.save_model(model, path, compress_to_fp16=False)


def converted(module: nn.Module, shape: Shape) -> Any:
    """Return the OpenVINO model of a module for patches of one shape ``(1, C, X, Y, Z)``."""
    import openvino

    with _quiet(), torch.inference_mode(mode=False), torch.no_grad():
        program = torch.export.export(module.eval(), (torch.zeros(shape),))
        model = openvino.convert_model(program)
    model.reshape(list(shape))
    return model


def _hash(examples: Sequence[Patch]) -> str:
    digest = hashlib.sha256()
    for example in examples:
        digest.update(str(example.shape).encode())
        digest.update(np.ascontiguousarray(example).tobytes())
    return digest.hexdigest()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the converters' own warnings about deprecated calls of torch from the person."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
