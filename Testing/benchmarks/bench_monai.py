"""MONAI and PyTorch against ours on networks of theirs: seconds, memory, whether labels agree.

A MONAI bundle run by MONAI, a network of Auto3DSeg's kind (SegResNetDS, made by MONAI) run by the
steps of SlicerMONAIAuto3DSeg, and an ONNX file run by PyTorch's own module. The networks are made
on the spot with random weights, for time does not depend on them. One process per run; the seconds
are those from the volume's file to labels, memory is what the process takes beyond its start.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from measure import Case, Measurement

FOLDER = Path(__file__).resolve().parent
LIBRARY = FOLDER.parents[1] / "SegmentationAI"
OURS = "SegmentationAI"
ROUNDS = 2
SCAN = "channel_0.nii.gz"
SHAPE, SPACING, WHOLE = (140, 150, 60), (1.0, 0.9, 2.2), (96, 112, 80)
CHANNELS, WINDOW = [16, 32, 64, 128], [96, 96, 64]
Found = tuple[Any, Any]


def prepare_bundle(work: Path) -> Path:
    """Write a bundle and a scan; return what is installed."""
    import monai_bundles as book

    network = {**book.NETWORK, "channels": CHANNELS, "strides": [2, 2, 2], "num_res_units": 2}
    inferer = {**book.WINDOWS, "roi_size": WINDOW, "mode": "gaussian"}
    book.saved(book.a_scan(SHAPE, SPACING), work)
    return book.bundle(work / "bundle", book.configuration(network=network, inferer=inferer))


def bundle_by_monai(work: Path) -> Found:
    """Return MONAI's labels, and how far each winner leads."""
    import monai_bundles as book

    labels, margin = book.run_of_monai(work / "bundle", str(work / SCAN))
    return labels[0], margin


def prepare_auto3dseg(work: Path) -> Path:
    """Write a zip and a scan; return what is installed."""
    import auto3dseg_files
    import monai_bundles as book

    book.saved(book.a_scan(SHAPE, SPACING), work)
    auto3dseg_files.a_zip(work / "net.zip", _settings())
    return work / "net.zip"


def auto3dseg_by_monai(work: Path) -> Found:
    """Return the labels of the extension's steps, and how far each winner leads."""
    import zipfile

    import auto3dseg_files
    import torch
    from monai.bundle import ConfigParser

    with zipfile.ZipFile(work / "net.zip") as archive:
        state = torch.load(archive.open("inside/model.pt"), weights_only=True)
    network = ConfigParser(_settings()["network"]).get_parsed_content().eval()
    network.load_state_dict(state["state_dict"])
    return auto3dseg_files.run_of_the_extension(network, _settings(), str(work / SCAN))


def prepare_onnx(work: Path) -> Path:
    """Write an ONNX file with its card and a scan; return what is installed."""
    import monai_bundles as book
    import onnx_networks
    import torch

    book.saved(book.a_scan(WHOLE, SPACING, low=-1, high=1), work)
    torch.manual_seed(5)
    network = _unet()
    torch.save(network.state_dict(), work / "net.pt")
    (work / "net").mkdir()
    path = onnx_networks.exported(network, work / "net" / "net.onnx", (1, 1, 32, 32, 32))
    return onnx_networks.with_card(path, divisible_by=8)


def onnx_by_torch(work: Path) -> Found:
    """Return the labels of PyTorch's own module on the whole grid, and how far winners lead."""
    import nibabel
    import torch

    network = _unet()
    network.load_state_dict(torch.load(work / "net.pt", weights_only=True))
    voxels = np.asarray(nibabel.load(work / SCAN).dataobj, np.float32)
    with torch.inference_mode():
        logits = network(torch.from_numpy(voxels)[None, None])[0]
        two = torch.topk(logits, 2, dim=0).values
        labels = np.array([0, 7, 3])[logits.argmax(dim=0).numpy()]
    return labels, (two[0] - two[1]).numpy()


def ours(work: Path) -> Found:
    """Return our labels of what is installed."""
    from SegmentationAILib.core.files import read_volume
    from SegmentationAILib.networks.segmenter import open_segmenter
    from SegmentationAILib.networks.store import NetworkStore

    segmenter = open_segmenter("net", "cpu", "fp32", NetworkStore(work / "home"))
    return segmenter.segment(read_volume(work / SCAN)).labelmap.layers[0], 0.0


# What is compared: how it is made, who else runs it and how.
TOPICS: dict[str, tuple[Callable[[Path], Path], str, Callable[[Path], Found]]] = {
    "a MONAI bundle, UNet": (prepare_bundle, "MONAI", bundle_by_monai),
    "SegResNetDS by the steps of SlicerMONAIAuto3DSeg": (
        prepare_auto3dseg, "MONAI", auto3dseg_by_monai,
    ),
    "an ONNX network, UNet, whole grid": (prepare_onnx, "PyTorch", onnx_by_torch),
}  # fmt: skip


def run() -> list[Measurement]:
    """Return all comparisons."""
    return [_compared(name) for name in TOPICS]


def _compared(topic: str) -> Measurement:
    peer = TOPICS[topic][1]
    cases = {OURS: Case(), peer: Case()}
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        _in_a_process("prepare", topic, Path(folder))
        for number in range(ROUNDS + 1):
            for name in cases:
                _in_a_process("ours" if name == OURS else "theirs", topic, Path(folder))
                found[name] = dict(np.load(Path(folder) / "out.npz"))
                wall, cpu, extra = found[name]["cost"].tolist()
                if number:  # the first round fills the cache of converted networks
                    cases[name].wall_seconds.append(wall)
                    cases[name].cpu_seconds.append(cpu)
                    cases[name].extra_mib = max(cases[name].extra_mib, extra)
    differ = found[OURS]["labels"] != found[peer]["labels"]
    margin = found[peer]["margin"][differ].max(initial=0.0)
    goal = f"labels equal to {peer}'s but for ties under 1e-3, in less time and memory"
    remarks = [
        f"- Labels: {differ.sum()} of {differ.size} voxels differ; the largest distance of the two "
        f"best scores there is {margin:.1e}."
    ]
    return Measurement(topic, goal, OURS, peer, cases, remarks)


def _in_a_process(what: str, topic: str, work: Path) -> None:
    paths = os.pathsep.join((str(LIBRARY), str(FOLDER.parent)))
    changed = {"SEGMENTATIONAI_HOME": str(work / "home"), "PYTHONPATH": paths}
    environment = {**os.environ, **changed}
    words = [sys.executable, str(Path(__file__)), "--do", what, topic, str(work)]
    subprocess.run(words, check=True, capture_output=True, env=environment)


def _do(what: str, topic: str, work: Path) -> None:
    prepare, _, theirs = TOPICS[topic]
    if what == "prepare":
        from SegmentationAILib.networks.expected_shapes import check_architecture
        from SegmentationAILib.networks.install import InstallRequest, install
        from SegmentationAILib.networks.store import NetworkStore

        request = InstallRequest(str(prepare(work)), "net")
        install(NetworkStore(work / "home"), request, check_architecture)
        return
    process, done = psutil.Process(), threading.Event()
    peak = [process.memory_info().rss]
    before = peak[0]

    def sample() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], process.memory_info().rss)

    threading.Thread(target=sample, daemon=True).start()
    wall, cpu = time.perf_counter(), time.process_time()
    labels, margin = (ours if what == "ours" else theirs)(work)
    cost = [time.perf_counter() - wall, time.process_time() - cpu, (peak[0] - before) / 2**20]
    done.set()
    np.savez(work / "out.npz", labels=np.asarray(labels, np.int16), margin=margin, cost=cost)


def _settings() -> dict[str, Any]:
    import auto3dseg_files

    network = {**auto3dseg_files.NETWORK, "init_filters": 16, "blocks_down": [1, 2, 2]}
    # With 1.45 mm whole planes lie exactly midway between two voxels, and rounding decides.
    spacing = {"resample_resolution": [1.43, 1.13, 2.07]}
    settings = {**auto3dseg_files.CT, **spacing, "network": network, "roi_size": WINDOW}
    return dict(json.loads(json.dumps(settings)))


def _unet() -> Any:
    from SegmentationAILib.networks.registry import build

    return build(
        "unet",
        {"in_channels": 1, "out_channels": 3, "channels": CHANNELS, "strides": (2, 2, 2),
         "spatial_dims": 3},
    ).eval()  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--do", nargs=3, metavar=("WHAT", "TOPIC", "FOLDER"), help="one run")
    chosen = parser.parse_args().do
    if chosen:
        _do(chosen[0], chosen[1], Path(chosen[2]))
    else:
        for measurement in run():
            print(measurement.markdown())
