"""PyTorch checkpoints: looked at without unpickling, then opened as data in a child process.

``weights_only=True`` itself was broken twice (CVE-2025-32434, CVE-2026-24747), so it is the third
wall: first the pickle inside is read as a list of opcodes and every name it would import is held
against a short list, then a process of its own with a memory limit opens it with torch >= 2.10.
"""

import os
import pickletools
import subprocess
from collections.abc import Set
from pathlib import Path
from typing import Final

from ..core.archive import MAX_TOTAL_BYTES, opened_archive
from ..core.child_python import child_environment, child_words, package_folders
from ..core.errors import WeightsError

MAX_PICKLE_BYTES: Final = 16 << 20
SECONDS: Final = 300
CHILD: Final = Path(__file__).with_name("checkpoint_child.py")
STORAGES: Final = (
    "Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool",
)  # fmt: skip
ALLOWED_IMPORTS: Final = {
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
} | {f"torch {kind}Storage" for kind in STORAGES}
# What trainers log beside the tensors: numpy's numbers, and the device.
ALLOWED_BESIDE: Final = {
    "numpy._core.multiarray scalar",
    "numpy.core.multiarray scalar",
    "numpy dtype",
    "_codecs encode",
    "torch device",
}
# STACK_GLOBAL, INST, OBJ, NEWOBJ and EXT build or import by other ways; torch.save uses none.
FORBIDDEN: Final = {
    "STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID",
}  # fmt: skip


def safetensors_from_checkpoint(path: Path, target: Path, facts: Path | None = None) -> None:
    """Write the tensors of a zip-format checkpoint to ``target`` as safetensors.

    Args:
        path: File written by ``torch.save`` (version 1.6 or later).
        target: Does not exist yet; still has to pass the safetensors checks, for the child that
            wrote it had opened foreign data.
        facts: Where to write what a trainer noted beside the tensors, as JSON that has to be read
            as strictly; numpy's numbers are let pass then. None refuses them.

    Raises:
        WeightsError: TorchScript, an import outside the short list, damaged, or no table of
            tensors.
    """
    if facts is None:
        check_checkpoint(path)
    else:
        check_checkpoint(path, ALLOWED_IMPORTS | ALLOWED_BESIDE)
    if not package_folders("torch"):
        raise WeightsError(f"{path.name} is a checkpoint of torch, and torch is not installed.")
    packages = os.pathsep.join(package_folders("torch", "safetensors", "numpy"))
    words = [*child_words(), str(CHILD), str(path.resolve()), str(target.resolve())]
    words += [packages] if facts is None else [packages, str(facts.resolve())]
    try:
        child = subprocess.run(
            words,
            capture_output=True,
            env=child_environment(),
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise WeightsError(f"{path.name} could not be opened within {SECONDS} s.") from error
    if child.returncode != 0:
        lines = child.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = lines[-1][:300] if lines else f"the reader ended with status {child.returncode}"
        raise WeightsError(f"{path.name} was refused: {reason}")


def check_checkpoint(path: Path, allowed: Set[str] = ALLOWED_IMPORTS) -> None:
    """Check a checkpoint without opening it: the members of its zip and the names it imports.

    Args:
        path: The file.
        allowed: Module and name, with a space between, of all that it may import.

    Raises:
        WeightsError: TorchScript, compressed members (torch never compresses, and they can
            inflate without bound), or an import outside the short list.
    """
    with opened_archive(path) as source:
        infos = source.infolist()
        names = [info.filename for info in infos]
        if any(name.endswith("/constants.pkl") or "/code/" in name for name in names):
            raise WeightsError(
                f"{path.name} is a TorchScript program, not weights; only tensors are read. "
                "Save its state_dict instead."
            )
        if any(info.compress_type or info.file_size != info.compress_size for info in infos):
            raise WeightsError(f"{path.name} has compressed members, as torch never writes them.")
        if sum(info.file_size for info in infos) > min(MAX_TOTAL_BYTES, path.stat().st_size):
            raise WeightsError(f"{path.name} has members that overlap; it was refused.")
        pickles = [info for info in infos if info.filename.endswith(".pkl")]
        if [info.filename.count("/") for info in pickles] != [1] or pickles[
            0
        ].file_size > MAX_PICKLE_BYTES:
            raise WeightsError(f"{path.name} has {len(pickles)} pickles; a checkpoint has one.")
        check_pickle(source.read(pickles[0]), path.name, allowed)


def check_pickle(data: bytes, source: str, allowed: Set[str] = ALLOWED_IMPORTS) -> None:
    """Check that a pickle imports nothing outside the short list; it is read, never run.

    Raises:
        WeightsError: The message names the import.
    """
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "GLOBAL" and argument not in allowed:
                imported = str(argument).replace(" ", ".")[:80]
                raise WeightsError(
                    f"{source} was refused: opening it would import {imported!a}, "
                    "and weights need no such thing."
                )
            if opcode.name in FORBIDDEN:
                raise WeightsError(f"{source} was refused: its pickle uses {opcode.name}.")
    except (ValueError, IndexError, EOFError, OverflowError) as error:
        raise WeightsError(f"The pickle in {source} is damaged: {error}.") from error
