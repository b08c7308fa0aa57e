"""Several networks that answer as one: the mean of their probabilities, in the memory of one.

Deep ensembles: Lakshminarayanan et al., Simple and Scalable Predictive Uncertainty Estimation using
Deep Ensembles, NeurIPS 2017, arXiv:1612.01474. Patch by patch, so that all classes of a whole
volume are never held; each member gives its working memory back before the next one runs.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import fields

from ..core.errors import WeightsError
from ..core.mean_logits import Average, mean_logits
from ..core.pipeline import Recipe
from .running import Patch, RunningNetwork


class Ensemble:
    """A `RunningNetwork` that answers with the mean of its members.

    Args:
        members: At least one, with the same channels; owned from now on.
        average: ``softmax`` or ``sigmoid`` averages probabilities, ``logits`` the raw output, as
            nnU-Net's folds do.

    Raises:
        ValueError: No member, or members of different channels.
    """

    def __init__(self, members: Sequence[RunningNetwork], average: Average) -> None:
        channels = {member.out_channels for member in members}
        if len(channels) != 1:
            raise ValueError(f"members with {sorted(channels)} channels have no mean")
        self.out_channels = channels.pop()
        self._members, self._average = tuple(members), average

    @property
    def device_name(self) -> str:
        """Names of the devices that run the members now."""
        return _joined(member.device_name for member in self._members)

    @property
    def precision(self) -> str:
        """Precisions in which the members run now."""
        return _joined(member.precision for member in self._members)

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of all members, each sentence once."""
        return tuple(dict.fromkeys(note for member in self._members for note in member.notes))

    def __call__(self, patch: Patch, /) -> Patch:
        """Return the logits ``(B, K, X, Y, Z)`` of the mean, of a patch ``(B, C, X, Y, Z)``."""
        return mean_logits(self._answers(patch), self._average)

    def release_memory(self) -> None:
        """Give back working memory."""
        for member in self._members:
            member.release_memory()

    def close(self) -> None:
        """Give back all memory."""
        for member in self._members:
            member.close()

    def _answers(self, patch: Patch) -> Iterator[Patch]:
        for member in self._members:
            yield member(patch)
            if len(self._members) > 1:
                member.release_memory()


def check_alike(names: Sequence[str], recipes: Sequence[Recipe]) -> None:
    """Check that networks want the same input and answer with the same labels.

    Raises:
        WeightsError: They do not; the message names the first difference.
    """
    for name, recipe in zip(names[1:], recipes[1:], strict=True):
        for field in fields(Recipe):
            first, other = getattr(recipes[0], field.name), getattr(recipe, field.name)
            if field.name == "labels":
                first, other = (
                    [(one.value, one.name) for one in table] for table in (first, other)
                )
            if first != other:
                raise WeightsError(
                    f"{names[0]} and {name} differ in their {_words(field.name)}; the members of "
                    "an ensemble have to agree in all but their weights: run them one by one."
                )


def joint_sha256(hashes: Sequence[str]) -> str:
    """Return the hash of one network as it is, of several the SHA-256 of their hashes in order."""
    if len(hashes) == 1:
        return hashes[0]
    return hashlib.sha256("\n".join(hashes).encode("ascii")).hexdigest()


def _joined(names: Iterator[str]) -> str:
    return " and ".join(dict.fromkeys(names))


def _words(name: str) -> str:
    return {"rules": "spacing, orientation or intensity rule"}.get(name, name.replace("_", " "))
