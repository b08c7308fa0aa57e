"""Toy pools in which the right choice is known."""

import numpy as np
import pytest
import torch

from SegmentationAILib.learn.active.pool import Candidate, Pool

SHAPE = (26, 22, 8)


@pytest.fixture(autouse=True)
def one_thread():
    """A second thread gains nothing for networks this small, and waits long where it is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def blob(rng, center, radius, ring=False):
    """A soft ball, or a shell, somewhere about a center, with noise: ``(1, I, J, K)``."""
    middle = np.array(center) + rng.uniform(-1.5, 1.5, 3)
    away = np.linalg.norm(np.indices(SHAPE) - middle[:, None, None, None], axis=0)
    value = np.exp(-(((away - radius) / 1.5) ** 2)) if ring else 1 / (1 + np.exp(away - radius))
    return (value + rng.normal(0, 0.05, SHAPE))[None].astype(np.float32)


def usual(rng, name):
    array = blob(rng, (13, 11, 4), 6)
    return Candidate(name, array, 1.0 - array[0])


def novel(rng, name):
    array = blob(rng, (13, 11, 4), 8, ring=True)
    return Candidate(name, array, 1.0 - array[0])


@pytest.fixture(scope="session")
def a_pool_with_novel_cases():
    """Twelve labeled balls; without labels twelve more balls, and four shells among them."""
    rng = np.random.default_rng(0)
    labeled = tuple(usual(rng, f"labeled {n}") for n in range(12))
    unlabeled = [usual(rng, f"usual {n}") for n in range(12)]
    for place in (1, 5, 6, 13):
        unlabeled.insert(place, novel(rng, f"novel {place}"))
    return Pool(labeled, tuple(unlabeled))
