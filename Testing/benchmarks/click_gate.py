"""How much lower precision changes what a promptable network answers, on held-out questions."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from bench_cpu_inference import SHARED

from SegmentationAILib.learn.click_network import (
    HELD_OUT_MAPS,
    HELD_OUT_ORGANS,
    TORSO_SPACING_MM,
)
from SegmentationAILib.learn.click_samples import (
    BrainSource,
    ProceduralSource,
    ScanSource,
    read_scan,
)
from SegmentationAILib.learn.click_validation import Question, dice_after_clicks, questions
from SegmentationAILib.learn.label_map_head import read_heads
from SegmentationAILib.networks.precision import Network

SEED = 12
ORGANS, BRAINS, OBJECTS = 16, 12, 12


@dataclass(frozen=True, eq=False)
class Asked:
    """A patch as the network sees it in a course of clicks, and what is wanted in it.

    Attributes:
        patch: `(7, X, Y, Z)`.
        target: `(X, Y, Z)`.
    """

    patch: np.ndarray
    target: np.ndarray


def asked_of(network: Network) -> Iterator[Asked]:
    """Yield the patches of five clicks on every question, each click at the network's own error."""
    for question in _questions():
        patches: list[np.ndarray] = []

        def answer(patch: np.ndarray, kept: list[np.ndarray] = patches) -> np.ndarray:
            kept.append(patch)
            return network(patch[None])[0, 0]

        dice_after_clicks(answer, [question])
        yield from (Asked(patch, question.target) for patch in patches)


def two_classes(network: Network) -> Network:
    """Return the network with a channel for what is not meant, so that the larger one wins."""

    def logits(patch: np.ndarray) -> np.ndarray:
        found = network(patch)
        return np.concatenate([np.zeros_like(found), found], axis=1)

    return logits


def _questions() -> list[Question]:
    data = SHARED / "data"
    torso = data / "ct-torso-3mm"
    scan = read_scan(torso / "ct.nii.gz", torso / "labels.nii.gz", TORSO_SPACING_MM)
    heads = read_heads([data / "brain-label-maps" / name for name in HELD_OUT_MAPS])
    return [
        *questions(ScanSource([scan]), ORGANS, SEED, HELD_OUT_ORGANS),
        *questions(BrainSource(heads), BRAINS, SEED),
        *questions(ProceduralSource(), OBJECTS, SEED),
    ]
