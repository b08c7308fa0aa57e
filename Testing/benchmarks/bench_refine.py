"""P8: from a click to the rendered frame, with the worker as a process, on 512 x 512 x 200 voxels.

    .venv/bin/python Testing/benchmarks/bench_refine.py [--clicks 200] [--engines geodesic click]

A slice view of Slicer shows the scan, in the slice where the click is made: a person clicks into
what is seen. Each click goes the way of the panel (`PanelRefine.prompt`), and the clock stops when
the view has been rendered with the answer in the preview. The engine growcut runs in this process,
as it has no worker: its clock stops when the mask is there.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import slicer

from SegmentationAILib.commands.growcut_engine import open_growcut
from SegmentationAILib.core.prompts import PointPrompt
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.refine.session import RefineSession
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.gl_library import choose_off_screen_window
from SegmentationAILib.scene.logic import SegmentationLogic
from SegmentationAILib.scene.panel_refine import PanelRefine
from SegmentationAILib.scene.refine_facts import CorrectionAsked
from SegmentationAILib.scene.ticker import PlainTicker
from SegmentationAILib.scene.volume_node import node_from_volume
from SegmentationAILib.scene.worker_setup import WorkerSetup
from SegmentationAILib.worker.client import LocalWorker

SHAPE = (512, 512, 200)
AFFINE = np.diag([-0.8, -0.8, 1.5, 1.0])
ENGINES = ("geodesic", "growcut", "click")
GOALS_MS = {"geodesic": 100, "growcut": 300, "click": 1000}
WAIT_SECONDS = 120.0
SIDE = 640


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clicks", type=int, default=200)
    parser.add_argument("--engines", nargs="*", choices=ENGINES, default=ENGINES)
    options = parser.parse_args()
    lines = [
        f"### From a click to the rendered frame, 512 x 512 x 200, {options.clicks} clicks",
        "",
        "| engine | median ms | 95th percentile ms | longest ms | goal for the 95th, ms |",
        "|---|---|---|---|---|",
    ]
    for engine in options.engines:
        clicks = list(_clicks(options.clicks))
        found = _grown(clicks) if engine == "growcut" else _through_the_panel(engine, clicks)
        # The first click opens what the others use.
        ms = 1000 * np.array(found[1:])
        lines.append(
            f"| {engine} | {np.median(ms):.0f} | {np.percentile(ms, 95):.0f} | {ms.max():.0f} | "
            f"{GOALS_MS[engine]} |"
        )
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _scan() -> Volume:
    """Balls of many sizes on noisy ground, as int16."""
    rng = np.random.default_rng(5)
    voxels = rng.normal(40, 12, SHAPE).astype(np.int16)
    for i, j, k, r in zip(
        rng.integers(60, 450, 40), rng.integers(60, 450, 40), rng.integers(30, 170, 40),
        rng.integers(12, 40, 40), strict=True,
    ):  # fmt: skip
        box = tuple(slice(max(0, n - r), n + r + 1) for n in (i, j, k))
        part = voxels[box]
        places = np.ogrid[tuple(slice(0, n) for n in part.shape)]
        middle = [min(r, n) for n in (i, j, k)]
        inside = sum(
            ((axis - m) * mm) ** 2
            for axis, m, mm in zip(places, middle, (0.8, 0.8, 1.5), strict=True)
        )
        part[inside <= (0.8 * r) ** 2] += 150
    return Volume(voxels[None], AFFINE)


def _clicks(count: int) -> Iterator[PointPrompt]:
    """Clicks of both signs within a region such as an organ's."""
    rng = np.random.default_rng(11)
    for number in range(count):
        i, j, k = rng.uniform((200, 200, 80), (300, 300, 120))
        yield PointPrompt((-0.8 * i, -0.8 * j, 1.5 * k), number % 3 != 2)


def _grown(clicks: list[PointPrompt]) -> list[float]:
    session, seconds = RefineSession(_scan(), open_growcut("")), []
    for click in clicks:
        started = time.perf_counter()
        session.add(click)
        seconds.append(time.perf_counter() - started)
    return seconds


def _through_the_panel(engine: str, clicks: list[PointPrompt]) -> list[float]:
    choose_off_screen_window()
    headless = headless_slicer()
    scene = headless.scene
    ticker = PlainTicker()
    seconds = []
    with tempfile.TemporaryDirectory() as home:
        worker = LocalWorker(home=Path(home))
        logic = SegmentationLogic(scene, lambda: worker, ticker)
        refine = PanelRefine(scene, logic, WorkerSetup(worker=worker), ticker, lambda _: ())
        scan = node_from_volume(_scan(), scene, "Scan")
        node, segment = refine.add_segment(None, scan)
        render = _slice_view(headless.application_logic, scan)
        asked = CorrectionAsked(scan, node, segment, engine, run_mode="live")
        refine.correct(asked, lambda facts: None)
        _rest(refine, ticker)
        for click in clicks:
            slicer.vtkMRMLSliceNode.JumpAllSlices(scene, *click.position_ras)
            render()
            started = time.perf_counter()
            refine.prompt(click)
            _rest(refine, ticker)
            render()
            seconds.append(time.perf_counter() - started)
        if len(refine.correction().prompts) != len(clicks):
            raise RuntimeError(f"not all clicks were answered: {refine.correction().sentence}")
        refine.discard_correction()
        logic.close()
        worker.close()
    return seconds


def _rest(refine: PanelRefine, ticker: PlainTicker) -> None:
    deadline = time.monotonic() + WAIT_SECONDS

    def is_over() -> bool:
        if time.monotonic() > deadline:
            raise TimeoutError(refine.correction().sentence)
        return not refine.correction().is_busy

    ticker.run_until(is_over, pause_seconds=0.001)


def _slice_view(
    application_logic: slicer.vtkMRMLApplicationLogic, scan: slicer.vtkMRMLScalarVolumeNode
) -> Callable[[], None]:
    """Return what renders an axial slice of the scan, with all segments."""
    # Sets up OpenGL when it is imported.
    from trame_slicer.views import NoScheduleRendering, SliceView

    view = SliceView(scan.GetScene(), application_logic, "Red", NoScheduleRendering())
    view.render_window().SetMultiSamples(0)
    view.render_window().SetSize(SIDE, SIDE)
    view.update_size(SIDE, SIDE)
    view.set_orientation("Axial")
    view.set_background_volume_id(scan.GetID())
    view.fit_view_to_content()
    return view.render


if __name__ == "__main__":
    raise SystemExit(main())
