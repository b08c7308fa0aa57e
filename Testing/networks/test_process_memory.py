"""The peak grows by what was held, and does not fall when it is given back."""

import numpy as np

from SegmentationAILib.networks.process_memory import peak_memory_bytes


def test_the_peak_grows_by_what_is_held_and_stays():
    before = peak_memory_bytes()
    held = np.ones(before + 2**28, np.uint8)
    during = peak_memory_bytes()
    size = held.nbytes
    del held
    assert during >= size
    assert during - before >= 2**28
    assert peak_memory_bytes() >= during
