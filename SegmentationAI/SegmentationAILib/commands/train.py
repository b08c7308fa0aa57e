"""Train a network on cases with labels: from scratch, or from an installed network.

DATASET.json has the form of the Medical Segmentation Decathlon. The plan (grid, patches, network,
steps) is made from the data and this computer, and is told with its expected time and memory before
anything begins. The output folder is what 'networks install' takes; its name becomes the ID.
Ctrl-C ends after the step and leaves a folder that --resume goes on with. Several GPUs or machines:
start the same command with torchrun.

Examples:
  segmentationai train --data liver/dataset.json --output my-liver --architecture dynunet
  segmentationai train --data liver/dataset.json --output liver-mr --base torso --freeze encoder
  segmentationai train --data liver/dataset.json --output liver-mr --base torso --resume
  segmentationai networks install my-liver
  torchrun --nproc-per-node 4 -m SegmentationAILib train --data ... --output ... --architecture unet
"""

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from ..core.progress import IGNORE, Progress
from .progress_line import progress_line
from .research_notice import show_research_notice_once

if TYPE_CHECKING:  # these load torch; --help must not wait for it
    from ..learn.trainer import TrainedNetwork
    from ..learn.training_job import TrainingJob, TrainingRequest

OPTIMIZERS = ("adamw", "orthogonal")
FREEZES = ("none", "encoder", "all-but-last")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``train``."""
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DATASET.json", help="cases with labels")
    add("--output", type=Path, required=True, metavar="FOLDER", help="training and network")
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument("--base", default="", metavar="ID", help="start from this network")
    start.add_argument(
        "--architecture", default="", metavar="NAME",
        help="start from random weights: unet2d-liver unet dynunet unetpp vnet attention-unet "
        "segresnet swin-unetr dints segformer-b0 to -b4 super-image",
    )  # fmt: skip
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=int, metavar="N", help="instead of the plan's")
    length.add_argument("--minutes", type=float, metavar="N", help="length by the clock instead")
    add("--freeze", choices=FREEZES, default="none", help="what of the base stays as it is")
    add("--optimizer", choices=OPTIMIZERS, default="adamw", help="what takes the steps")
    add("--seed", type=int, default=0, metavar="N", help="of the split and all that is random")
    add("--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:N or mps")
    add("--resume", action="store_true", help="go on with the training in FOLDER, if there is one")


def run(arguments: argparse.Namespace) -> int:
    """Train and return 0."""
    from ..learn.across_processes import joined_processes, process_number
    from ..networks.device import choose_device

    with joined_processes(choose_device(arguments.device).kind):
        if process_number() > 0:
            _trained(arguments, IGNORE)
            return 0
        with _stop_after_step() as stop, progress_line() as progress:
            job, trained = _trained(arguments, _stoppable(progress, stop))
    _print_result(job, trained)
    show_research_notice_once()
    return 0


def _trained(
    arguments: argparse.Namespace, progress: Progress
) -> tuple["TrainingJob", "TrainedNetwork"]:
    from ..core.errors import Cancelled
    from ..learn.across_processes import process_number
    from ..learn.plan_words import words_of_plan
    from ..learn.training_job import planned_job, run_job

    request = _request(arguments)
    job = planned_job(request, progress=progress.part(0.0, 0.02))
    if process_number() == 0:
        print(job.report.words())
        print(words_of_plan(job.plan))
        if request.minutes is not None:
            print(f"It is ended by the clock after {request.minutes:g} minutes of training.")
        held_out = len(job.split.hold_out)
        print(f"{len(job.split.training)} cases to learn from, {held_out} held out.", flush=True)
    try:
        trained, _ = run_job(job, progress.part(0.02, 1.0))
    except Cancelled:
        sys.stderr.write(
            f"The training in {request.output.name} can go on: the same command with --resume.\n"
        )
        raise
    return job, trained


def _request(arguments: argparse.Namespace) -> "TrainingRequest":
    from ..core.errors import SegmentationAIError
    from ..learn.training_job import TrainingRequest

    for name, number in (("--epochs", arguments.epochs), ("--minutes", arguments.minutes)):
        if number is not None and not 0 < number <= 100_000:
            raise SegmentationAIError(f"{name} {number:g}: more than 0, up to 100000, is possible.")
    names = ("data", "output", "base", "architecture", "epochs", "minutes", "freeze", "optimizer",
             "seed", "device", "resume")  # fmt: skip
    return TrainingRequest(**{name: getattr(arguments, name) for name in names})


def _print_result(job: "TrainingJob", trained: "TrainedNetwork") -> None:
    for note in trained.notes:
        print(f"note: {note}")
    if trained.scores is not None:
        for label, dice in zip(trained.plan.labels, trained.scores.labels, strict=True):
            shown = "in no case" if dice is None else f"{dice:.4f}"
            print(f"{label.value:5d}  {label.name:36s} hold-out Dice {shown}")
        if trained.scores.mean is not None:
            print(f"mean hold-out Dice {trained.scores.mean:.4f}")
    steps, minutes = len(trained.losses), trained.seconds / 60
    print(f"{steps} steps in {minutes:.1f} min; install: segmentationai networks install "
          f"{job.request.output}")  # fmt: skip


class _Stop:
    """Whether the person has asked to stop."""

    is_asked = False


@contextmanager
def _stop_after_step() -> Iterator[_Stop]:
    """Let the first Ctrl-C end the training after its step, the second at once."""
    stop = _Stop()

    def ask(_number: int, _frame: FrameType | None) -> None:
        if stop.is_asked:
            raise KeyboardInterrupt
        stop.is_asked = True

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def _stoppable(progress: Progress, stop: _Stop) -> Progress:
    from ..core.errors import Cancelled

    def report(fraction: float, sentence: str) -> None:
        progress(fraction, sentence)
        if stop.is_asked:
            raise Cancelled

    return Progress(report)
