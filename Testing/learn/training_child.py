"""Trains a small network in a process of its own, and kills it at a point that is asked for.

``step-N``: in the middle of its Nth step of this life. ``write-N``: when half of the bytes of its
Nth checkpoint of this life are on the disk. Prints the losses of all lives.
"""

import io
import json
import os
import signal
import sys
from pathlib import Path

import torch
from learn_cases import a_case, a_plan

from SegmentationAILib.learn import training_session
from SegmentationAILib.learn.trainer import TrainingOptions, train


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def kill_within_step(number):
    supervised, calls = training_session.supervised_loss, []

    def loss(*arguments):
        calls.append(1)
        if len(calls) == number:
            kill()
        return supervised(*arguments)

    training_session.supervised_loss = loss


def kill_within_write(number):
    save, calls = torch.save, []

    def half(state, path):
        calls.append(1)
        if len(calls) < number:
            return save(state, path)
        whole = io.BytesIO()
        save(state, whole)
        with Path(path).open("wb") as stream:
            stream.write(whole.getvalue()[: whole.tell() // 2])
            stream.flush()
            os.fsync(stream.fileno())
            kill()
        return None

    torch.save = half


def main(folder, point="", epochs="3"):
    kind, _, count = point.partition("-")
    if kind == "step":
        kill_within_step(int(count))
    elif kind == "write":
        kill_within_write(int(count))
    plan = a_plan(epochs=int(epochs))
    options = TrainingOptions(device="cpu", resume=True)
    cases = [a_case(seed) for seed in range(3)]
    trained = train(cases, plan, output=Path(folder), hold_out=[a_case(9)], options=options)
    print(json.dumps(trained.losses))


if __name__ == "__main__":
    main(*sys.argv[1:])
