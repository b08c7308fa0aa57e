"""Run by path inside a new environment: which packages are there, do they import, does a GPU work.

Reads ``{"folder", "names", "kernel"}`` as JSON from standard input and answers one line of JSON.
Standard library alone, but for PyTorch, whose kernels it runs.
"""

import importlib
import importlib.metadata
import json
import os
import sys
from pathlib import Path
from typing import Any

_NOT_CODE = {"test", "tests", "docs", "doc", "examples", "benchmark", "benchmarks", "bin", "share"}
SIDE = 64


def main() -> None:
    """Answer the question on standard input."""
    answer_to = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a package prints while it is imported is not the answer
    question = json.load(sys.stdin)
    folder = question["folder"]
    if folder not in sys.path:
        sys.path.insert(0, folder)
    found = {
        _normal(distribution.metadata["Name"]): distribution
        for distribution in importlib.metadata.distributions(path=[folder])
    }
    names = question["names"]
    answer = {
        "versions": {name: found[name].version for name in names if name in found},
        "failed": {
            name: why for name in names if name in found for why in [_why(found[name])] if why
        },
    }
    if question["kernel"] and "torch" in found and "torch" not in answer["failed"]:
        answer["device"] = _device()
    answer_to.write(json.dumps(answer) + "\n")
    answer_to.close()


def _normal(name: str) -> str:
    return name.replace("_", "-").replace(".", "-").lower()


def _why(distribution: importlib.metadata.Distribution) -> str:
    """Return why one of the package's modules cannot be imported, empty when all can."""
    for name in sorted(_modules(distribution)):
        try:
            importlib.import_module(name)
        except Exception as error:
            return f"{type(error).__name__}: {error}".splitlines()[0][:300]
    return ""


def _modules(distribution: importlib.metadata.Distribution) -> set[str]:
    """Return the modules to try: the one of the package's name, or all when none is.

    PyTorch's tools for its own developers lie beside it and may want more than is installed.
    """
    listed = (distribution.read_text("top_level.txt") or "").split()
    if not listed:
        for file in distribution.files or ():
            path = Path(file)
            top = path.parts[0]
            if len(path.parts) == 1 and path.suffix not in (".py", ".so", ".pyd"):
                continue
            if len(path.parts) == 2 and path.name != "__init__.py":
                continue
            listed.append(top.split(".")[0] if len(path.parts) == 1 else top)
    names = {
        name
        for name in listed
        if name.isidentifier() and not name.startswith("_") and name not in _NOT_CODE
    }
    own = {name for name in names if _normal(name) == _normal(distribution.metadata["Name"])}
    return own or names


def _device() -> dict[str, Any]:
    """Return the device on which a kernel gave the right number, and why not a better one."""
    import torch

    facts = {"kind": "cpu", "name": "", "reason": "", "torch": str(torch.__version__)}
    if torch.cuda.is_available():
        kind = "cuda"
    elif torch.backends.mps.is_available():
        kind = "mps"
    else:
        kind = "cpu"
        built = torch.version.cuda
        facts["reason"] = (
            f"PyTorch {torch.__version__} finds no GPU"
            if built
            else "PyTorch was built without CUDA"
        )
    if kind != "cpu":
        try:
            name = torch.cuda.get_device_name(0) if kind == "cuda" else "Apple GPU"
            _check(torch, kind)
            facts.update(kind=kind, name=name)
        except Exception as error:
            why = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
            facts["reason"] = f"a kernel failed on the GPU ({why})"
    if facts["kind"] == "cpu":
        _check(torch, "cpu")
    return facts


def _check(torch: Any, kind: str) -> None:
    """Run a product and a convolution whose results are known without a computer."""
    ones = torch.ones((SIDE, SIDE), device=kind)
    product = float((ones @ ones).sum().item())
    cube = torch.ones((1, 1, 8, 8, 8), device=kind)
    kernel = torch.ones((1, 1, 3, 3, 3), device=kind)
    convolved = float(torch.nn.functional.conv3d(cube, kernel).sum().item())
    if product != SIDE**3 or convolved != 6**3 * 27:
        raise RuntimeError(f"wrong numbers: {product}, {convolved}")


if __name__ == "__main__":
    main()
