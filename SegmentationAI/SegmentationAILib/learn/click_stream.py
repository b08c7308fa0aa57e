"""Samples for the click network, made in processes of their own, and a pool to draw them from.

A sample can be asked for many things, at any turn: it stays in the pool until newer ones have
pushed it out. So neither side waits for the other, however the machine shares its cores.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import queue as queues
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.queues import Queue

import numpy as np

from .click_samples import BrainSource, LabeledScan, ProceduralSource, Sample, ScanSource, Source
from .label_map_head import LabelMapHead

# A sample is 0.4 MB.
POOL = 600
# Training starts when this many are there.
FIRST = 32
WAITING = 32
# New samples for each that is drawn.
NEW_SHARE = 0.4


@dataclass(frozen=True)
class ClickSources:
    """What samples are drawn from; made anew in every process.

    Attributes:
        heads: brain label maps.
        scans: real CT with labels.
        held_out: labels of the scans that are never asked for.
        shares: probability of a procedural sample, a brain and a scan.
        seed: of every random choice.
    """

    heads: list[LabelMapHead]
    scans: list[LabeledScan]
    held_out: tuple[int, ...]
    shares: tuple[float, float, float] = (0.5, 0.27, 0.23)
    seed: int = 0


class SamplePool:
    """The newest samples, and whatever the processes have made since."""

    def __init__(self, queue: Queue[Sample]) -> None:
        self._queue = queue
        self._samples: deque[Sample] = deque(maxlen=POOL)
        while len(self._samples) < FIRST:
            self._samples.append(queue.get(timeout=600))

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one of the samples."""
        # More new samples would take time from the network.
        if rng.random() < NEW_SHARE:
            with contextlib.suppress(queues.Empty):
                self._samples.append(self._queue.get_nowait())
        return self._samples[int(rng.integers(len(self._samples)))]


@contextmanager
def click_stream(sources: ClickSources, processes: int, start: int = 0) -> Iterator[SamplePool]:
    """Yield a pool that processes fill; they end with the context.

    Args:
        sources: what to draw.
        processes: how many draw.
        start: part of the seed, so that a resumed run draws new samples.
    """
    context = multiprocessing.get_context("spawn")
    queue: Queue[Sample] = context.Queue(WAITING)
    workers = [
        context.Process(target=_fill, args=(sources, [start, index], queue), daemon=True)
        for index in range(processes)
    ]
    for worker in workers:
        worker.start()
    try:
        yield SamplePool(queue)
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def _fill(sources: ClickSources, seed: list[int], queue: Queue[Sample]) -> None:
    rng = np.random.default_rng([sources.seed, *seed])
    kinds: tuple[Source, ...] = (
        ProceduralSource(),
        BrainSource(sources.heads),
        ScanSource(sources.scans, sources.held_out),
    )
    while True:
        queue.put(kinds[rng.choice(3, p=sources.shares)].sample(rng))
