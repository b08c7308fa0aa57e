import numpy as np
import pytest

from SegmentationAILib.core.errors import MemoryBudgetError
from SegmentationAILib.core.patches import logits_slabs
from SegmentationAILib.core.slab_memory import sliding_bytes, sums_that_fit
from SegmentationAILib.core.windows import plan_windows

# 512 x 512 x 800 voxels of 0.75 x 0.75 x 1 mm on the 1.5 mm grid of a network of 118 classes.
LARGE = plan_windows((256, 256, 533), (128, 128, 128), 0.5)


def test_the_estimate_counts_the_slab_that_is_really_held():
    windows = plan_windows((40, 24, 20), (16, 16, 16), 0.5)
    array = np.zeros((1, 40, 24, 20), np.float32)
    slab = next(logits_slabs(array, lambda patch: np.concatenate([patch] * 3, 1), windows))
    held = slab.logits.base
    assert held.nbytes == 3 * 16 * 24 * 20 * 4
    assert sliding_bytes(windows, 3) == held.nbytes + 8 * 3 * 16**3


def test_a_large_scan_with_118_classes_takes_half_precision_within_4_gib():
    assert sliding_bytes(LARGE, 118, "float32") > 4 * 2**30
    assert sliding_bytes(LARGE, 118, "float16") < 3.5 * 2**30
    assert sums_that_fit(LARGE, 118, 4 * 2**30) == "float16"


def test_a_small_scan_keeps_full_precision():
    assert sums_that_fit(plan_windows((256, 256, 128), (96, 96, 96)), 30, 4 * 2**30) == "float32"


def test_what_does_not_fit_is_refused_with_both_sizes():
    with pytest.raises(MemoryBudgetError, match=r"3\.2 GiB .* 2\.0 GiB are free"):
        sums_that_fit(LARGE, 118, 2 * 2**30)
