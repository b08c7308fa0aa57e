import numpy as np

from SegmentationAILib.learn.head_formula import ProceduralHead
from SegmentationAILib.learn.label_map_head import head_from_label_map
from SegmentationAILib.learn.synthesize import Synthesis
from SegmentationAILib.learn.volume_stream import StreamSettings, random_head, volume_stream

SMALL = Synthesis(shape=(16, 20, 18), spacing_mm=10.0)


def test_volumes_come_from_a_process_that_ends_with_the_context():
    settings = StreamSettings(SMALL, larger_shape=(24, 24, 24), larger=0.3, procedural=1.0, seed=3)
    with volume_stream([], settings, done=0.5) as (samples, fraction):
        shapes = set()
        for _ in range(12):
            volume, channels = next(samples)
            assert volume.shape == channels.shape
            assert 0 < volume.max() <= 1
            shapes.add(volume.shape)
        assert fraction.value == 0.5
    assert shapes == {(16, 20, 18), (24, 24, 24)}


def test_heads_are_drawn_with_the_given_probability():
    values = np.full((8, 8, 8), 2)
    heads = [head_from_label_map(values, np.eye(4)), head_from_label_map(values, np.eye(4))]
    settings = StreamSettings(SMALL, procedural=0.25)
    rng = np.random.default_rng(0)
    drawn = [random_head(rng, heads, settings) for _ in range(200)]
    assert 30 < sum(isinstance(head, ProceduralHead) for head in drawn) < 70
    assert all(any(head is each for head in drawn) for each in heads)
