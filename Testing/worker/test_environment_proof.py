"""The badge says what a kernel has shown; with a stand-in for PyTorch in this interpreter."""

import zipfile
from pathlib import Path

import pytest
from tiny_wheels import torch_code, wheel

from SegmentationAILib.core.errors import Cancelled
from SegmentationAILib.core.progress import IGNORE, Progress
from SegmentationAILib.worker.environment_error import WorkerEnvironmentError
from SegmentationAILib.worker.gpu_proof import prove
from SegmentationAILib.worker.package_source import PackageSource
from SegmentationAILib.worker.process import WorkerPython
from SegmentationAILib.worker.torch_build import TorchBuild


def proof(tmp_path, pin="2.13.0", why_cpu="", progress=IGNORE, version="2.13.0+cu130", **facts):
    code = torch_code(version, "13.0", **facts)
    path = wheel(tmp_path, "torch", version, {"torch/__init__.py": code})
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "packages")
    pins = {"torch": pin}
    return prove(WorkerPython(), tmp_path / "packages", pins, why_cpu, progress)


def test_a_gpu_whose_kernel_gives_the_right_numbers_works(tmp_path):
    found = proof(tmp_path, gpu="NVIDIA H200")
    assert found.badge == "GPU works: NVIDIA H200"
    assert found.kind == "cuda"


def test_a_gpu_whose_kernel_fails_is_no_gpu(tmp_path):
    found = proof(tmp_path, gpu="Tesla K80", fault="no kernel image is available")
    assert found.badge == (
        "CPU only, because a kernel failed on the GPU (no kernel image is available)."
    )


def test_a_cuda_build_without_a_gpu_says_so(tmp_path):
    badge = "CPU only, because PyTorch 2.13.0+cu130 finds no GPU."
    assert proof(tmp_path).badge == badge


def test_the_reason_for_a_cpu_build_is_the_one_it_was_chosen_for(tmp_path):
    found = proof(tmp_path, why_cpu="the driver is too old", version="2.13.0+cpu")
    assert found.badge == "CPU only, because the driver is too old."


@pytest.mark.parametrize(
    ("pin", "version", "is_right"),
    [
        ("2.13.0", "2.13.0", True), ("2.13.0", "2.13.0+cpu", True),
        ("2.13.0+cu130", "2.13.0+cu130", True), ("2.13.0+cu130", "2.13.0+cpu", False),
        ("2.13.0+cu130", "2.13.0", False), ("2.13.0", "2.13.1", False),
    ],
)  # fmt: skip
def test_the_version_is_the_one_that_was_asked_for(tmp_path, pin, version, is_right):
    if is_right:
        assert proof(tmp_path, pin, version=version).kind == "cpu"
        return
    with pytest.raises(WorkerEnvironmentError, match=r"is of version .* is needed"):
        proof(tmp_path, pin, version=version)


def test_a_package_of_the_host_does_not_count(tmp_path):
    (tmp_path / "packages").mkdir()
    with pytest.raises(WorkerEnvironmentError, match="numpy is missing"):
        prove(WorkerPython(), tmp_path / "packages", {"numpy": "2.4.6"}, "")


def real(pins=("torch",)):
    import sysconfig
    from importlib.metadata import version

    packages = Path(sysconfig.get_path("purelib"))
    return prove(WorkerPython(), packages, {name: version(name) for name in pins}, "")


@pytest.mark.slow
def test_everything_that_ships_loads_and_a_real_kernel_gives_the_right_numbers():
    assert real(PackageSource(TorchBuild("cpu", "", "")).pins()).kind in ("cpu", "cuda", "mps")


@pytest.mark.gpu
def test_a_real_gpu_works():
    assert real().badge.startswith("GPU works: ")


def test_it_can_be_cancelled(tmp_path):
    def cancel(*_):
        raise Cancelled

    with pytest.raises(Cancelled):
        proof(tmp_path, progress=Progress(cancel))
