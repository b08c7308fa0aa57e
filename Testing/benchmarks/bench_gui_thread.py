"""P14: how long the thread that owns the scene is kept from its event loop, step by step.

The logic of the panel on a real scene, with a real worker process and the threshold network of the
tests, on 512 x 512 x 200 voxels. That network knows one structure, so when its answer has come, its
labels are exchanged for 30 ellipsoids and a shell around them all: what follows is what 31
segments cost. A ping that is due every 5 ms tells the gaps.
"""

import itertools
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import slicer

TESTING = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTING))

from threshold_network import threshold_network_folder  # noqa: E402

from SegmentationAILib.core.labelmap import Label, Labelmap, Provenance  # noqa: E402
from SegmentationAILib.core.volume import Volume  # noqa: E402
from SegmentationAILib.scene.bootstrap import headless_slicer  # noqa: E402
from SegmentationAILib.scene.jobs import Asked  # noqa: E402
from SegmentationAILib.scene.journal_keeper import JournalKeeper  # noqa: E402
from SegmentationAILib.scene.logic import SegmentationLogic  # noqa: E402
from SegmentationAILib.scene.measure_follower import MeasureFollower  # noqa: E402
from SegmentationAILib.scene.placement import matrix_from_affine  # noqa: E402
from SegmentationAILib.scene.segment_protection import set_locked  # noqa: E402
from SegmentationAILib.scene.surface_renewal import renew_surfaces  # noqa: E402
from SegmentationAILib.scene.volume_node import node_from_volume  # noqa: E402
from SegmentationAILib.scene.vtk_voxels import scalars_from_voxels  # noqa: E402
from SegmentationAILib.worker.client import LocalWorker, WorkerPython  # noqa: E402

SHAPE = (512, 512, 200)
AFFINE = np.diag([-0.8, -0.8, 1.5, 1.0])
PING_SECONDS = 0.005
LONG_SECONDS = 0.05


class PingedLoop:
    """A plain event loop that is a ticker, and notes how late its pings are.

    Each call is an event of its own: a ping that is due comes first, as with timers of Qt.
    """

    def __init__(self) -> None:
        self.gaps: dict[str, float] = {}
        self.totals: dict[str, float] = {}
        self.blame: dict[str, Counter[str]] = {}
        self.phase = ""
        self._soon: list[Callable[[], None]] = []
        self._timers: list[list[Any]] = []
        self._last_ping = time.perf_counter()
        self._watch = GapWatch()

    def soon(self, call: Callable[[], None]) -> None:
        """Call once, in a later turn."""
        self._soon.append(call)

    def every(self, milliseconds: int, call: Callable[[], None]) -> Callable[[], None]:
        """Call again and again until the returned function is called."""
        timer = [milliseconds / 1000, time.perf_counter() + milliseconds / 1000, call]
        self._timers.append(timer)
        return lambda: self._timers.remove(timer) if timer in self._timers else None

    def call(self, act: Callable[[], Any]) -> Any:
        """Do what a click does, as an event."""
        self._ping()
        answer = act()
        self._ping()
        return answer

    def run_until(self, is_done: Callable[[], bool], seconds: float = 300.0) -> None:
        """Turn until it is done and nothing is left for soon."""
        deadline = time.perf_counter() + seconds
        while not is_done() or self._soon:
            if time.perf_counter() > deadline:
                raise TimeoutError(self.phase)
            calls, self._soon = self._soon, []
            for call in calls:
                self._ping()
                call()
            for timer in list(self._timers):
                if timer in self._timers and time.perf_counter() >= timer[1]:
                    self._ping()
                    timer[2]()
                    timer[1] = time.perf_counter() + timer[0]
            self._ping()
            time.sleep(0.001)

    @contextmanager
    def during(self, phase: str) -> Iterator[None]:
        """Count gaps for a phase."""
        self.phase = phase
        started = self._last_ping = time.perf_counter()
        self._watch.samples.clear()
        yield
        self._ping()
        self.totals[phase] = time.perf_counter() - started

    def _ping(self) -> None:
        now = time.perf_counter()
        if now - self._last_ping < PING_SECONDS:
            return
        gap, self._last_ping = now - self._last_ping, now
        self.gaps[self.phase] = max(gap, self.gaps.get(self.phase, 0.0))
        if gap > LONG_SECONDS:
            seen = self._watch.samples.most_common(1)
            name = seen[0][0] if seen else "another thread"
            blamed = self.blame.setdefault(self.phase, Counter())
            blamed[name] = max(blamed[name], round(gap * 1000))
        self._watch.samples.clear()


class GapWatch:
    """Samples in which function of the project the main thread is."""

    def __init__(self) -> None:
        self.samples: Counter[str] = Counter()
        self._main = threading.main_thread().ident
        threading.Thread(target=self._sample, daemon=True).start()

    def _sample(self) -> None:
        while True:
            time.sleep(0.004)
            frame = sys._current_frames().get(self._main)
            names = []
            while frame is not None:
                name = Path(frame.f_code.co_filename)
                if "SegmentationAILib" in name.parts:
                    names.append(f"{name.stem}.{frame.f_code.co_name}:{frame.f_lineno}")
                frame = frame.f_back
            self.samples[" < ".join(names[:3]) or "the loop"] += 1


class ExchangedLabels:
    """The worker, whose answers get the labels of ``next_labelmap`` when they are fetched."""

    def __init__(self, worker: LocalWorker) -> None:
        self._worker = worker
        self.next_labelmap: Labelmap | None = None

    def segment(self, *arguments: Any) -> Any:
        call, labelmap = self._worker.segment(*arguments), self.next_labelmap
        fetch = call.result

        def result(seconds: float | None = None) -> Any:
            answer = fetch(seconds)
            return SimpleNamespace(labelmap=labelmap, report=answer.report)

        call.result = result
        return call


def organs(shift: int) -> Labelmap:
    """Return 30 ellipsoids and a shell; another shift moves each by so many voxels."""
    voxels = np.zeros(SHAPE, np.uint8, order="F")
    centers = itertools.product((90, 175, 260, 345, 430), (130, 260, 390), (60, 140))
    for value, (x, y, z) in enumerate(centers, start=1):
        r = np.array([36 + value % 5, 55 - value % 7, 34 - value % 4])
        low = np.array([x + shift, y, z]) - r
        box = tuple(slice(int(a), int(a + 2 * n + 1)) for a, n in zip(low, r, strict=True))
        i, j, k = np.ogrid[-1:1:complex(2 * r[0] + 1), -1:1:complex(2 * r[1] + 1),
                           -1:1:complex(2 * r[2] + 1)]  # fmt: skip
        voxels[box][i * i + j * j + k * k < 1] = value
    i, j = np.ogrid[-1:1:512j, -1:1:512j]
    distance = i * i + j * j
    voxels[(distance > 0.90) & (distance < 0.97)] = 31
    labels = tuple(
        Label(v, f"structure {v}", (v / 31, 0.5, 0.2), provenance=Provenance("predicted", "test"))
        for v in range(1, 32)
    )
    return Labelmap((voxels,), labels, AFFINE)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        print(table(_gaps(Path(folder))))


def _gaps(home: Path) -> PingedLoop:
    threshold_network_folder(
        home / "networks" / "threshold", spacing_mm=[4.0] * 3, patch_size=[64] * 3
    )
    hider = home / "without-openvino"
    hider.mkdir()
    (hider / "uvicorn.py").write_text(
        "import importlib, sys\nsys.modules['openvino'] = None\n"
        f"sys.path.remove({str(hider)!r})\ndel sys.modules['uvicorn']\n"
        "importlib.import_module('uvicorn')\n"
    )
    local = LocalWorker(WorkerPython(paths=(hider,)), home)
    try:
        local.device().result(120)
        return _session(ExchangedLabels(local), home)
    finally:
        local.close()


def _session(worker: ExchangedLabels, home: Path) -> PingedLoop:
    scene, loop = headless_slicer().scene, PingedLoop()
    first, second = organs(0), organs(3)
    # Ellipsoids are bright, as the network wants, on a noise that is cheap to make.
    noise = np.resize(np.arange(-50, 50, dtype=np.int16), SHAPE[0])
    voxels = np.asfortranarray(np.where(first.layers[0] > 0, 300, noise[:, None, None]))
    scan = node_from_volume(Volume(voxels.astype(np.int16)[None], AFFINE), scene, "CT")
    keeper = JournalKeeper(scene, home / "journal", loop)
    logic = SegmentationLogic(scene, lambda: worker, loop, keeper)

    def previewed(labelmap: Labelmap, prefix: str, **asked: Any) -> Any:
        worker.next_labelmap = labelmap
        found: list[Any] = []
        with loop.during(f"{prefix}run start"):
            run = loop.call(lambda: logic.start(
                Asked(scan, "threshold", **asked), lambda *_: None,
                lambda run, preview: found.append(preview)))  # fmt: skip
            loop.run_until(lambda: run.state != "queued")
        with loop.during(f"{prefix}running"):
            loop.run_until(lambda: run.state != "running")
        with loop.during(f"{prefix}result arrives, preview"):
            loop.run_until(lambda: found)
        if found[0] is None:
            raise RuntimeError(run.sentence)
        return found[0]

    def accept(preview: Any, phase: str) -> Any:
        ends: list[Any] = []
        with loop.during(phase):
            loop.call(lambda: logic.accept(preview, lambda *end: ends.append(end)))
            loop.run_until(lambda: ends)
        done, error = ends[0]
        if error is not None:
            raise error
        return done.node

    def discard(preview: Any) -> None:
        logic.discard(preview)
        preview.node = None  # this was the last reference

    preview = previewed(first, "")
    with loop.during("preview discarded"):
        loop.call(lambda: discard(preview))
    preview = previewed(first, "")
    node = accept(preview, "accept: new segmentation, and journal")
    with loop.during("undo of it"):
        loop.call(logic.undo)
        loop.run_until(lambda: True)
    with loop.during("redo of it"):
        loop.call(logic.redo)
        loop.run_until(lambda: True)
    made: list[bool] = []
    with loop.during("surface renewal"):
        loop.call(lambda: renew_surfaces(node, loop, lambda: made.append(True)))
        loop.run_until(lambda: made)
    tables: list[Any] = []
    follower = MeasureFollower(loop)
    with loop.during("measure"):
        loop.call(lambda: follower.follow(node, scan, tables.append))
        loop.run_until(lambda: tables)
    count = len(tables)
    with loop.during("a stroke, by Slicer itself"):
        loop.call(lambda: _stroke(logic, node))
    with loop.during("its journal write, and measuring anew"):
        loop.run_until(lambda: len(tables) > count)
    follower.follow(None, None, lambda table: None)
    set_locked(node.GetSegmentation().GetNthSegment(6), True)
    for rule in ("merge", "replace"):
        preview = previewed(second if rule == "merge" else first, "2nd ", rule=rule, target=node)
        accept(preview, f"accept: {rule} with a locked neighbor, and journal")
        with loop.during(f"surfaces after {rule}"):
            loop.run_until(lambda: _has_surfaces(node))
        with loop.during(f"undo of {rule}"):
            loop.call(logic.undo)
            loop.run_until(lambda: True)
    keeper.close()
    logic.close()
    return loop


def _has_surfaces(node: Any) -> bool:
    return bool(node.GetSegmentation().ContainsRepresentation("Closed surface"))


def _stroke(logic: SegmentationLogic, node: Any) -> None:
    editor = logic.editors.editor_of(node)
    editor.SaveStateForUndo()
    image = slicer.vtkOrientedImageData()
    image.SetExtent(200, 219, 200, 219, 90, 92)
    ones = np.ones((1, 20, 20, 3), np.uint8)
    image.GetPointData().SetScalars(scalars_from_voxels(ones))
    image.SetImageToWorldMatrix(matrix_from_affine(AFFINE))
    mode = editor.ModificationModeAdd
    name = node.GetSegmentation().GetNthSegmentID(4)
    editor.ModifySegmentByLabelmap(node, name, image, mode, False, False)


def table(loop: PingedLoop) -> str:
    """Return the longest gap of each phase as markdown."""
    lines = [
        "### The thread that owns the scene: longest time between two turns of its event loop",
        "",
        f"{' x '.join(map(str, SHAPE))} voxels, 31 segments, a worker process. "
        "Goal: P14: 50 ms during a run, 200 ms while a result is committed.",
        "",
        "| phase | longest gap, ms | whole phase, s | what ran in gaps above 50 ms |",
        "|---|---|---|---|",
    ]
    for phase, gap in loop.gaps.items():
        blamed = loop.blame.get(phase, Counter()).most_common(4)
        causes = "; ".join(f"{name} {ms} ms" for name, ms in blamed)
        lines.append(f"| {phase} | {gap * 1000:.0f} | {loop.totals[phase]:.2f} | {causes} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
