r"""The recipe of `brain-any-contrast`: brain structures on MR of any contrast, by synthesis alone.

    python -m SegmentationAILib.learn.brain_any_contrast \
        --label-maps FOLDER --output FOLDER --minutes 92 --start coarse.safetensors

`--start` takes the weights of the version before, with 16 structures at 2 mm, for the look at the
whole head; without it everything starts from random numbers and needs more time. Two label maps
are held out for the validation curve and never trained on. The output folder receives
`checkpoint.pt` (continue with `--resume`, also with other `--minutes`), `validation.jsonl` and
`brain-any-contrast.safetensors`. On a busy machine one thread learns faster than two that wait for
each other.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from ..networks.architectures.two_scale_unet import TwoScaleUNet
from .brain_structures import CHANNELS, STRUCTURES
from .calibrate import add_offsets, volume_offsets
from .contrasts import Contrast
from .deform import DeformationRanges
from .label_map_head import LabelMapHead, read_heads
from .start_from_coarse import start_from_coarse
from .synthesize import Head, Synthesis, synthesize
from .timed_training import CHECKPOINT, Schedule, export_halved
from .two_scale_training import TwoScaleTraining
from .volume_stream import StreamSettings, volume_stream

logger = logging.getLogger(__name__)

HELD_OUT = ("training_seg_05.nii.gz", "training_seg_18.nii.gz")
WIDTHS = (32, 64, 128, 96)
VALIDATION_SHAPE = (160, 192, 160)
CONTRASTS: tuple[Contrast, ...] = ("T1", "T2", "FLAIR", "random")
# A held-out head as a person would bring it: whole, little tilted, not warped.
VALIDATION_DEFORMATION = DeformationRanges(
    rotation_deg=5.0, scale=0.0, stretch=0.0, shear=0.0, warp_mm=0.0, shift_mm=4.0, anywhere=0.0
)


def main(arguments: list[str] | None = None) -> int:
    """Train, and return the exit status."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    paths = sorted(options.label_maps.glob("*.nii.gz"))
    trained = [path for path in paths if path.name not in HELD_OUT]
    held_out = [path for path in paths if path.name in HELD_OUT]
    if not trained or len(held_out) != len(HELD_OUT):
        _parser().error(
            f"--label-maps has to hold {' and '.join(HELD_OUT)}, and others to train on"
        )
    options.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    network = TwoScaleUNet(out_channels=CHANNELS, widths=WIDTHS)
    if options.start:
        start_from_coarse(network, load_file(options.start))
    run = TwoScaleTraining(network, Schedule(options.minutes), options.seed)
    if options.resume:
        run.load(options.output / CHECKPOINT)
    settings = StreamSettings(Synthesis(), seed=options.seed, processes=options.processes)
    validation = validation_volumes(read_heads(held_out), options.seed)
    train(run, read_heads(trained), settings, validation, options.output)
    return 0


def train(
    run: TwoScaleTraining,
    heads: list[LabelMapHead],
    settings: StreamSettings,
    validation: dict[str, list[tuple[np.ndarray, np.ndarray]]],
    output: Path,
) -> None:
    """Train until the schedule's minutes have passed, saving and validating on the way."""

    def validated(loss: float) -> None:
        _validate(run, validation, output, loss)

    with volume_stream(heads, settings, run.fraction) as (samples, fraction):

        def learn() -> float:
            loss = run.learn(*next(samples))
            fraction.value = run.fraction
            return loss

        # Starting the processes is not training.
        learn()
        loss = run.run(learn, validated, output)
    offsets = volume_offsets(run.averaged, calibration_volumes(heads, settings))
    add_offsets(run.averaged, offsets)
    logger.info("offsets %s", np.round(offsets, 2).tolist())
    validated(loss)


def validation_volumes(
    heads: Sequence[Head],
    seed: int,
    each: int = 1,
    shape: tuple[int, int, int] = VALIDATION_SHAPE,
) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Return, per contrast, `each` volumes with channels of every head; a seed gives the same."""
    volumes: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for number, contrast in enumerate(CONTRASTS):
        rng = np.random.default_rng([seed, 1000 + number])
        synthesis = Synthesis(
            shape=shape,
            deformation=VALIDATION_DEFORMATION,
            contrasts=((contrast, 1.0),),
            difficulty=0.6,
        )
        volumes[contrast] = [
            synthesize(rng, head, synthesis) for head in heads for _ in range(each)
        ]
    return volumes


def calibration_volumes(
    heads: list[LabelMapHead], settings: StreamSettings
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield a whole volume of every trained head, drawn as in training."""
    synthesis = replace(
        settings.synthesis,
        shape=settings.larger_shape,
        deformation=settings.synthesis.deformation.scaled(0.5),
    )
    rng = np.random.default_rng([settings.seed, 2000])
    for head in heads:
        yield synthesize(rng, head, synthesis)


@torch.no_grad()
def dice_per_structure(
    network: TwoScaleUNet, volumes: list[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Return `(volumes, structures)` Dice, NaN where a structure occurs in neither."""
    rows = []
    for volume, channels in volumes:
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(torch.from_numpy(volume.astype(np.float32))[None, None])
        answer = logits[0].argmax(dim=0).numpy()
        both = np.bincount(channels[answer == channels], minlength=CHANNELS)
        sizes = np.bincount(answer.ravel(), minlength=CHANNELS) + np.bincount(
            channels.ravel(), minlength=CHANNELS
        )
        with np.errstate(invalid="ignore"):
            rows.append((2.0 * both / sizes)[1:])
    return np.array(rows)


def _validate(
    run: TwoScaleTraining,
    validation: dict[str, list[tuple[np.ndarray, np.ndarray]]],
    output: Path,
    loss: float,
) -> None:
    """Add a line to the validation curve and export what the averaged network is now."""
    scores = {name: dice_per_structure(run.averaged, v) for name, v in validation.items()}
    line = {"minute": round(run.minutes, 1), "step": run.step, "loss": round(loss, 4)}
    line |= {name: round(float(np.nanmean(s)), 4) for name, s in scores.items()}
    per_structure = np.nanmean(np.concatenate(list(scores.values())), axis=0)
    line["mean"] = round(float(np.nanmean(per_structure)), 4)
    line |= {s.name: round(float(d), 3) for s, d in zip(STRUCTURES, per_structure, strict=True)}
    with (output / "validation.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    logger.info("validation %s", json.dumps(line))
    metadata = {"architecture": "two_scale_unet", "widths": ",".join(map(str, WIDTHS))}
    export_halved(run.averaged, output / "brain-any-contrast.safetensors", metadata)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="brain_any_contrast", description=__doc__)
    parser.add_argument("--label-maps", type=Path, required=True, help="folder of label maps")
    parser.add_argument("--output", type=Path, required=True, help="folder for the results")
    parser.add_argument("--minutes", type=float, required=True, help="length of the training")
    parser.add_argument("--start", type=Path, help="weights of the version with 16 structures")
    parser.add_argument("--resume", action="store_true", help="continue from checkpoint.pt")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2, help="of the network")
    parser.add_argument("--processes", type=int, default=1, help="that make volumes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
