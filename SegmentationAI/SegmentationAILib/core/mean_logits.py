"""The mean of several answers to one patch, in memory for one of them more.

Flips, folds, ensembles and dropout samples are all averaged here. nnU-Net averages logits (Isensee
et al., Nature Methods 2021, doi:10.1038/s41592-020-01008-z); everybody else probabilities, which
is the mean of what the members believe (Lakshminarayanan et al., NeurIPS 2017, arXiv:1612.01474).
"""

from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Average = Literal["logits", "softmax", "sigmoid"]
Floats = NDArray[np.float32]

# Probabilities of 0 and 1 would become infinite logits, which no interpolation survives.
LEAST, MOST = 1e-12, 1.0 - 1e-7


def mean_logits(answers: Iterable[Floats], average: Average) -> Floats:
    """Return the logits of the mean of some answers ``(B, K, X, Y, Z)``.

    Args:
        answers: One after the other, at least one; not changed, each is dropped before the next
            is asked for.
        average: ``logits`` averages the raw output. ``softmax`` and ``sigmoid`` average
            probabilities; what comes back are again logits, those of the mean.

    Raises:
        ValueError: No answer, or answers of different shapes.
    """
    total: Floats | None = None
    count = 0
    for answer in answers:
        quantity = probabilities(answer, average)
        if total is None:
            total = np.array(quantity, np.float32)
        elif total.shape != quantity.shape:
            raise ValueError(f"answers of {total.shape} and {quantity.shape} have no mean")
        else:
            total += quantity
        count += 1
        del answer, quantity
    if total is None:
        raise ValueError("nothing to average")
    total /= count
    return logits_of(total, average)


def probabilities(logits: Floats, average: Average) -> Floats:
    """Return what is averaged: the logits ``(B, K, ...)`` as they are, or their probabilities."""
    if average == "logits":
        return logits
    if average == "sigmoid":
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)), np.float32)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    exponentials /= exponentials.sum(axis=1, keepdims=True)
    return np.asarray(exponentials, np.float32)


def logits_of(mean: Floats, average: Average) -> Floats:
    """Return logits whose `probabilities` are ``mean``."""
    if average == "logits":
        return mean
    mean = np.clip(mean, LEAST, MOST)
    if average == "sigmoid":
        return np.asarray(np.log(mean) - np.log1p(-mean), np.float32)
    return np.asarray(np.log(mean), np.float32)
