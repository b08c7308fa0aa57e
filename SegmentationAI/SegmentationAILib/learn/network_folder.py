"""The end of a training: a folder with card and weights that ``networks install`` takes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import safetensors.numpy

from ..core.atomic import whole_files
from ..networks.card import License, NetworkCard
from ..networks.card_reader import card_to_json
from ..networks.network_source import CARD
from ..networks.store import WEIGHTS
from ..networks.training_record import LabelScore, Parent, TrainingRecord
from ..networks.weights import sha256_of
from .frozen_layers import Freeze
from .plan_file import plan_to_json
from .trainer import TrainedNetwork
from .training_case import PreparedCase
from .training_folder import hashes_of, sha256_of_cases

RECORD = "training.json"


@dataclass(frozen=True)
class NetworkFacts:
    """What a card says besides what the plan and the training say.

    Attributes:
        id: Of the network.
        title: One line for the person.
        task: What it segments, one sentence.
        license: Of the weights; those of the data bind them.
        freeze: What stayed as it was in the training.
        parents: Networks it comes from, the nearest first.
    """

    id: str
    title: str
    task: str
    license: License
    freeze: Freeze = "none"
    parents: tuple[Parent, ...] = ()


def write_network(
    folder: Path,
    trained: TrainedNetwork,
    facts: NetworkFacts,
    cases: Sequence[PreparedCase],
    hold_out: Sequence[PreparedCase],
) -> NetworkCard:
    """Write card, weights and the full record of a training; return the card.

    All three appear together or not at all. The record names each case with the hashes of its
    voxels and labels; the card, which travels with the network, has one hash of all.

    Raises:
        SegmentationAIError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / WEIGHTS, folder / RECORD, folder / CARD]
    record = _record(trained, facts, cases, hold_out)
    with whole_files(files) as (weights, full, card_file):
        safetensors.numpy.save_file(trained.weights, str(weights))
        card = replace(
            trained.plan.card(),
            id=facts.id,
            title=facts.title,
            task=facts.task,
            license=facts.license,
            sha256=sha256_of(weights),
            size_bytes=weights.stat().st_size,
            limits=_limits(trained, record),
            notes=tuple(dict.fromkeys((*trained.plan.notes, *trained.notes))),
            training=record,
        )
        _write_json(card_file, card_to_json(card))
        _write_json(full, _full_record(trained, card, cases, hold_out))
    return card


def _record(
    trained: TrainedNetwork,
    facts: NetworkFacts,
    cases: Sequence[PreparedCase],
    hold_out: Sequence[PreparedCase],
) -> TrainingRecord:
    plan, scores = trained.plan, trained.scores
    dice = scores.labels if scores else (None,) * len(plan.labels)
    pairs = zip(plan.labels, dice, strict=True)
    return TrainingRecord(
        cases=len(cases),
        cases_sha256=sha256_of_cases(cases),
        hold_out=len(hold_out),
        hold_out_sha256=sha256_of_cases(hold_out),
        loss=plan.loss,
        freeze=facts.freeze,
        learning_rate=plan.learning_rate,
        batch_size=plan.batch_size,
        steps=len(trained.losses),
        best_epoch=trained.best_epoch,
        seed=plan.seed,
        precision=plan.precision,
        seconds=round(trained.seconds, 1),
        mean_dice=scores.mean if scores else None,
        scores=tuple(LabelScore(label.name, one) for label, one in pairs),
        parents=facts.parents,
    )


def _limits(trained: TrainedNetwork, record: TrainingRecord) -> tuple[str, ...]:
    kind = {"any": "volumes"}.get(trained.plan.modality, f"{trained.plan.modality} volumes")
    limits = [
        f"It has only seen {record.cases} cases of one data set; on {kind} of other scanners or "
        "patients it has not been measured."
    ]
    if record.mean_dice is None:
        limits.append("No case was held out: how well it does is not known.")
    else:
        limits.append(
            f"Its mean Dice of {record.mean_dice:.3f} is that of {record.hold_out} held-out cases, "
            "some of which also chose the epoch."
        )
    return tuple(limits)


def _full_record(
    trained: TrainedNetwork,
    card: NetworkCard,
    cases: Sequence[PreparedCase],
    hold_out: Sequence[PreparedCase],
) -> dict[str, Any]:
    scores = trained.scores.cases if trained.scores else {}
    return {
        "version": 1,
        "network": card.id,
        "weights_sha256": card.sha256,
        "plan": plan_to_json(trained.plan),
        "cases": [_case_row(case) for case in cases],
        "hold_out": [{**_case_row(case), "dice": scores.get(case.id)} for case in hold_out],
        "losses_sha256": hashlib.sha256(json.dumps(trained.losses).encode()).hexdigest(),
        "notes": list(trained.notes),
    }


def _case_row(case: PreparedCase) -> dict[str, Any]:
    voxels, labels = hashes_of(case)
    return {"id": case.id, "voxels_sha256": voxels, "labels_sha256": labels}


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
