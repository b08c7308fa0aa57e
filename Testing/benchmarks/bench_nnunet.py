"""nnU-Net against ours on one network of its own: seconds, memory, and whether the labels agree.

The network is trained by nnU-Net on the spot (see `nnunet_peer`); each tool then segments the same
volume, one process per run. The seconds are those from the volume's file to labels; CPU seconds and
memory are of the whole process, packages and network included.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel
import numpy as np
import scipy.ndimage as ndi
from measure import Case, Measurement

FOLDER = Path(__file__).resolve().parent
LIBRARY = FOLDER.parents[1] / "SegmentationAI"
SHARED = Path(os.environ.get("SEGMENTATIONAI_SHARED", FOLDER.parents[2] / "shared"))
RESULT = "results/Dataset004_Hippocampus/nnUNetTrainer__nnUNetPlans__3d_fullres"
OURS, HALF, PEER = "SegmentationAI", "nnU-Net, float16 sums", "nnU-Net, float32 sums"
SPACING = (0.5, 0.5, 1.6)
ROUNDS = 2
RUN = """
import sys, time, threading, psutil, numpy as np
from pathlib import Path
sys.path[:0] = [{library!r}, {folder!r}]
def measured(call):
    process, done = psutil.Process(), threading.Event()
    before = peak = process.memory_info().rss
    def sample():
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, process.memory_info().rss)
    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    cpu = time.process_time()
    labels, margin, wall = call()
    cpu = time.process_time() - cpu
    done.set()
    thread.join()
    return dict(labels=labels, margin=margin, cost=[wall, cpu, (peak - before) / 2**20])
def ours():
    from SegmentationAILib.core.files import read_volume
    from SegmentationAILib.networks.segmenter import open_segmenter
    from SegmentationAILib.networks.store import NetworkStore
    segmenter = open_segmenter("net", "cpu", "fp32", NetworkStore(Path({home!r})))
    started = time.perf_counter()
    labels = segmenter.segment(read_volume(Path({volume!r}))).labelmap.layers[0]
    return labels.transpose(2, 1, 0), 0.0, time.perf_counter() - started
def theirs(half):
    import nnunet_peer
    found = nnunet_peer.predict(Path({result!r}), Path({volume!r}), half=half)
    return found["labels"], found["margin"], found["seconds"]
np.savez({out!r}, **measured(lambda: {call}))
"""


def _run(work: Path, call: str) -> dict[str, np.ndarray]:
    out = work / "out.npz"
    text = RUN.format(
        library=str(LIBRARY), folder=str(FOLDER), home=str(work / "home"), out=str(out),
        volume=str(work / "volume.nii.gz"), result=str(work / "nnunet" / RESULT), call=call,
    )  # fmt: skip
    environment = {**os.environ, "SEGMENTATIONAI_HOME": str(work / "home")}
    subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, env=environment)
    return dict(np.load(out))


def _prepare(work: Path) -> None:
    data = SHARED / "data" / "hippocampus"
    peer = [sys.executable, str(FOLDER / "nnunet_peer.py"), "train", str(data)]
    words = [*peer, str(work / "nnunet"), "--folds", "0", "1", "--iterations", "3"]
    subprocess.run(words, check=True, capture_output=True)
    scan = nibabel.load(next((data / "imagesTr").glob("*_033.nii.gz")))
    voxels = ndi.zoom(np.asarray(scan.dataobj, np.float32), [1 / s for s in SPACING], order=1)
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([*SPACING, 1.0])), work / "volume.nii.gz")
    install = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path\n"
        "from SegmentationAILib.networks.expected_shapes import check_architecture\n"
        "from SegmentationAILib.networks.install import InstallRequest, install\n"
        "from SegmentationAILib.networks.store import NetworkStore\n"
        "install(NetworkStore(Path(sys.argv[2])), InstallRequest(sys.argv[3], 'net'),"
        " check_architecture)\n"
    )
    places = [str(LIBRARY), str(work / "home"), str(work / "nnunet" / RESULT)]
    subprocess.run([sys.executable, "-c", install, *places], check=True, capture_output=True)


def run() -> list[Measurement]:
    """Return the comparison on one volume: two folds, eight mirrored copies of each patch."""
    cases = {name: Case() for name in (OURS, PEER, HALF)}
    calls = {OURS: "ours()", PEER: "theirs(False)", HALF: "theirs(True)"}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _prepare(work)
        shape = nibabel.load(work / "volume.nii.gz").shape
        for number in range(ROUNDS + 1):
            for name, call in calls.items():
                found[name] = _run(work, call)
                wall, cpu, extra = found[name]["cost"].tolist()
                if number:  # the first round fills the cache of converted networks
                    cases[name].wall_seconds.append(wall)
                    cases[name].cpu_seconds.append(cpu)
                    cases[name].extra_mib = max(cases[name].extra_mib, extra)
    result = Measurement(
        f"nnU-Net's own network, 2 folds, mirrored, {shape} voxels of {SPACING} mm",
        "labels equal to nnU-Net's but for ties under 1e-3, in less time and memory",
        OURS, PEER, cases,
    )  # fmt: skip
    differ = found[OURS]["labels"] != found[PEER]["labels"]
    margin = found[PEER]["margin"][differ].max(initial=0.0)
    halved = (found[HALF]["labels"] != found[PEER]["labels"]).sum()
    result.remarks += [
        f"- Labels: {differ.sum()} of {differ.size} voxels differ from nnU-Net with float32 sums; "
        f"the largest distance of two logits there is {margin:.1e}. nnU-Net's own half-precision "
        f"sums change {halved}.",
        f"- Memory with packages and network: {cases[OURS].extra_mib:.0f} MiB, nnU-Net "
        f"{cases[PEER].extra_mib:.0f} MiB.",
    ]
    return [result]


if __name__ == "__main__":
    for measurement in run():
        print(measurement.markdown())
