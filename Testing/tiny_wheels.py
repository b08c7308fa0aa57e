"""Wheels of a few hundred bytes, an index that serves them, and a stand-in for PyTorch.

The stand-in answers what the probe asks and computes nothing else: it does not check that real
kernels run, which only a real PyTorch can show.
"""

import base64
import hashlib
import subprocess
import threading
import zipfile
from collections.abc import Mapping
from pathlib import Path

from loopback_server import Request

from SegmentationAILib.worker.environment import WorkerEnvironment
from SegmentationAILib.worker.host_python import bare_environment
from SegmentationAILib.worker.package_source import PackageSource
from SegmentationAILib.worker.process import WorkerPython
from SegmentationAILib.worker.torch_build import TorchBuild

CPU = TorchBuild("cpu", "", "there is no NVIDIA driver")
TORCH = """
__version__ = {version!r}
class version: cuda = {cuda!r}
class cuda:
    is_available = staticmethod(lambda: {gpu})
    get_device_name = staticmethod(lambda number: {name!r})
class backends:
    class mps: is_available = staticmethod(lambda: False)
class Tensor:
    def __init__(self, value): self.value = value
    def __matmul__(self, other): return Tensor(64 ** 3)
    def sum(self): return self
    def item(self): return self.value
def ones(shape, device):
    if device == "cuda" and {fault!r}: raise RuntimeError({fault!r})
    return Tensor(1)
class nn:
    class functional:
        conv3d = staticmethod(lambda cube, kernel: Tensor({convolved}))
"""


def torch_code(version: str, cuda: str | None = None, gpu: str = "", fault: str = "",
               convolved: int = 5832) -> str:  # fmt: skip
    return TORCH.format(version=version, cuda=cuda, gpu=bool(gpu), name=gpu, fault=fault,
                        convolved=convolved)  # fmt: skip


def wheel(folder: Path, name: str, version: str, files: Mapping[str, str],
          requires: tuple[str, ...] = ()) -> Path:  # fmt: skip
    """Write a pure-Python wheel into ``folder``, as PEP 427 has it."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    contents = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + "".join(f"Requires-Dist: {other}\n" for other in requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{path},{_digest(text)},{len(text.encode())}\n" for path, text in contents.items()
    )
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in {**contents, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(inner, text)
    return path


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def tiny_set(folder: Path) -> None:
    """Write the wheels for `requirements`: torch, and one that brings another along."""
    wheel(folder, "torch", "2.0", {"torch/__init__.py": torch_code("2.0+cpu")})
    wheel(
        folder, "tiny_net", "1.5", {"tiny_net/__init__.py": "import tiny_part\n"}, ("tiny-part>=1",)
    )
    wheel(folder, "tiny_part", "1.1", {"tiny_part.py": "VALUE = 1\n"})


def requirements(folder: Path, *lines: str) -> Path:
    path = folder / "requirements.txt"
    path.write_text("\n".join(lines or ("torch==2.0", "tiny-net==1.5")) + "\n")
    return path


def source_of(folder: Path, build: TorchBuild = CPU, *lines: str) -> PackageSource:
    """Return a source of the wheels in ``folder`` that uses no network."""
    return PackageSource(build, requirements(folder.parent, *lines), wheels=folder)


def names_in(environment: WorkerEnvironment) -> set[str]:
    return {path.name for path in environment.folder.iterdir()} - {".lock", "users"}


class Index:
    """Answers as PyPI does; holds back the wheels named in ``held`` until `release` is set."""

    def __init__(self, folder: Path, held: str = "") -> None:
        self.folder, self.held = folder, held
        self.asked_for_held, self.release = threading.Event(), threading.Event()
        self.sent: list[str] = []
        self.changes = b""

    def __call__(self, request: Request) -> None:
        parts = request.path.strip("/").split("/")
        if len(parts) == 2 and parts[0] == "simple":
            self._list(request, parts[1])
        elif len(parts) == 2 and (self.folder / parts[1]).is_file():
            self._send(request, parts[1])
        else:
            request.send(b"", 404)

    def _list(self, request: Request, name: str) -> None:
        links = "".join(
            f'<a href="/files/{path.name}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}">'
            f"{path.name}</a>"
            for path in sorted(self.folder.glob(f"{name.replace('-', '_')}-*.whl"))
        )
        page = f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
        request.send(page, 200 if links else 404, Content_Type="text/html")

    def _send(self, request: Request, name: str) -> None:
        if self.held and name.startswith(self.held):
            self.asked_for_held.set()
            self.release.wait(20)
        self.sent.append(name)
        data = (self.folder / name).read_bytes() + self.changes
        date = request.date_time_string()
        request.send(data, Cache_Control="max-age=365000000, immutable", Date=date)


def run_in(python: WorkerPython, code: str) -> str:
    """Return what ``code`` prints in an interpreter, with its own folders first on the path."""
    start = f"import sys; sys.path[:0] = {[str(path) for path in python.paths]!r}; {code}"
    return subprocess.run(
        [str(python.executable), *python.flags, "-c", start],
        env=bare_environment(python.variables), capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
