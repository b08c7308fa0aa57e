"""Every architecture that can be trained: parameters, GFLOPs, CPU seconds, memory of one patch.

Each is built with its own defaults, one channel in and two out, and run by torch in single
precision on two threads, in a process of its own. CPU seconds, of both threads together, are told
because a busy machine changes them less than the time by the clock: with two idle cores it takes
half as long. With ``--update`` the table is written into
Documentation/networks/architectures.md.
"""

import argparse
import json
import re
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks.registry import ARCHITECTURES, build
from SegmentationAILib.networks.trainable import InferenceForm, TrainableNetwork

DOCUMENTATION = Path(__file__).resolve().parents[2] / "Documentation/networks/architectures.md"
MARK = "<!-- made by Testing/benchmarks/bench_architectures.py --update -->\n"
CHANNELS = {"in_channels": 1, "out_channels": 2}
VOLUME, PLANE = (96, 96, 96), (256, 256, 1)
THREADS, ROUNDS = 2, 2
SOURCE = re.compile(r"(doi:10\.[^\s;,)]+|arXiv:[0-9.]+)")
HEADER = (
    "| name | made by | patch | divisible by | logits to train | parameters, M | GFLOPs | CPU s "
    "| peak MiB | source |\n|---|---|---|---|---|---|---|---|---|---|\n"
)


def trainable_names() -> list[str]:
    """Return the architectures that can be trained and have defaults."""
    names = []
    for name in sorted(ARCHITECTURES):
        try:
            with torch.device("meta"):
                network = build(name, CHANNELS)
        except WeightsError:
            continue  # such as nnU-Net's, whose shape is always read off a plan
        if isinstance(network, TrainableNetwork):
            names.append(name)
    return names


def facts(name: str) -> dict[str, object]:
    """Return what needs no run, counted without memory."""
    with torch.device("meta"):
        network = build(name, CHANNELS)
        assert isinstance(network, TrainableNetwork)
        patch = VOLUME if len(network.divisors) == 3 else PLANE
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            InferenceForm(network).eval()(torch.zeros(1, 1, *patch))
    kinds = [kind.__module__ for kind in type(network).__mro__]
    document = sys.modules[type(network).__module__].__doc__ or ""
    return {
        "patch": patch,
        "divisors": network.divisors,
        "logits": len(network.output_strides),
        "parameters": sum(weight.numel() for weight in network.parameters()) / 1e6,
        "gflops": counter.get_total_flops() / 1e9,
        "maker": "MONAI" if any(kind.startswith("monai") for kind in kinds) else "own",
        "source": ", ".join(dict.fromkeys(s.rstrip(".") for s in SOURCE.findall(document))),
    }


def measured(name: str) -> dict[str, float]:
    """Return the CPU seconds of the quickest call, and what memory they took beyond the weights."""
    torch.set_num_threads(THREADS)
    network = build(name, CHANNELS)
    assert isinstance(network, TrainableNetwork)
    form = InferenceForm(network).eval()
    patch = torch.zeros(1, 1, *(VOLUME if len(network.divisors) == 3 else PLANE))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    with torch.inference_mode():
        for _ in range(ROUNDS):
            started = time.process_time()
            form(patch)
            seconds.append(time.process_time() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": min(seconds), "mib": (peak - before) / 1024}


def in_a_process(name: str) -> dict[str, float]:
    """Return `measured` of a process that did nothing else."""
    done = subprocess.run(
        [sys.executable, __file__, "--measure", name], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def row(name: str) -> str:
    """Return one line of the table."""
    known, run = facts(name), in_a_process(name)
    times = ("x".join(str(side) for side in known[key]) for key in ("patch", "divisors"))
    return (
        f"| `{name}` | {known['maker']} | {' | '.join(times)} | {known['logits']} "
        f"| {known['parameters']:.2f} | {known['gflops']:.1f} | {run['seconds']:.2f} "
        f"| {run['mib']:.0f} | {known['source']} |\n"
    )


def main() -> int:
    """Print the table, or write it into the documentation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="write it into the documentation")
    parser.add_argument("--measure", metavar="NAME", help="run one architecture in this process")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.measure:
        print(json.dumps(measured(arguments.measure)))
        return 0
    table = HEADER + "".join(row(name) for name in trainable_names())
    if not arguments.update:
        print(f"### Architectures\n\n{table}")
        return 0
    before, _, after = DOCUMENTATION.read_text(encoding="utf-8").split(MARK)
    DOCUMENTATION.write_text(f"{before}{MARK}\n{table}\n{MARK}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
