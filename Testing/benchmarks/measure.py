"""Side-by-side measurement: cases interleaved A, B, A, B; medians of wall and CPU seconds; memory.

A benchmark reports and never fails on a noisy machine; whether a goal holds is read off the ratio.
"""

import gc
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psutil

SAMPLING_SECONDS = 0.005
PROCESS = psutil.Process()


@dataclass
class Case:
    """What was measured of one way to do the work."""

    wall_seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    extra_mib: float = 0.0
    output: Any = None
    failure: str = ""


@dataclass
class Measurement:
    """All cases of one comparison, and the goal that it serves.

    Attributes:
        goal: The target in words, such as ``P4: at least 25x``.
        ours: Name of our case.
        peer: Name of the case that the ratio is taken against.
        remarks: Sentences for the table, such as the agreement of the outputs.
    """

    title: str
    goal: str
    ours: str
    peer: str
    cases: dict[str, Case]
    remarks: list[str] = field(default_factory=list)

    def ratio(self) -> tuple[float, float, float]:
        """Return median, lowest and highest of peer seconds over our seconds, round by round."""
        ours, peer = self.cases[self.ours].wall_seconds, self.cases[self.peer].wall_seconds
        if not ours or not peer:
            return float("nan"), float("nan"), float("nan")
        pairs = [b / a for a, b in zip(ours, peer, strict=False)]
        return statistics.median(peer) / statistics.median(ours), min(pairs), max(pairs)

    def markdown(self) -> str:
        """Return the comparison as a table with its goal and remarks."""
        lines = [
            f"### {self.title}",
            "",
            f"Goal: {self.goal}.",
            "",
            "| case | wall s (median) | CPU s | rounds | extra MiB | times faster than the peer |",
            "|---|---|---|---|---|---|",
        ]
        base = self.cases[self.peer]
        for name, case in self.cases.items():
            if case.failure:
                lines.append(f"| {name} | failed: {case.failure} | | | | |")
                continue
            wall, cpu = (statistics.median(s) for s in (case.wall_seconds, case.cpu_seconds))
            peer = statistics.median(base.wall_seconds) if base.wall_seconds else float("nan")
            mark = {self.ours: " (ours)", self.peer: " (peer)"}.get(name, "")
            lines.append(
                f"| {name}{mark} | {wall:.4f} | {cpu:.3f} | {len(case.wall_seconds)} "
                f"| {case.extra_mib:.0f} | {peer / wall:.2f} |"
            )
        middle, low, high = self.ratio()
        lines += ["", f"Ours against the peer: **{middle:.1f}x** ({low:.1f} to {high:.1f})."]
        return "\n".join([*lines, *self.remarks, ""])


def measure(
    title: str,
    cases: dict[str, Callable[[], object]],
    *,
    ours: str,
    peer: str,
    goal: str,
    rounds: int = 5,
    warm_up: bool = True,
) -> Measurement:
    """Run every case ``rounds`` times in turn and return what it took.

    Args:
        cases: Name to a call without arguments; its last output is kept.
        warm_up: Run each once before counting, so that caches and plans are filled for all alike.
    """
    result = Measurement(title, goal, ours, peer, {name: Case() for name in cases})
    for number in range(rounds + warm_up):
        for name, call in cases.items():
            case = result.cases[name]
            if not case.failure:
                _run_once(case, call, counted=number >= warm_up)
    return result


def _run_once(case: Case, call: Callable[[], object], *, counted: bool) -> None:
    case.output = None
    gc.collect()
    with _PeakMemory() as memory:
        cpu, wall = time.process_time(), time.perf_counter()
        try:
            case.output = call()
        except Exception as error:
            case.failure = f"{type(error).__name__}: {str(error)[:120]}"
            return
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if counted:
        case.wall_seconds.append(wall)
        case.cpu_seconds.append(cpu)
        case.extra_mib = max(case.extra_mib, memory.extra_mib)


class _PeakMemory:
    """Growth of this process's resident memory while the block runs, sampled."""

    def __enter__(self) -> "_PeakMemory":
        self._before = self._peak = PROCESS.memory_info().rss
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._peak = max(self._peak, PROCESS.memory_info().rss)
        self._done.set()
        self._thread.join()
        self.extra_mib = (self._peak - self._before) / 2**20

    def _sample(self) -> None:
        while not self._done.wait(SAMPLING_SECONDS):
            self._peak = max(self._peak, PROCESS.memory_info().rss)
