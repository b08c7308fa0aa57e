"""Case 52: less memory than a run needs is refused up front; what fits, finishes."""

import subprocess
import sys
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[3] / "SegmentationAI"
SIDE = 320
# The network answers at once and takes nothing: what is left is what the estimate counts.
RUN = """
import resource, sys
import numpy as np
import torch
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from SegmentationAILib.core.errors import MemoryBudgetError
from SegmentationAILib.core.labelmap import Label
from SegmentationAILib.core.pipeline import Recipe, segment
from SegmentationAILib.core.preprocess import InputRules
from SegmentationAILib.core.volume import Volume

torch.set_num_threads(1)
calls = []

def bright(patch):
    calls.append(1)
    logits = np.zeros((1, 2, *patch.shape[2:]), np.float32)
    logits[:, 1] = patch[:, 0] - 100
    return logits

rules = InputRules(spacing_mm=(1.0, 1.0, 1.0))
recipe = Recipe(rules, (Label(1, "Bright"),), (64, 64, 64), 0.25, "softmax")

def scan(side):
    voxels = np.zeros((1, side, side, side), np.int16, order="F")
    voxels[0, :30, :20, :10] = 200
    return Volume(voxels, np.eye(4))

segment(scan(70), bright, recipe)  # what libraries take once
calls.clear()
volume = scan(int(sys.argv[2]))
now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
limit = now + int(float(sys.argv[3]))
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    found = segment(volume, bright, recipe).labelmap.layers[0]
    print("finished", np.count_nonzero(found))
except MemoryBudgetError as error:
    print("refused after", len(calls), "patches:", error)
"""


def estimate_bytes():
    """By hand: the array, a byte per label, and sums and one patch of logits in half precision."""
    plane = SIDE * SIDE
    return 4 * plane * SIDE + plane * SIDE + 64 * plane * 2 * 2 + 64**3 * 2 * (4 + 2)


def run_within(factor):
    words = [sys.executable, "-c", RUN, LIBRARY, SIDE, factor * estimate_bytes()]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-1000:]
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such limit")
def test_case_52_four_fifths_of_the_estimate_are_refused_before_the_network_runs():
    said = run_within(0.8)
    assert said.startswith("refused after 0 patches: This run would need about"), said


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such limit")
def test_case_52_twin_a_run_that_fits_finishes_under_its_limit():
    # At 1.02 of it numpy finds no room for 12 MiB of what restoring works with: the estimate counts
    # what is held, not what comes and goes.
    assert run_within(1.2).split() == ["finished", str(30 * 20 * 10)]
