"""The peak grows by what was held, and does not fall when it is given back."""

import subprocess
import sys

# In a process of its own: this one has held more than a test should allocate.
HOLD = """
import numpy as np
from SegmentationAILib.networks.process_memory import peak_memory_bytes
before = peak_memory_bytes()
held = np.ones(2**28, np.uint8)
during = peak_memory_bytes()
del held
print(before, during, peak_memory_bytes())
"""


def test_the_peak_grows_by_what_is_held_and_stays():
    done = subprocess.run([sys.executable, "-c", HOLD], capture_output=True, text=True, check=True)
    before, during, after = map(int, done.stdout.split())
    assert 0.9 * 2**28 < during - before < 1.2 * 2**28
    # The kernel counts pages in batches, a few of them late.
    assert after >= 0.99 * during
