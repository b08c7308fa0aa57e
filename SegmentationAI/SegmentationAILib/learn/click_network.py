r"""The recipe of `click`: one network that segments whatever is pointed at, in any modality.

    python -m SegmentationAILib.learn.click_network \
        --label-maps FOLDER --ct FOLDER --output training/click --minutes 95

`--label-maps` holds the whole-head label maps of Billot et al.; two are held out. `--ct` holds
`ct.nii.gz` and `labels.nii.gz`, a CT with labels; `--ct-dicom` holds a DICOM folder `series` and
`labels.nii.gz`, another one. The labels in `HELD_OUT_ORGANS` are never asked for. Nothing else is
learned from: half of the samples are objects by formula.

The output folder receives `checkpoint.pt` (continue with `--resume`, also with other `--minutes`),
`validation.jsonl` (Dice after 1, 3 and 5 clicks) and `click.safetensors`.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path

import torch

from ..networks.architectures.click_unet import ClickUNet
from .click_samples import BrainSource, LabeledScan, ProceduralSource, ScanSource, read_scan
from .click_stream import ClickSources, SamplePool, click_stream
from .click_training import ClickTraining
from .click_validation import CLICKS, Question, answer_of, dice_after_clicks, questions
from .label_map_head import LabelMapHead, read_heads
from .timed_training import CHECKPOINT, Schedule, export_halved

logger = logging.getLogger(__name__)

HELD_OUT_MAPS = ("training_seg_05.nii.gz", "training_seg_18.nii.gz")
# Both kidneys, the aorta and the first lumbar vertebra, by TotalSegmentator's numbers.
HELD_OUT_ORGANS = (2, 3, 52, 31)
# Voxel sizes at which the scans are read: from about their own to where an organ fits the patch.
TORSO_SPACING_MM = (2.0, 6.0)
DICOM_SPACING_MM = (0.9, 4.0)
VALIDATION_SEED = 77


def main(arguments: list[str] | None = None) -> int:
    """Train, and return the exit status."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    options.output.mkdir(parents=True, exist_ok=True)
    heads, held_out = _heads(options.label_maps)
    scans = _scans(options.ct, options.ct_dicom)
    run = ClickTraining(ClickUNet(), Schedule(options.minutes), options.seed)
    if options.resume:
        run.load(options.output / CHECKPOINT)
    asked = {
        "objects": questions(ProceduralSource(), 20, VALIDATION_SEED),
        "brain": questions(BrainSource(held_out), 16, VALIDATION_SEED),
        "organs": questions(ScanSource(scans[:1]), 12, VALIDATION_SEED, HELD_OUT_ORGANS),
    }
    sources = ClickSources(heads, scans, HELD_OUT_ORGANS, seed=options.seed)
    with click_stream(sources, options.processes, run.step) as pool:
        train(run, pool, asked, options.output)
    return 0


def train(
    run: ClickTraining, pool: SamplePool, asked: dict[str, list[Question]], output: Path
) -> None:
    """Train until the schedule's minutes have passed, saving and validating on the way."""

    def validated(loss: float) -> None:
        validate(run, asked, output, loss)

    validated(run.run(lambda: run.learn(pool), validated, output))


def validate(
    run: ClickTraining, asked: dict[str, list[Question]], output: Path, loss: float
) -> None:
    """Add a line to the validation curve and export what the averaged network is now."""
    line: dict[str, object] = {"minute": round(run.minutes, 1), "step": run.step}
    line["loss"] = round(loss, 4)
    for name, some in asked.items():
        dice = dice_after_clicks(answer_of(run.averaged), some).mean(axis=0)
        line[name] = {str(n): round(float(d), 4) for n, d in zip(CLICKS, dice, strict=True)}
    with (output / "validation.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    logger.info("validation %s", json.dumps(line))
    export_halved(run.averaged, output / "click.safetensors", {"architecture": "click_unet"})


def _heads(folder: Path) -> tuple[list[LabelMapHead], list[LabelMapHead]]:
    """Return the label maps to train on, and those held out."""
    paths = sorted(folder.glob("*.nii.gz"))
    trained = [path for path in paths if path.name not in HELD_OUT_MAPS]
    held_out = [path for path in paths if path.name in HELD_OUT_MAPS]
    if not trained or len(held_out) != len(HELD_OUT_MAPS):
        _parser().error(
            f"--label-maps has to hold {' and '.join(HELD_OUT_MAPS)}, and others to train on"
        )
    return read_heads(trained), read_heads(held_out)


def _scans(torso: Path, dicom: Path | None) -> list[LabeledScan]:
    scans = [read_scan(torso / "ct.nii.gz", torso / "labels.nii.gz", TORSO_SPACING_MM)]
    if dicom is not None:
        scans.append(read_scan(dicom / "series", dicom / "labels.nii.gz", DICOM_SPACING_MM))
    return scans


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="click_network", description=__doc__)
    parser.add_argument("--label-maps", type=Path, required=True, help="folder of label maps")
    parser.add_argument("--ct", type=Path, required=True, help="folder of a CT with labels")
    parser.add_argument("--ct-dicom", type=Path, help="folder of another, as DICOM")
    parser.add_argument("--output", type=Path, required=True, help="folder for the results")
    parser.add_argument("--minutes", type=float, required=True, help="length of the training")
    parser.add_argument("--resume", action="store_true", help="continue from checkpoint.pt")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="of the network")
    parser.add_argument("--processes", type=int, default=1, help="that make samples")
    return parser


if __name__ == "__main__":
    sys.exit(main())
