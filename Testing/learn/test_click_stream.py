import multiprocessing

import numpy as np

from SegmentationAILib.learn.click_samples import SIDE
from SegmentationAILib.learn.click_stream import FIRST, ClickSources, click_stream


def test_samples_come_from_a_process_that_ends_with_the_context():
    sources = ClickSources([], [], (), shares=(1.0, 0.0, 0.0), seed=3)
    # What a process makes without heads and scans is objects by formula.
    with click_stream(sources, processes=1) as pool:
        assert len(multiprocessing.active_children()) == 1
        rng = np.random.default_rng(0)
        drawn = [pool.draw(rng) for _ in range(2 * FIRST)]
        assert all(sample.labels.shape == (SIDE,) * 3 for sample in drawn)
        assert len({id(sample) for sample in drawn}) > FIRST / 2
    assert not multiprocessing.active_children()
