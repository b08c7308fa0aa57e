"""Run in a process of its own: ``checkpoint_child.py IN OUT PACKAGES [FACTS]``.

It turns a checkpoint into safetensors, and what a trainer noted beside them into JSON.

It imports nothing of this package, so that an isolated Python can run it by its path. The memory
limit (Linux only; other systems have none that a process can set for itself) is counted from what
torch itself takes.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

EXTRA_BYTES = 512 << 20
# CLONE_NEWNET and CLONE_NEWUSER of <linux/sched.h>.
NEW_NETWORK, NEW_USER = 0x40000000, 0x10000000
NESTED_UNDER = ("state_dict", "model_state_dict", "model", "net", "network_weights")
# What nnU-Net notes; of "init_args" only the configuration, for the rest holds its plans again.
FACTS = ("trainer_name", "inference_allowed_mirroring_axes", "configuration")
# What Auto3DSeg notes in its "config" and the steps around its network depend on.
SETTINGS = (
    "network", "sigmoid", "orientation_ras", "crop_foreground", "resample_resolution",
    "normalize_mode", "intensity_bounds", "roi_size", "extra_modalities",
)  # fmt: skip


def main(path: Path, target: Path, facts: Path | None) -> None:
    """Convert ``path``; every refusal ends the process with one line on standard error."""
    import safetensors.torch
    import torch

    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 10):
        sys.exit(f"torch {torch.__version__} opens files of others unsafely; 2.10 is needed.")
    if facts is not None:
        _let_numbers_pass()
    limit_memory(EXTRA_BYTES + 4 * path.stat().st_size)
    with path.open("rb") as stream:  # by its name, torch would choose a reader by the ending
        found = torch.load(stream, weights_only=True, mmap=False, map_location="cpu")
    if facts is not None:
        facts.write_text(json.dumps(_facts(found)), encoding="utf-8")
    tensors = {name: _plain(value, name) for name, value in _table(found).items()}
    safetensors.torch.save_file(tensors, str(target))


def _let_numbers_pass() -> None:
    """Allow numpy's scalars, under their names of before and after numpy 2."""
    import _codecs

    import numpy
    import torch

    scalar: Any = numpy.float64(0).__reduce__()[0]
    kinds = {type(numpy.dtype(kind)) for kind in "?bBhHiIlLqQefdUS"}
    torch.serialization.add_safe_globals(
        [
            (scalar, "numpy.core.multiarray.scalar"),
            (scalar, "numpy._core.multiarray.scalar"),
            numpy.dtype,
            _codecs.encode,
            *kinds,
        ]
    )


def _facts(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        return {}
    beside = found.get("init_args")
    known = {**found, **(beside if isinstance(beside, dict) else {})}
    plain = {name: known[name] for name in FACTS if name in known}
    facts: dict[str, Any] = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in plain.items()
        if value is None or isinstance(value, str | list | tuple)
    }
    config = found.get("config")
    if isinstance(config, dict):
        facts["config"] = {name: config[name] for name in SETTINGS if name in config}
    return facts


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


def leave_the_network() -> bool:
    """Move to a network namespace of its own, which has no way out; return whether that was so.

    Linux only, where it is allowed. It comes before torch is imported, for a process with threads
    may not leave its user namespace.
    """
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    unshare = getattr(ctypes.CDLL(None, use_errno=True), "unshare", None)
    # An administrator may do it at once; others where user namespaces are open to them.
    if unshare is None:
        return False
    return bool(unshare(NEW_NETWORK) == 0 or unshare(NEW_NETWORK | NEW_USER) == 0)


def limit_memory(extra_bytes: int) -> None:
    """Let this process take so much more memory than it has now; Linux only."""
    if not sys.platform.startswith("linux"):
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + extra_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def put_packages(folders: list[str]) -> None:
    """Search ``folders`` after the standard library, as `core.child_python.PUT_FOLDERS` does."""
    places = [n for n, path in enumerate(sys.path) if path.endswith("-packages")]
    first = places[0] if places else len(sys.path)
    sys.path[first:first] = folders


if __name__ == "__main__":
    leave_the_network()
    put_packages(sys.argv[3].split(os.pathsep))
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[4]) if sys.argv[4:] else None)
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}")
