r"""Segment a volume with an installed network and write the labels on the volume's own grid.

VOLUME is a .nii, .nii.gz, .nrrd, .nhdr, .mha or .mgz file, or a folder with one DICOM series.
The output's name decides its format; .seg.nrrd keeps names, colors, codes and provenance.

Examples:
  segmentationai segment head.nii.gz --network brain-any-contrast --output head.seg.nrrd
  segmentationai segment flair.nii.gz --network lesions --channel T1=t1.nii.gz --output l.nii.gz
  segmentationai segment ct.nrrd --network torso --labels Liver,Spleen --roi -90 10 -60 80 0 120 \
      --output liver.seg.nrrd --report report.json

With --server the volume goes to that server and the network runs there.
Coordinates are RAS millimeters. Results are for research and need a physician's check.
"""

import argparse
import functools
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .output_files import check_outputs
from .progress_line import progress_line
from .research_notice import show_research_notice_once

if TYPE_CHECKING:  # these load torch; --help must not wait for it
    from ..core.pipeline import Options
    from ..core.progress import Progress
    from ..core.volume import Volume
    from ..worker.wire_volumes import SegmentResult

    SegmentIt = Callable[[Volume, Mapping[str, Volume], Options, Progress], SegmentResult]

ROI_NAMES = ("R0", "R1", "A0", "A1", "S0", "S1")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``segment``."""
    parser.add_argument("volume", type=Path, metavar="VOLUME", help="file or DICOM series folder")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="result")
    parser.add_argument(
        "--channel", action="append", default=[], metavar="ROLE=PATH",
        help="a further input channel, resampled in physical space; repeat for more",
    )  # fmt: skip
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="what was done, as JSON")
    parser.add_argument(
        "--uncertainty", type=Path, metavar="FILE",
        help="also write the entropy of the probabilities, 0 (certain) to 1, as a volume, and put "
        "each segment's expected Dice and the most doubtful slices into the report",
    )  # fmt: skip
    parser.add_argument(
        "--roi", type=float, nargs=6, metavar=ROI_NAMES,
        help="segment only inside this box, RAS mm; the output keeps the whole grid",
    )  # fmt: skip
    add_network_arguments(parser)
    parser.add_argument(
        "--server",
        metavar="URL",
        help="run it there, on a 'segmentationai serve'; https://name:port",
    )
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="token for the server")
    parser.add_argument(
        "--ca-file", type=Path, metavar="FILE",
        help="certificates (PEM) to trust for the server; default: the system's",
    )  # fmt: skip


def add_network_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which network runs, and how; `batch` has them too."""
    parser.add_argument(
        "--network", required=True, metavar="ID[,ID...]",
        help="see 'networks list'; several answer together, with the mean of their probabilities",
    )  # fmt: skip
    parser.add_argument(
        "--labels", metavar="NAME,...", help="only these structures, by name; default all"
    )
    parser.add_argument(
        "--device", default="auto", metavar="auto|cpu|cuda[:N]|mps", help="default %(default)s"
    )
    parser.add_argument(
        "--precision", default="auto", choices=("auto", "fp32", "fp16", "bf16", "int8"),
        help="auto: the fastest whose recorded agreement allows it",
    )  # fmt: skip
    parser.add_argument(
        "--overlap", type=float, metavar="F",
        help="fraction that neighboring patches share, 0 to under 1; default: the network's",
    )  # fmt: skip
    parser.add_argument(
        "--tta", action=argparse.BooleanOptionalAction, default=None,
        help="average over mirrored copies (test-time augmentation); default: as the network's own "
        "tool does, which for our own networks is not",
    )  # fmt: skip
    parser.add_argument(
        "--dropout-samples", type=int, default=0, metavar="N",
        help="average N answers of a network with dropout layers, for its uncertainty",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Segment one volume."""
    # These load torch; --help and a wrong option must not wait for it.
    from ..core.files import read_volume, write_labelmap, write_volume
    from ..core.pipeline import Options

    started = time.perf_counter()
    channels = channels_of(arguments.channel)
    check_outputs(
        arguments.output,
        arguments.uncertainty,
        arguments.report,
        inputs=[arguments.volume, *channels.values()],
    )
    with progress_line() as progress:
        segment_it = _opened(arguments)
        options = Options(
            roi_ras=tuple(arguments.roi) if arguments.roi else None,
            structures=chosen_names(arguments.labels),
            overlap=arguments.overlap,
            mirror=arguments.tta,
            uncertainty=arguments.uncertainty is not None,
        )
        progress(0.0, f"Reading {arguments.volume.name}")
        volume = read_volume(arguments.volume)
        others = {role: read_volume(path) for role, path in channels.items()}
        read_seconds = time.perf_counter() - started
        result = segment_it(volume, others, options, progress.part(0.05, 0.95))
        writing = time.perf_counter()
        write_labelmap(result.labelmap, arguments.output)
        if result.uncertainty is not None:
            write_volume(result.uncertainty, arguments.uncertainty)
        progress(1.0, f"Wrote {arguments.output.name}")
    finished = time.perf_counter()
    report = {
        **result.report,
        "seconds": {
            **result.report["seconds"],
            "read": round(read_seconds, 4),
            "write": round(finished - writing, 4),
            "total": round(finished - started, 4),
        },
    }
    if arguments.report is not None:
        write_report(report, arguments.report)
    print_summary(report)
    show_research_notice_once()
    return 0


def _opened(arguments: argparse.Namespace) -> "SegmentIt":
    """Return what segments: a network opened here, or a server; both refuse before any reading."""
    from ..worker.wire_volumes import SegmentResult

    if arguments.server:
        from .segment_there import segment_there, server_of

        worker = server_of(arguments)
        return functools.partial(segment_there, worker, arguments)
    from ..networks.segmenter import open_segmenter

    segmenter = open_segmenter(
        arguments.network,
        arguments.device,
        arguments.precision,
        dropout_samples=arguments.dropout_samples,
    )

    def segment_here(
        volume: "Volume", others: "Mapping[str, Volume]", options: "Options", progress: "Progress"
    ) -> SegmentResult:
        result = segmenter.segment(volume, others, options, progress)
        report = segmenter.report(result, result.seconds)
        return SegmentResult(result.labelmap, result.uncertainty, report)

    return segment_here


def write_report(report: dict[str, Any], path: Path) -> None:
    """Write facts as JSON, whole or not at all."""
    from ..core.atomic import whole_file

    with whole_file(path) as beside:
        beside.write_text(json.dumps(report, indent=2, ensure_ascii=False), encoding="utf-8")


def print_summary(report: dict[str, Any]) -> None:
    """Print what was found and how long it took."""
    found = [label for label in report["labels"] if label["voxels"]]
    for label in found:
        print(f"{label['value']:5d}  {label['name']:36s} {label['volume_ml']:10.2f} ml")
    for note in report["notes"]:
        print(f"note: {note}")
    print(
        f"{len(found)} of {len(report['labels'])} structures in "
        f"{report['seconds']['total']:.1f} s on {report['device']} ({report['precision']})"
    )


def chosen_names(text: str | None) -> tuple[str, ...] | None:
    """Return the names of a comma-separated list, None for None."""
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def channels_of(words: list[str]) -> dict[str, Path]:
    """Return role and path of every --channel.

    Raises:
        SegmentationAIError: One is not ROLE=PATH.
    """
    from ..core.errors import SegmentationAIError

    channels = {}
    for word in words:
        role, equals, path = word.partition("=")
        if not (role and equals and path):
            raise SegmentationAIError(
                f"--channel {word}: ROLE=PATH is expected, such as --channel T1=t1.nii.gz."
            )
        channels[role] = Path(path)
    return channels
