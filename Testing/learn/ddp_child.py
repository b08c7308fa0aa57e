"""One of the processes that torchrun starts: trains a few steps and writes down what it has."""

import json
import sys
from pathlib import Path

import torch
from learn_cases import SMALL_NET, a_case, a_plan

from SegmentationAILib.learn.across_processes import joined_processes, process_number
from SegmentationAILib.learn.trainer import TrainingOptions, train
from SegmentationAILib.learn.training_session import TrainingSession
from SegmentationAILib.networks.card import Architecture

final = {}
_state = TrainingSession.state


def remembered(session):
    final.update({n: t.double().sum().item() for n, t in session.network.state_dict().items()})
    final["all"] = torch.cat([t.flatten() for t in session.network.parameters()]).tolist()
    return _state(session)


def main(output, batch, loss):
    TrainingSession.state = remembered
    cases = [a_case(seed) for seed in range(4)]
    # Some voxels are unknown, and not the same number of them in each patch.
    cases[1].channels[:6] = 255
    # A constant before a normalization has no gradient; Adam would step along its rounding errors.
    network = Architecture(
        "nnunet", tuple(sorted({**SMALL_NET.arguments(), "bias": False}.items()))
    )
    plan = a_plan(
        architecture=network,
        batch_size=batch,
        loss=loss,
        epochs=2,
        steps_per_epoch=3,
        learning_rate=1e-3,
    )
    with joined_processes("cpu"):
        trained = train(
            cases, plan, output=output / "training", hold_out=[a_case(9)],
            options=TrainingOptions(device="cpu"),
        )  # fmt: skip
        facts = {"losses": trained.losses, "weights": final["all"], "dice": trained.scores.mean}
        (output / f"process-{process_number()}.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
