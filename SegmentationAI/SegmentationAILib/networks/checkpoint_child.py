"""Run in a process of its own: ``checkpoint_child.py IN OUT PACKAGES``, checkpoint to safetensors.

It imports nothing of this package, so that an isolated Python can run it by its path. The memory
limit (Linux only; other systems have none that a process can set for itself) is counted from what
torch itself takes.
"""

import os
import sys
from pathlib import Path
from typing import Any

EXTRA_BYTES = 512 << 20
NESTED_UNDER = ("state_dict", "model_state_dict", "model", "net")


def main(path: Path, target: Path) -> None:
    """Convert ``path``; every refusal ends the process with one line on standard error."""
    import safetensors.torch
    import torch

    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 10):
        sys.exit(f"torch {torch.__version__} opens files of others unsafely; 2.10 is needed.")
    _limit_memory(EXTRA_BYTES + 4 * path.stat().st_size)
    with path.open("rb") as stream:  # by its name, torch would choose a reader by the ending
        found = torch.load(stream, weights_only=True, mmap=False, map_location="cpu")
    tensors = {name: _plain(value, name) for name, value in _table(found).items()}
    safetensors.torch.save_file(tensors, str(target))


def _table(found: Any) -> dict[str, Any]:
    for key in NESTED_UNDER:
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
            break
    if not isinstance(found, dict) or not found:
        sys.exit("it holds no table of tensors.")
    return found


def _plain(value: Any, name: Any) -> Any:
    import torch

    if not isinstance(name, str) or not isinstance(value, torch.Tensor):
        sys.exit(f"its entry {str(name)[:80]!a} is no tensor.")
    if value.is_sparse or value.is_quantized or value.is_complex():
        sys.exit(f"its tensor {name[:80]!a} is not a plain array of real numbers.")
    # A copy of its own: tensors of a checkpoint may share or skip parts of a storage.
    return value.detach().clone(memory_format=torch.contiguous_format)


def _limit_memory(extra_bytes: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + extra_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    # After the standard library, as `core.child_python.PUT_FOLDERS` does it.
    places = [n for n, path in enumerate(sys.path) if path.endswith("-packages")]
    first = places[0] if places else len(sys.path)
    sys.path[first:first] = sys.argv[3].split(os.pathsep)
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}")
