r"""Correct or draw one segment with prompts: points, boxes, scribbles and lassos.

VOLUME is a .nii, .nii.gz, .nrrd, .nhdr, .mha or .mgz file, or a folder with one DICOM series. With
--segmentation the prompts correct a segment of that file; all other segments of it are locked and
survive untouched. Without it they draw a new one.

Examples:
  segmentationai refine ct.nrrd --prompts clicks.json --output liver.seg.nrrd --segment Liver
  segmentationai refine ct.nrrd --prompts clicks.json --segmentation torso.seg.nrrd \
      --segment Liver --output torso.seg.nrrd --report report.json
  segmentationai refine t1.nii.gz --channel FLAIR=flair.nii.gz --prompts clicks.json \
      --output lesion.seg.nrrd

Prompts are JSON in RAS millimeters, answered in order:
  {"prompts": [{"type": "point", "position": [r, a, s], "positive": true},
               {"type": "box", "corners": [[r, a, s], [r, a, s]], "positive": true},
               {"type": "scribble", "points": [[r, a, s], ...], "radius_mm": 2.0,
                "positive": false},
               {"type": "lasso", "points": [[r, a, s], ...], "positive": true}]}

Results are for research and need a physician's check.
"""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .output_files import check_outputs
from .progress_line import progress_line
from .research_notice import show_research_notice_once

if TYPE_CHECKING:
    from ..core.progress import Progress
    from ..core.prompts import Prompt
    from ..core.volume import Volume
    from ..refine.change import Change
    from ..refine.engine import Engine
    from ..refine.one_segment import OneSegment
    from ..refine.session import RefineSession


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``refine``."""
    parser.add_argument("volume", type=Path, metavar="VOLUME", help="file or DICOM series folder")
    parser.add_argument(
        "--prompts", type=Path, required=True, metavar="FILE.json", help="RAS mm, see below"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="result")
    parser.add_argument(
        "--segmentation", type=Path, metavar="FILE", help="start from a segment of this file"
    )
    parser.add_argument(
        "--segment", metavar="NAME",
        help="the segment to correct; one that is not there is new; default: the only one",
    )  # fmt: skip
    parser.add_argument(
        "--engine", metavar="ID", help="what answers the prompts, see the documentation"
    )
    parser.add_argument("--network", default="", metavar="ID", help="for engines that have one")
    parser.add_argument(
        "--structure", default="", metavar="NAME",
        help="structure of the network; default: the segment's name if the network knows it",
    )  # fmt: skip
    parser.add_argument(
        "--channel", action="append", default=[], metavar="ROLE=PATH",
        help="a further channel of the scan, resampled in physical space; repeat for more",
    )  # fmt: skip
    parser.add_argument(
        "--device", default="auto", metavar="auto|cpu|cuda[:N]|mps", help="default %(default)s"
    )
    parser.add_argument(
        "--keep-network", default="", metavar="ID",
        help="with --engine adapt: install the adapted network under this ID",
    )  # fmt: skip
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="what was done, as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Answer the prompts of a file."""
    # These load numpy and more; --help and a wrong option must not wait for them.
    from ..core.files import write_labelmap
    from ..core.prompt_file import read_prompts
    from ..refine.engines import check_engine
    from .segment import channels_of, write_report

    started = time.perf_counter()
    check_outputs(
        arguments.output,
        report=arguments.report,
        # What is corrected may be replaced by what comes of it.
        inputs=[arguments.volume, arguments.prompts, *channels_of(arguments.channel).values()],
    )
    if arguments.engine != "growcut":
        check_engine(arguments.engine or _default_engine())
    _check_kept(arguments)
    prompts = read_prompts(arguments.prompts)
    with progress_line() as progress:
        progress(0.0, f"Reading {arguments.volume.name}")
        volume, segment = _read(arguments)
        session = _opened(arguments, volume, segment)
        read_seconds = time.perf_counter() - started
        is_adapted = arguments.engine == "adapt"
        answer = _answered_together if is_adapted else _answered
        answers = answer(session, prompts, progress.part(0.1, 0.95))
        mask = session.mask
        notes = [*volume.notes, *segment.labelmap.notes]
        network, weights_sha256 = _network_of(arguments)
        labelmap = segment.with_mask(mask, network, weights_sha256)
        writing = time.perf_counter()
        write_labelmap(labelmap, arguments.output)
        if arguments.keep_network:
            session.keep_network(arguments.keep_network)
        session.close()
        progress(1.0, f"Wrote {arguments.output.name}")
    finished = time.perf_counter()
    voxels = int(mask.sum())
    report = {
        "engine": arguments.engine or _default_engine(),
        "network": network or None,
        "segment": {
            "value": segment.label.value,
            "name": segment.label.name,
            "voxels": voxels,
            "volume_ml": round(voxels * volume.grid.voxel_volume_ml, 4),
        },
        "prompt_count": len(prompts),
        "prompts": answers,
        "seconds": {
            "read": round(read_seconds, 4),
            "answer": round(writing - started - read_seconds, 4),
            "write": round(finished - writing, 4),
            "total": round(finished - started, 4),
        },
        "notes": [*notes, *_once(note for answer in answers for note in answer["notes"])],
    }
    if arguments.report is not None:
        write_report(report, arguments.report)
    _print_summary(report)
    show_research_notice_once()
    return 0


def _read(arguments: argparse.Namespace) -> "tuple[Volume, OneSegment]":
    from ..core.channels import stack_channels
    from ..core.files import read_labelmap, read_volume
    from ..refine.one_segment import new_segment, segment_in
    from .segment import channels_of

    volume = read_volume(arguments.volume)
    others = {role: read_volume(path) for role, path in channels_of(arguments.channel).items()}
    if others:
        first = _first_role(others)
        volume = stack_channels(volume, others, [first, *others])
    if arguments.segmentation is None:
        return volume, new_segment(volume.grid, arguments.segment)
    labelmap = read_labelmap(arguments.segmentation)
    return volume, segment_in(labelmap, volume.grid, arguments.segment)


def _opened(
    arguments: argparse.Namespace, volume: "Volume", segment: "OneSegment"
) -> "RefineSession":
    from ..refine.engines import structure_known
    from ..refine.session import RefineSession

    structure = arguments.structure
    if arguments.network and not structure:
        structure = structure_known(arguments.network, segment.label.name)
    engine: str | Engine = arguments.engine or _default_engine()
    if engine == "growcut":
        from .growcut_engine import open_growcut

        engine = open_growcut(arguments.network or structure)
    session = RefineSession(
        volume,
        engine,
        arguments.network,
        structure=structure,
        device=arguments.device,
    )
    if segment.mask.any():
        session.set_mask(segment.mask)
    session.freeze(segment.others)
    return session


def _network_of(arguments: argparse.Namespace) -> tuple[str, str]:
    """Return ID and hash of the network that took part, empty without one."""
    network: str = arguments.network
    if arguments.engine == "click" and not network:
        from ..refine.click_network import NETWORK

        network = NETWORK
    if not network:  # without one nothing of torch is loaded
        return "", ""
    from ..networks.segmenter import stored_sha256
    from ..networks.store import NetworkStore

    return network, stored_sha256(network, NetworkStore())


def _check_kept(arguments: argparse.Namespace) -> None:
    """Raise when a network is to be kept that cannot be: before anything is computed."""
    if not arguments.keep_network:
        return
    from ..core.errors import SegmentationAIError
    from ..networks.store import NetworkStore

    if arguments.engine != "adapt":
        raise SegmentationAIError("--keep-network keeps what --engine adapt makes; name that.")
    NetworkStore().check_new_id(arguments.keep_network)


def _answered(
    session: "RefineSession", prompts: "tuple[Prompt, ...]", progress: "Progress"
) -> list[dict[str, Any]]:
    answers = []
    for number, prompt in enumerate(prompts):
        part = progress.part(number / len(prompts), (number + 1) / len(prompts))
        part(0.0, f"Prompt {number + 1} of {len(prompts)}")
        started = time.perf_counter()
        change = session.add(prompt, part)
        answers.append(_answer_row(change, time.perf_counter() - started))
    return answers


def _answered_together(
    session: "RefineSession", prompts: "tuple[Prompt, ...]", progress: "Progress"
) -> list[dict[str, Any]]:
    """One answer to all prompts: a network is adapted once, however many there are, or none."""
    started = time.perf_counter()
    change = session.add_together(prompts, progress)
    return [_answer_row(change, time.perf_counter() - started)]


def _answer_row(change: "Change", seconds: float) -> dict[str, Any]:
    return {
        "start_ijk": list(change.start_ijk),
        "stop_ijk": list(change.stop_ijk),
        "added": change.added,
        "removed": change.removed,
        "seconds": round(seconds, 4),
        "notes": list(change.notes),
    }


def _default_engine() -> str:
    from ..refine.session import DEFAULT_ENGINE

    return DEFAULT_ENGINE


def _first_role(others: Any) -> str:
    """A name for the volume itself that no further channel has."""
    name = "VOLUME"
    while name in others:
        name += "_"
    return name


def _once(notes: Any) -> list[str]:
    return list(dict.fromkeys(notes))


def _print_summary(report: dict[str, Any]) -> None:
    segment, count = report["segment"], report["prompt_count"]
    prompts = "1 prompt" if count == 1 else f"{count} prompts"
    for note in report["notes"]:
        print(f"note: {note}")
    print(
        f"{segment['name']}: {segment['volume_ml']:.2f} ml after {prompts}, "
        f"answered in {report['seconds']['answer']:.1f} s by {report['engine']}"
    )
