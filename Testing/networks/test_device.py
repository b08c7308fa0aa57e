import numpy as np
import psutil
import pytest
import torch

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.networks import device
from SegmentationAILib.networks.device import CPU, choose_device, physical_cores
from SegmentationAILib.networks.run_torch import TorchNetwork


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"GPU number {index}")


def test_auto_without_a_gpu_takes_the_cpu_and_says_why(no_gpu):
    found = choose_device("auto")
    assert (found.kind, found.name) == ("cpu", "cpu")
    assert found.note.startswith("No GPU was used: ")
    assert choose_device("cpu") == CPU
    assert CPU.note == ""


def test_auto_takes_the_first_gpu_and_a_number_its_own(two_gpus):
    assert choose_device("auto").torch_name == "cuda:0"
    assert choose_device("cuda").torch_name == "cuda:0"
    found = choose_device("cuda:1")
    assert (found.torch_name, found.name) == ("cuda:1", "GPU number 1")


@pytest.mark.parametrize("request_", ["gpu", "", "cuda:", "cuda:x", "CPU", "cpu:0", "cuda:-1"])
def test_a_device_that_there_is_not_is_refused(request_):
    with pytest.raises(SegmentationAIError, match="auto, cpu, cuda, cuda:N or mps"):
        choose_device(request_)


def test_a_gpu_asked_for_by_name_is_not_silently_replaced(two_gpus):
    with pytest.raises(SegmentationAIError, match=r"cuda:2.*2 found"):
        choose_device("cuda:2")


def test_missing_devices_say_what_to_ask_for(no_gpu):
    for request_ in ("cuda", "mps"):
        with pytest.raises(SegmentationAIError, match="--device auto"):
            choose_device(request_)


def test_cores_are_physical_and_those_this_process_may_use(monkeypatch):
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 16 if logical else 8)
    monkeypatch.setattr(psutil.Process, "cpu_affinity", lambda self: [0, 1, 2], raising=False)
    assert physical_cores() == 3
    monkeypatch.setattr(psutil.Process, "cpu_affinity", lambda self: list(range(16)), raising=False)
    assert physical_cores() == 8
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: None)
    assert physical_cores() == 1


@pytest.mark.parametrize(("said", "threads"), [("1", 1), (None, 3)])
def test_torch_computes_on_the_cores_unless_somebody_says_on_how_many(monkeypatch, said, threads):
    """A prediction on more threads than said would leave them to the training that follows."""
    monkeypatch.setattr(device, "physical_cores", lambda: 3)
    monkeypatch.delenv(device.THREADS, raising=False)
    if said is not None:
        monkeypatch.setenv(device.THREADS, said)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        TorchNetwork(torch.nn.Conv3d(1, 2, 1), 2)(np.zeros((1, 1, 4, 4, 4), np.float32))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_free_memory_is_less_than_the_machine_has():
    assert 0 < device.memory_available_bytes(CPU) <= psutil.virtual_memory().total
