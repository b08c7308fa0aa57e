"""Run in a process of its own: ``onnx_child.py SHAPE PACKAGES``, an ONNX file on standard input.

OpenVINO reads the file and computes the shapes for one patch; nothing is run. It prints the shape
of the output as JSON. Like `checkpoint_child` it imports nothing of this package.
"""

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

EXTRA_BYTES = 1 << 30
# A patch of 256^3 with 64 channels has 2^30.
MAX_ELEMENTS = 1 << 31


def main(data: bytes, shape: list[int]) -> list[int]:
    """Return the shape of the output; every refusal ends the process with one line."""
    import openvino

    core = openvino.Core()
    model = core.read_model(data)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        sys.exit(f"it has {len(model.inputs)} inputs and {len(model.outputs)} outputs.")
    if {end.get_element_type() for end in (*model.inputs, *model.outputs)} != {openvino.Type.f32}:
        sys.exit("its input or output is not in single precision.")
    model.reshape(shape)
    for operator in model.get_ordered_ops():
        for output in operator.outputs():
            _check_size(operator.get_type_name(), output.get_partial_shape())
    return [int(side) for side in model.outputs[0].get_shape()]


def _check_size(name: str, shape: Any) -> None:
    if not shape.is_static:
        sys.exit(f"the size of what {name} makes depends on the voxels.")
    elements = 1
    for side in shape.to_shape():
        elements *= int(side)
    if elements > MAX_ELEMENTS:
        sys.exit(f"{name} makes {elements} numbers out of one patch.")


if __name__ == "__main__":
    # Its neighbor alone, for one import: other files here have names that packages have too.
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    checkpoint_child = importlib.import_module("checkpoint_child")
    del sys.path[0]
    checkpoint_child.leave_the_network()
    checkpoint_child.put_packages(sys.argv[2].split(os.pathsep))
    whole = sys.stdin.buffer.read()
    try:
        import openvino  # noqa: F401  # before the limit, which counts from what is taken already

        checkpoint_child.limit_memory(EXTRA_BYTES + 6 * len(whole))
        sys.stdout.write(json.dumps(main(whole, json.loads(sys.argv[1]))) + "\n")
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        sys.exit(f"{type(error).__name__}: {(lines or [''])[-1][:250]}")
