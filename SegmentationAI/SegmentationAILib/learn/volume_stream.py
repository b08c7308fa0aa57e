"""Training volumes made in processes of their own while the network learns."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.queues import Queue
from multiprocessing.sharedctypes import Synchronized

import numpy as np
from numpy.typing import NDArray

from .head_formula import ProceduralHead
from .head_parameters import random_parameters
from .label_map_head import LabelMapHead
from .synthesize import Head, Synthesis, synthesize

Sample = tuple[NDArray[np.float16], NDArray[np.uint8]]
# Volumes that wait: enough to ride out a pause of either side, 15 MB each.
WAITING = 6
# The first tenth of the training goes from gentle to full difficulty.
GENTLE_UNTIL = 0.1


@dataclass(frozen=True)
class StreamSettings:
    """What the stream is made of.

    Attributes:
        synthesis: how volumes are drawn.
        larger_shape: voxels of the occasional larger field of view.
        larger: its probability.
        procedural: probability of a head from a formula.
        seed: of every random choice.
        processes: how many make volumes.
    """

    synthesis: Synthesis
    larger_shape: tuple[int, int, int] = (192, 224, 192)
    larger: float = 0.12
    procedural: float = 0.06
    seed: int = 0
    processes: int = 1


@contextmanager
def volume_stream(
    heads: list[LabelMapHead], settings: StreamSettings, done: float
) -> Iterator[tuple[Iterator[Sample], Synchronized[float]]]:
    """Yield an endless iterator of samples, and the shared fraction (0 to 1) that is done.

    The processes end with the context.
    """
    context = multiprocessing.get_context("spawn")
    queue: Queue[Sample] = context.Queue(WAITING)
    fraction = context.Value("d", done)
    workers = [
        context.Process(
            target=_make_volumes, args=(heads, settings, index, queue, fraction), daemon=True
        )
        for index in range(settings.processes)
    ]
    with _one_thread_each():
        for worker in workers:
            worker.start()
    try:
        yield _samples(queue), fraction
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def random_head(
    rng: np.random.Generator, heads: list[LabelMapHead], settings: StreamSettings
) -> Head:
    """Return one of the label map heads, or now and then one from the formula."""
    if rng.random() < settings.procedural:
        return ProceduralHead(random_parameters(rng))
    return heads[int(rng.integers(len(heads)))]


def _samples(queue: Queue[Sample]) -> Iterator[Sample]:
    while True:
        yield queue.get(timeout=600)


def _make_volumes(
    heads: list[LabelMapHead],
    settings: StreamSettings,
    index: int,
    queue: Queue[Sample],
    fraction: Synchronized[float],
) -> None:
    """Fill the queue for ever; runs in a process of its own."""
    # The done fraction is part of the seed: a resumed run draws new volumes.
    rng = np.random.default_rng([settings.seed, index, int(fraction.value * 1e6)])
    while True:
        gentle = min(1.0, 0.3 + 0.7 * fraction.value / GENTLE_UNTIL)
        synthesis = replace(
            settings.synthesis,
            difficulty=gentle * settings.synthesis.difficulty,
            deformation=settings.synthesis.deformation.scaled(gentle),
        )
        if rng.random() < settings.larger:
            synthesis = replace(synthesis, shape=settings.larger_shape)
        volume, channels = synthesize(rng, random_head(rng, heads, settings), synthesis)
        queue.put((volume.astype(np.float16), channels))


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Start children with one BLAS thread: the network needs the cores."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
