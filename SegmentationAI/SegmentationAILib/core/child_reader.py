"""Libraries that read foreign files, run in a process of their own with limits.

A damaged file may crash a library, hang it or eat the memory; here it costs one child process and
gives one sentence. The child gets its task on standard input, and answers on standard output with
a line of facts and the raw voxels; nothing is written to disk. The parent trusts none of it: sizes
are judged again before memory is taken. Started afresh (never forked), on every system.
"""

import contextlib
import importlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .admission import check_sizes, checked_affine, shown_name
from .byte_source import byte_view
from .child_python import PUT_FOLDERS, child_environment, child_words, package_folders
from .errors import FileFormatError, GeometryError, MemoryBudgetError, SegmentationAIError
from .memory_budget import memory_budget_bytes
from .volume import Affine, Array, Volume

try:
    import resource
except ImportError:  # Windows: the time limit and the judging of sizes remain
    resource = None  # type: ignore[assignment]

# What an empty child with numpy and its readers maps, measured: 0.4 GiB with one thread.
_EMPTY_CHILD_BYTES = 1 << 30
_LONGEST_FACTS = 1 << 20
_WRITE_BLOCK = 1 << 20
# What readers import.
_PACKAGES = ("numpy", "pydicom", "SimpleITK", "nibabel")
_START = f"{PUT_FOLDERS}from SegmentationAILib.core.child_reader import answer; answer()"
_ERRORS: dict[str, type[SegmentationAIError]] = {
    error.__name__: error for error in (FileFormatError, GeometryError, MemoryBudgetError)
}
# No dtype that holds pointers may come from another process.
_PLAIN_DTYPES = {
    np.dtype(code).str: code for code in ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8")
}


@dataclass(frozen=True)
class _Facts:
    """What a child says before the voxels: a refusal, or the form of what follows."""

    shape: tuple[int, int, int, int] = (0, 0, 0, 0)
    dtype: np.dtype[Any] = np.dtype(np.uint8)  # noqa: RUF009 - immutable
    affine: Affine = field(default_factory=lambda: np.eye(4))
    notes: tuple[str, ...] = ()
    error: SegmentationAIError | None = None


def read_in_child(reader: str, path: Path, seconds: float) -> Volume:
    """Return the volume that a reader of this project loads in a process of its own.

    Args:
        reader: A module in `formats` with ``load(path) -> Volume``.
        path: What it shall load.
        seconds: After which the child is ended.

    Raises:
        FileFormatError: The reader refused the file, died, or took too long.
        GeometryError: The reader found no usable geometry.
        MemoryBudgetError: The volume does not fit the memory.
    """
    name = shown_name(path)
    memory = memory_budget_bytes()
    task = {
        "reader": reader, "path": os.fspath(path.absolute()), "seconds": seconds, "memory": memory
    }  # fmt: skip
    with _child() as process:
        is_late = threading.Event()

        def end() -> None:
            is_late.set()
            process.kill()

        timer = threading.Timer(seconds, end)
        timer.start()
        try:
            return _answer_of(process, task, name)
        except EOFError as error:
            process.kill()
            raise _death(name, process.wait(), is_late.is_set(), seconds) from error
        finally:
            timer.cancel()
            process.kill()


def answer() -> None:
    """Do the task on standard input and answer on standard output (the child's whole life)."""
    task = json.loads(sys.stdin.buffer.readline())
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    with Path(os.devnull).open("wb") as nothing:  # a library that prints cannot spoil the answer
        os.dup2(nothing.fileno(), sys.stdout.fileno())
    _limit(task["memory"], task["seconds"])
    path = Path(task["path"])
    try:
        module = importlib.import_module(f"{__package__}.formats.{task['reader']}")
        volume: Volume = module.load(path)
    except tuple(_ERRORS.values()) as error:
        _send(output, {"error": type(error).__name__, "sentence": str(error)})
    except MemoryError:
        sentence = (
            f"{shown_name(path)} takes more memory to read than one volume may; crop it, or use a "
            "machine with more memory."
        )
        _send(output, {"error": MemoryBudgetError.__name__, "sentence": sentence})
    except Exception as error:
        # Parsers raise what a damaged file makes them meet; the parent tells it in one sentence.
        sentence = (
            f"{shown_name(path)} is damaged: reading it failed ({type(error).__name__}); copy or "
            "export it again."
        )
        _send(output, {"error": FileFormatError.__name__, "sentence": sentence})
    else:
        _send_volume(output, volume)


def _child() -> subprocess.Popen[bytes]:
    folders = [str(Path(__file__).resolve().parents[2]), *package_folders(*_PACKAGES)]
    # One thread: a pool per core would map gigabytes and run into the limit of the address space.
    environment = child_environment(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    return subprocess.Popen(
        [*child_words(), "-c", _START, *folders],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # tracebacks of libraries quote the file: patients' names
        bufsize=0,
        env=environment,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def _answer_of(process: subprocess.Popen[bytes], task: dict[str, Any], name: str) -> Volume:
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(OSError):  # the child is dead already: reading will tell
        process.stdin.write(json.dumps(task).encode("ascii") + b"\n")
        process.stdin.close()
    pipe: Any = process.stdout
    length = int.from_bytes(_exactly(pipe, 8), "little")
    if length > _LONGEST_FACTS:
        raise EOFError
    facts = _judged_facts(_exactly(pipe, length))
    if facts.error is not None:
        raise facts.error
    check_sizes(facts.shape, facts.dtype.itemsize, name)
    voxels: Array = np.empty(facts.shape, facts.dtype, order="F")
    _receive(pipe, byte_view(voxels))
    if pipe.read(1) or process.wait() != 0:
        raise EOFError
    return Volume(voxels, checked_affine(facts.affine, name), facts.notes)


def _judged_facts(text: bytes) -> _Facts:
    """Return the facts of an answer; one of another form ends like no answer at all."""
    try:
        found = json.loads(text)
        if "error" in found:
            return _Facts(error=_ERRORS[found["error"]](str(found["sentence"])))
        i, j, k, c = (int(n) for n in found["shape"])
        dtype = np.dtype(_PLAIN_DTYPES[found["dtype"]])
        affine = np.array(found["affine"], np.float64).reshape(4, 4)
        return _Facts((i, j, k, c), dtype, affine, tuple(str(note) for note in found["notes"]))
    except (ValueError, KeyError, TypeError) as error:
        raise EOFError from error


def _receive(pipe: Any, view: memoryview) -> None:
    at = 0
    while at < len(view):
        taken = pipe.readinto(view[at:])
        if not taken:
            raise EOFError
        at += taken


def _exactly(pipe: Any, count: int) -> bytes:
    taken = bytearray(count)
    _receive(pipe, memoryview(taken))
    return bytes(taken)


def _death(name: str, code: int, is_late: bool, seconds: float) -> FileFormatError:
    if is_late:
        why = f"reading it took longer than {seconds:.0f} s"
    else:
        why = f"the process that read it ended unexpectedly (code {code})"
    return FileFormatError(f"{name} was refused: {why}; the file is damaged: export it again.")


def _limit(memory: int, seconds: float) -> None:
    """Bound memory, time and writing of this process where the system can."""
    if resource is None:
        return
    # The decoded slices and the compressed ones may be held at once.
    for kind, most in (
        (resource.RLIMIT_AS, _EMPTY_CHILD_BYTES + 2 * memory),
        (resource.RLIMIT_CPU, int(seconds) + 1),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        limits = [n for n in resource.getrlimit(kind) if n != resource.RLIM_INFINITY]
        least = min([most, *limits])
        resource.setrlimit(kind, (least, least))


def _send(output: BinaryIO, facts: dict[str, Any]) -> None:
    text = json.dumps(facts).encode("ascii")
    _write(output, memoryview(len(text).to_bytes(8, "little") + text))


def _send_volume(output: BinaryIO, volume: Volume) -> None:
    facts = {
        "shape": volume.voxels.shape,
        "dtype": volume.voxels.dtype.str,
        "affine": volume.affine.tolist(),
        "notes": volume.notes,
    }
    _send(output, facts)
    for k in range(volume.voxels.shape[3]):
        block = np.asfortranarray(volume.voxels[..., k])
        _write(output, byte_view(block))


def _write(output: BinaryIO, view: memoryview) -> None:
    at = 0
    while at < len(view):
        at += output.write(view[at : at + _WRITE_BLOCK])
