"""What is chosen for a machine, and what is said about it before anything is downloaded."""

import os
import sys
from pathlib import Path

import pytest
from loopback_server import CERTIFICATE, loopback_server
from tiny_wheels import CPU

from SegmentationAILib.core.offline import OFFLINE_VARIABLE
from SegmentationAILib.worker.machine_memory import total_memory_bytes
from SegmentationAILib.worker.nvidia_driver import Gpu, NvidiaDriver, driver_of, read_driver
from SegmentationAILib.worker.package_source import PackageSource
from SegmentationAILib.worker.preflight import GIB, Machine, configured_index, preflight
from SegmentationAILib.worker.torch_build import TorchBuild, choose_build

SUMMARY = "| NVIDIA-SMI 580.82.07    Driver Version: 580.82.07    CUDA Version: 13.0     |\n"
TABLE = "NVIDIA RTX A2000, Laptop, 580.82.07, 8.6, 4096\nNVIDIA H200, 580.82.07, 9.0, 143771\n"


def driver(cuda, *capabilities, version="1.2"):
    gpus = tuple(Gpu(f"GPU {major}.{minor}", (major, minor), 8192) for major, minor in capabilities)
    return NvidiaDriver(version, cuda, gpus)


@pytest.fixture
def on_linux(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")


def test_what_nvidia_smi_prints_is_read():
    found = driver_of(SUMMARY, TABLE)
    assert (found.version, found.cuda) == ("580.82.07", (13, 0))
    assert found.gpus == (
        Gpu("NVIDIA RTX A2000, Laptop", (8, 6), 4096), Gpu("NVIDIA H200", (9, 0), 143771),
    )  # fmt: skip


def nvidia_smi(folder: Path, script: str, monkeypatch) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_the_program_is_asked(tmp_path, monkeypatch):
    nvidia_smi(tmp_path, f'[ $# = 0 ] && echo "{SUMMARY}" || printf "{TABLE}"', monkeypatch)
    assert read_driver() == driver_of(SUMMARY, TABLE)


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_a_driver_that_does_not_answer_is_a_fault_with_its_own_words(tmp_path, monkeypatch):
    said = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
    nvidia_smi(tmp_path, f'echo "{said}"; exit 9', monkeypatch)
    assert said in read_driver().fault
    build = choose_build(read_driver())
    assert build.tag == "cpu"
    assert said in build.reason


def test_no_driver_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PROGRAMFILES", str(tmp_path))
    assert read_driver() is None


@pytest.mark.usefixtures("on_linux")
@pytest.mark.parametrize(
    ("found", "tag"),
    [
        (driver((13, 0), (8, 6)), "cu130"),
        (driver((13, 2), (9, 0)), "cu130"),  # a newer driver runs older CUDA
        (driver((13, 0), (12, 0)), "cu130"),
        (driver((12, 2), (8, 6)), "cu126"),  # minor versions are compatible
        (driver((12, 8), (9, 0)), "cu126"),
        (driver((13, 0), (6, 1)), "cu126"),  # Pascal: left out of CUDA 13
        (driver((13, 0), (6, 1), (8, 9)), "cu130"),  # one of two is enough
        (driver((12, 8), (12, 0)), "cpu"),  # Blackwell: not in the CUDA 12.6 build
        (driver((13, 0), (3, 5)), "cpu"),
        (driver((11, 8), (8, 6)), "cpu"),
        (None, "cpu"),
    ],
)
def test_the_build_fits_the_driver_and_the_gpu(found, tag):
    build = choose_build(found)
    assert build.tag == tag
    assert build.index == f"https://download.pytorch.org/whl/{tag}"


@pytest.mark.usefixtures("on_linux")
@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "there is no NVIDIA driver"),
        (driver((11, 8), (8, 6), version="520.1"), "driver 520.1 is for CUDA 11.8"),
        (driver((12, 8), (12, 0)), "a newer driver may help"),
    ],
)
def test_why_it_is_the_cpu_is_said(found, words):
    assert words in choose_build(found).reason


@pytest.mark.usefixtures("on_linux")
def test_the_address_of_the_builds_is_the_persons_to_set():
    mirror = "https://mirror.example.org/torch/{build}"
    found = driver((13, 0), (8, 6))
    assert choose_build(found, mirror).index == "https://mirror.example.org/torch/cu130"
    assert choose_build(found, "https://mirror.example.org/all").tag == ""


def test_on_macos_the_usual_index_has_the_build(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert choose_build(None).index == ""


def test_a_cuda_build_is_asked_for_by_its_full_version(tmp_path):
    listed = tmp_path / "r.txt"
    listed.write_text("# torch==1\ntorch==2.13.0\ntorchio==1.0\nSimpleITK==2.5.7\n")
    source = PackageSource(TorchBuild("cu130", "https://i/cu130", ""), listed)
    assert source.pins() == {"torch": "2.13.0+cu130", "torchio": "1.0", "simpleitk": "2.5.7"}
    assert PackageSource(CPU, listed).pins()["torch"] == "2.13.0"


def test_what_ships_has_an_exact_version_for_every_package():
    source = PackageSource(CPU)
    lines = [line for line in source.requirements_text().splitlines() if line[:1] not in ("#", "")]
    assert len(source.pins()) == len(lines) >= 20


def machine(version=(3, 12), free=50, memory=32):
    return Machine(version, lambda _: int(free * GIB), lambda: int(memory * GIB))


def findings(tmp_path, seen, build=CPU, found=None):
    source = PackageSource(build, wheels=tmp_path)
    there = preflight(tmp_path / "not" / "there", source, found, seen)
    return {finding.subject: finding for finding in there}


@pytest.mark.parametrize(
    ("seen", "subject", "state"),
    [
        (machine(), "disk", "ok"), (machine(free=4), "disk", "warn"),
        (machine(free=2), "disk", "stop"),
        (machine(memory=6), "memory", "warn"), (machine(memory=32), "memory", "ok"),
        (machine(memory=0), "memory", "warn"), (machine((3, 9)), "python", "stop"),
        (machine((3, 12)), "python", "ok"), (machine((3, 14)), "python", "warn"),
    ],
)  # fmt: skip
def test_each_thing_that_was_looked_at_has_a_state_and_one_sentence(tmp_path, seen, subject, state):
    found = findings(tmp_path, seen)[subject]
    assert found.state == state
    assert found.sentence.endswith(".")
    assert "\n" not in found.sentence


def test_a_cuda_build_needs_more_disk(tmp_path):
    build = TorchBuild("cu130", "", "the driver 580 runs CUDA 13.0")
    seen = findings(tmp_path, machine(free=10), build, driver((13, 0), (8, 6)))
    assert seen["disk"].state == "stop"
    assert seen["gpu"].sentence == "GPU 8.6 with cu130, because the driver 580 runs CUDA 13.0."


@pytest.mark.usefixtures("on_linux")
def test_without_a_gpu_the_reason_is_said(tmp_path):
    found = findings(tmp_path, machine())["gpu"]
    assert (found.state, found.sentence) == (
        "warn", "CPU only, because there is no NVIDIA driver.",
    )  # fmt: skip


def network(index, **options):
    source = PackageSource(CPU, index=index, **options)
    return [f for f in preflight(Path(), source, None, machine()) if f.subject == "network"]


@pytest.fixture
def a_bare_network(monkeypatch):
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("a_bare_network")
def test_the_index_is_asked_with_the_authorities_that_pip_will_use():
    with loopback_server(lambda request: request.send(b""), encrypted=True) as server:
        (found,) = network(server.url)
        assert found.state == "stop"
        assert "CA file" in found.sentence
        (found,) = network(server.url, ca_file=CERTIFICATE)
    assert (found.state, found.sentence) == ("ok", "127.0.0.1 answers.")


@pytest.mark.usefixtures("a_bare_network")
def test_the_proxy_is_asked_and_its_password_is_not_repeated(monkeypatch):
    with loopback_server(lambda request: request.send(b"", 407)) as proxy:
        address = proxy.url.replace("http://", "http://me:secret@")
        (found,) = network("https://pypi.example.org/simple", proxy=address)
        assert found.state == "stop"
        assert "(407)" in found.sentence
        monkeypatch.setenv("https_proxy", address)
        (found,) = network("https://pypi.example.org/simple")
        assert "(407)" in found.sentence
        assert "secret" not in found.sentence
    assert {entry[:2] for entry in proxy.log} == {("CONNECT", "pypi.example.org:443")}


@pytest.mark.usefixtures("a_bare_network")
def test_an_index_out_of_reach_stops():
    (found,) = network("http://127.0.0.1:9/simple")
    assert found.state == "stop"
    assert "does not answer" in found.sentence


@pytest.mark.usefixtures("a_bare_network")
@pytest.mark.parametrize(("tag", "state"), [("cpu", "warn"), ("cu130", "stop")])
def test_pytorchs_own_index_out_of_reach_stops_a_cuda_build_alone(tag, state):
    build = TorchBuild(tag, "http://127.0.0.1:9/whl", "")
    with loopback_server(lambda request: request.send(b"")) as server:
        source = PackageSource(build, index=server.url)
        found = [f for f in preflight(Path(), source, None, machine()) if f.subject == "network"]
    assert [finding.state for finding in found] == ["ok", state]


def test_with_the_switch_set_nobody_is_asked(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setenv(OFFLINE_VARIABLE, "1")
    (found,) = network("https://pypi.example.org/simple")
    assert found.state == "stop"
    assert "offline bundle" in found.sentence


def test_the_index_that_the_persons_pip_uses_is_the_one_asked(tmp_path, monkeypatch):
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://mirror.example.org/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    assert configured_index() == "https://mirror.example.org/simple"
    monkeypatch.setenv("PIP_INDEX_URL", "https://other.example.org/simple")
    assert configured_index() == "https://other.example.org/simple"


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="Linux counts it elsewhere too")
def test_the_memory_is_what_the_kernel_says():
    line = Path("/proc/meminfo").read_text().splitlines()[0]
    assert total_memory_bytes() == int(line.split()[1]) * 1024
