"""P1: a whole run, file in to segments with surfaces out, against its network calls alone.

The head of ``shared/data`` is read, segmented and put into a Slicer scene with closed surfaces. The
peer is the same network on the very patches that the run gave it, and nothing else. Networks are
opened and compiled beforehand, as a worker that has run once has them.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from measure import Measurement, measure

from SegmentationAILib.core.files import read_volume
from SegmentationAILib.networks.build import load_network
from SegmentationAILib.networks.catalog import catalog
from SegmentationAILib.networks.device import CPU, physical_cores
from SegmentationAILib.networks.expected_shapes import built_network
from SegmentationAILib.networks.run_torch import TorchNetwork
from SegmentationAILib.networks.running import RunningNetwork
from SegmentationAILib.networks.segmenter import Segmenter
from SegmentationAILib.networks.weights import read_weights
from SegmentationAILib.resources import resource
from SegmentationAILib.scene.bootstrap import HeadlessSlicer, headless_slicer
from SegmentationAILib.scene.segmentation_node import node_from_labelmap
from SegmentationAILib.scene.surfaces import create_surfaces

SHARED = Path(
    os.environ.get("SEGMENTATIONAI_SHARED", Path(__file__).resolve().parents[2].parent / "shared")
)
VOLUME = SHARED / "data" / "brain-t1" / "t1.nii.gz"
SHIPPED, MESHNET = "brain-any-contrast", "subcortical"
GOAL = "P1: at most 1.15x the pure forward time of the same windows on a CPU (0.87 or more below)"
CASES = ((SHIPPED, "OpenVINO"), (SHIPPED, "torch"), (MESHNET, "OpenVINO"))
RUN, FORWARD = "whole run", "network alone"


class Recording:
    """A `RunningNetwork` that keeps the patches it was given."""

    def __init__(self, network: RunningNetwork) -> None:
        self.network, self.patches = network, []

    def __getattr__(self, name: str) -> object:
        return getattr(self.network, name)

    def __call__(self, patch: np.ndarray, /) -> np.ndarray:
        self.patches.append(patch.copy())
        return self.network(patch)


def run(networks: Sequence[str] = (SHIPPED, MESHNET)) -> list[Measurement]:
    """Measure networks by OpenVINO, and the shipped one by torch too, in single precision."""
    headless = headless_slicer()
    measured = []
    for network_id, engine in CASES:
        if network_id not in networks:
            continue
        with tempfile.TemporaryDirectory() as home:
            os.environ["SEGMENTATIONAI_HOME"] = home
            measured.append(_measured(headless, network_id, engine))
    return measured


def _measured(headless: HeadlessSlicer, network_id: str, engine: str) -> Measurement:
    card = catalog().by_id(network_id)
    assert card is not None
    weights = read_weights(
        resource(card.file) if card.file else SHARED / "weights" / network_id / "model.pth"
    )
    network: RunningNetwork
    if engine == "torch":
        module = built_network(card, weights)
        network = TorchNetwork(module, card.out_channels, CPU, "fp32", multiple=card.divisible_by)
    else:
        network = load_network(card, weights, "cpu", "fp32")
    recording = Recording(network)
    seconds: dict[str, list[float]] = {}
    _whole_run(headless, Segmenter(card, recording, card.sha256), {})
    segmenter = Segmenter(card, network, card.sha256)
    result = measure(
        f"Whole run: {network_id} by {engine}, fp32, {physical_cores()} cores",
        {
            RUN: lambda: _whole_run(headless, segmenter, seconds),
            FORWARD: lambda: [network(patch) for patch in recording.patches],
        },
        ours=RUN,
        peer=FORWARD,
        goal=GOAL,
        rounds=5,
        warm_up=False,
    )
    result.remarks += _remarks(result, seconds, len(recording.patches))
    return result


def _whole_run(
    headless: HeadlessSlicer, segmenter: Segmenter, seconds: dict[str, list[float]]
) -> int:
    """Read, segment, make segments and surfaces; return how many there are."""
    times: dict[str, float] = {}

    def timed(name: str, call: Callable[[], object]) -> object:
        started = time.perf_counter()
        answer = call()
        times[name] = time.perf_counter() - started
        return answer

    volume = timed("read", lambda: read_volume(VOLUME))
    found = segmenter.segment(volume)
    node = timed(
        "segments", lambda: node_from_labelmap(found.labelmap, headless.scene, None, "result")
    )
    timed("surfaces", lambda: create_surfaces(node))
    count = int(node.GetSegmentation().GetNumberOfSegments())
    headless.scene.RemoveNode(node)
    for name, value in {**found.seconds, **times}.items():
        seconds.setdefault(name, []).append(value)
    return count


def _remarks(result: Measurement, seconds: dict[str, list[float]], calls: int) -> list[str]:
    whole, forward = (result.cases[name].wall_seconds for name in (RUN, FORWARD))
    ratios = [a / b for a, b in zip(whole, forward, strict=True)]
    parts = ", ".join(f"{name} {statistics.median(s):.3f}" for name, s in seconds.items())
    ratio = statistics.median(whole) / statistics.median(forward)
    return [
        f"- **{ratio:.3f}x** the time of its {calls} network calls "
        f"({min(ratios):.3f} to {max(ratios):.3f}).",
        f"- Seconds of the parts: {parts}.",
    ]


if __name__ == "__main__":
    for measurement in run(sys.argv[1:] or (SHIPPED, MESHNET)):
        print(measurement.markdown())
