"""What the worker does for a call ``segment``: from a frame to labels on the volume's grid."""

import logging
import math
import time
from collections.abc import Mapping
from typing import Any, Final

from ..core.admission import check_sizes, checked_affine
from ..core.errors import MemoryBudgetError, SegmentationAIError
from ..core.pipeline import Options, box_of_roi
from ..core.volume import Volume
from ..networks.card import NetworkCard
from ..networks.process_memory import peak_memory_bytes
from ..networks.running import is_out_of_memory
from .frame import Frame
from .history import RunHistory, name_of_run
from .protocol import WorkerError
from .served_call import ServedCall
from .warm_networks import WarmNetworks
from .wire_volumes import SegmentResult, frame_of_result, volumes_of_frame

OPENED: Final = 0.04
OPTIONS: Final[dict[str, type | tuple[type, ...]]] = {
    "roi_ras": list,
    "structures": list,
    "overlap": (float, int),
    "mirror": bool,
    "uncertainty": bool,
    "device": str,
    "precision": str,
}
logger = logging.getLogger(__name__)


def segment(frame: Frame, call: ServedCall, warm: WarmNetworks, history: RunHistory) -> Frame:
    """Return the frame of the result.

    Args:
        frame: Header ``network`` and ``options``; the volume and further channels as arrays.
        call: Told of the progress; raises when it was canceled.
        warm: Networks that are open.
        history: Asked how long it will take, and told how long it took.

    Raises:
        WorkerError: The frame does not say what to do.
        SegmentationAIError: What is asked for cannot be done; the sentence says why.
        Cancelled: The host asked for the end.
    """
    started = time.perf_counter()
    network_id, options = frame.header.get("network"), checked_options(frame.header.get("options"))
    if not isinstance(network_id, str):
        raise WorkerError("The call names no network.")
    volume, others = volumes_of_frame(frame)
    for one in (volume, *others.values()):
        check_sizes(one.voxels.shape, one.voxels.dtype.itemsize, "The volume")
        checked_affine(one.affine, "The volume")
    progress = call.progress()
    progress(0.0, "Opening the network")
    device, precision = options.pop("device", "auto"), options.pop("precision", "auto")
    try:
        segmenter = warm.segmenter(network_id, device, precision)
        run, voxels = _run_and_voxels(
            segmenter.card, segmenter.network.device_name, volume, options
        )
        call.expect(history.expected_seconds(run, voxels))
        running, peak_before = time.perf_counter(), peak_memory_bytes()
        notes_before = segmenter.network.notes
        result = segmenter.segment(volume, others, Options(**options), progress.part(OPENED, 1.0))
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        warm.release()
        raise MemoryBudgetError(
            "The memory ran out; choose a smaller region, or a machine or a server with more."
        ) from error
    finished = time.perf_counter()
    seconds = {"read": 0.0, **result.seconds, "write": 0.0, "total": finished - started}
    report = segmenter.report(result, seconds)
    # The peak is the process's own: one that did not rise was that of an earlier run.
    peak = peak_memory_bytes()
    own_peak = peak if peak > peak_before else None
    _remember(history, run, voxels, finished - running, own_peak)
    if segmenter.network.notes != notes_before:
        # It stepped down for want of memory; the next run may find more.
        warm.drop(segmenter)
    return frame_of_result(SegmentResult(result.labelmap, result.uncertainty, report))


def checked_options(given: Any) -> dict[str, Any]:
    """Return the options of a call, lists as tuples; those that are null are left out.

    Raises:
        WorkerError: One is not known, or not of its type.
    """
    given = {} if given is None else given
    if not isinstance(given, dict) or not set(given) <= set(OPTIONS):
        names = ", ".join(sorted(map(str, given))) if isinstance(given, dict) else "no object"
        raise WorkerError(f"Found options {names}; known are {', '.join(OPTIONS)}.")
    options: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        if not isinstance(value, OPTIONS[name]) or (name == "overlap" and isinstance(value, bool)):
            raise WorkerError(f"The option {name} is of another type than expected.")
        options[name] = tuple(value) if isinstance(value, list) else value
    roi, structures = options.get("roi_ras"), options.get("structures", ())
    if roi is not None and (len(roi) != 6 or not all(_is_number(n) for n in roi)):
        raise WorkerError("The region of interest has to be six numbers, RAS mm.")
    if not all(isinstance(name, str) for name in structures):
        raise WorkerError("Structures are named by text.")
    return options


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _run_and_voxels(
    card: NetworkCard, device: str, volume: Volume, options: Mapping[str, Any]
) -> tuple[str, float]:
    """Return the name of like runs, and how many voxels the network will see."""
    box = volume.grid.box
    if options.get("roi_ras") is not None:
        box = box_of_roi(volume.grid, options["roi_ras"])
    voxels = float(math.prod(box.shape))
    if card.spacing_mm is not None:
        voxels *= volume.grid.voxel_volume_ml * 1000 / math.prod(card.spacing_mm)
    words = [f"overlap {options['overlap']:g}"] if "overlap" in options else []
    words += [name for name in ("mirror", "uncertainty") if options.get(name)]
    return name_of_run(card.id, device, " ".join(words)), voxels


def _remember(
    history: RunHistory, run: str, voxels: float, seconds: float, peak_bytes: int | None
) -> None:
    try:
        history.add(run, voxels, seconds, peak_bytes)
    except (OSError, SegmentationAIError):
        # Estimates are all that is lost, and the labels are there.
        logger.info("the history of runs could not be written")
