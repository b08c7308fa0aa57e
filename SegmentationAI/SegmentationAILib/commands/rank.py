"""Say which cases of a study to correct next, the most useful first.

Cases that a person has accepted or corrected count as labeled; the others, but for held-out,
skipped and failed ones, are ranked. Nothing of the study changes, and no reference label is read.

  m-vaal      unlike the labeled cases, by a sampler that also learns to draw an auxiliary modality
  vaal        unlike the labeled cases, by a sampler of the volumes alone
  entropy     the network is undecided
  mc-dropout  the network with parts switched off contradicts itself
  tta         the network contradicts itself on mirrored copies
  core-set    leave no case far from a labeled one
  random      what the others have to beat

The network is that of the study's current iteration, before the first one its base. vaal and
m-vaal need labeled cases to compare with, mc-dropout a network with dropout.

Examples:
  segmentationai rank study --strategy entropy --budget 5
  segmentationai rank study --strategy m-vaal --auxiliary flair --budget 10
  segmentationai rank study --strategy core-set --budget 3 --json
"""

import argparse
import json
from pathlib import Path

from .progress_line import progress_line

STRATEGIES = ("m-vaal", "vaal", "entropy", "mc-dropout", "tta", "core-set", "random")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rank``."""
    parser.add_argument("study", type=Path, metavar="STUDY", help="folder of the study")
    parser.add_argument("--strategy", choices=STRATEGIES, required=True, help="see above")
    parser.add_argument(
        "--budget", type=int, required=True, metavar="N", help="cases to name at the utmost"
    )
    parser.add_argument(
        "--auxiliary", type=Path, metavar="FOLDER",
        help="of m-vaal: second volumes, named as the study's, on their grids (default: the "
        "current labels)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of everything random (default: 0)"
    )
    parser.add_argument(
        "--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:N or mps"
    )
    parser.add_argument("--json", action="store_true", help="print JSON on standard output")


def run(arguments: argparse.Namespace) -> int:
    """Print the ranking."""
    from ..core.errors import SegmentationAIError
    from ..learn.active.rank_study import RankRequest, rank_study
    from ..learn.study.study import open_study

    if arguments.auxiliary is not None and arguments.strategy != "m-vaal":
        raise SegmentationAIError(
            f"--auxiliary was given with {arguments.strategy}; only m-vaal looks at an auxiliary "
            "modality."
        )
    request = RankRequest(
        arguments.strategy, arguments.budget, arguments.auxiliary, arguments.seed, arguments.device
    )
    with progress_line() as progress:
        found = rank_study(open_study(arguments.study), request, progress=progress)
    if arguments.json:
        facts = {
            "strategy": found.strategy,
            "network": found.network or None,
            "iteration": found.iteration,
            "labeled": found.labeled,
            "unlabeled": found.unlabeled,
            "cases": [{"id": one.id, "wish": one.wish} for one in found.cases],
            "left_out": found.left_out,
        }
        print(json.dumps(facts, indent=1, ensure_ascii=False))
        return 0
    print(f"By {found.strategy}, of {found.unlabeled} cases beside {found.labeled} labeled ones:")
    for number, one in enumerate(found.cases, start=1):
        print(f"{number:4d}  {one.id}  {one.wish:.4g}")
    for name, reason in found.left_out.items():
        print(f"{name}: left out. {reason}")
    return 0
