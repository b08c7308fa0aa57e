"""Segment every volume of a folder, or of a list with one path a line.

Each case becomes <case>.seg.nrrd in the output folder, and summary.json tells what happened to
each. A case that fails is named with its reason and does not stop the others; then the exit status
is 1. --resume leaves out the cases that are done.

Examples:
  segmentationai batch scans/ --network brain-any-contrast --output results/
  segmentationai batch list.txt --network torso --output results/ --resume
"""

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.progress import Progress
from .progress_line import progress_line
from .research_notice import show_research_notice_once
from .segment import add_network_arguments, chosen_names, write_report

if TYPE_CHECKING:  # these load torch; --help must not wait for it
    from ..core.pipeline import Options
    from ..networks.segmenter import Segmenter

SUMMARY = "summary.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``batch``."""
    parser.add_argument(
        "cases", type=Path, metavar="FOLDER|LIST.txt",
        help="folder with volumes or DICOM series folders, or a text file with one path a line",
    )  # fmt: skip
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="results")
    parser.add_argument("--resume", action="store_true", help="leave out cases that are done")
    add_network_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Segment all cases; return 1 when some failed."""
    from ..core.errors import SegmentationAIError
    from ..core.pipeline import Options
    from ..networks.segmenter import open_segmenter

    cases = find_cases(arguments.cases)
    done = _finished(arguments.output / SUMMARY) if arguments.resume else {}
    options = Options(
        structures=chosen_names(arguments.labels), overlap=arguments.overlap, mirror=arguments.tta
    )
    arguments.output.mkdir(parents=True, exist_ok=True)
    rows: dict[str, dict[str, Any]] = {}
    with progress_line() as progress:
        segmenter = open_segmenter(
            arguments.network,
            arguments.device,
            arguments.precision,
            dropout_samples=arguments.dropout_samples,
        )
        for number, (name, path) in enumerate(cases.items()):
            output = arguments.output / f"{name}.seg.nrrd"
            if name in done and output.exists():
                rows[name] = done[name]
                continue
            part = progress.part(number / len(cases), (number + 1) / len(cases))
            try:
                rows[name] = _segment_case(segmenter, path, output, options, part)
            except (SegmentationAIError, OSError) as error:
                reason = " ".join(str(error).split())
                rows[name] = {"case": name, "state": "failed", "reason": reason}
            summary = {"network": arguments.network, "cases": list(rows.values())}
            write_report(summary, arguments.output / SUMMARY)
    write_report(
        {"network": arguments.network, "cases": list(rows.values())}, arguments.output / SUMMARY
    )
    failed = [row for row in rows.values() if row["state"] == "failed"]
    for row in failed:
        print(f"{row['case']}: {row['reason']}")
    print(f"{len(rows) - len(failed)} of {len(rows)} cases segmented; see {SUMMARY}")
    show_research_notice_once()
    return 1 if failed else 0


def find_cases(source: Path) -> dict[str, Path]:
    """Return case name to volume, in the order of the list or of the names.

    Raises:
        SegmentationAIError: There is no case, or two would write the same file.
    """
    from ..core.errors import SegmentationAIError
    from ..core.files import VOLUME_ENDINGS

    if source.is_dir():
        paths = [
            path
            for path in sorted(source.iterdir())
            if path.name.lower().endswith(VOLUME_ENDINGS) or path.is_dir()
        ]
    else:
        lines = source.read_text(encoding="utf-8").splitlines()
        paths = [source.parent / line.strip() for line in lines if line.strip()]
    cases: dict[str, Path] = {}
    for path in paths:
        ending = next((e for e in VOLUME_ENDINGS if path.name.lower().endswith(e)), "")
        name = path.name[: len(path.name) - len(ending)]
        if name in cases:
            raise SegmentationAIError(
                f"{cases[name].name} and {path.name} would both become {name}.seg.nrrd; "
                "rename one of them."
            )
        cases[name] = path
    if not cases:
        raise SegmentationAIError(
            f"No volume in {source.name}; files ending in {', '.join(VOLUME_ENDINGS)} or DICOM "
            "series folders are expected."
        )
    return cases


def _segment_case(
    segmenter: "Segmenter", path: Path, output: Path, options: "Options", progress: Progress
) -> dict[str, Any]:
    from ..core.files import read_volume, write_labelmap

    started = time.perf_counter()
    result = segmenter.segment(read_volume(path), {}, options, progress)
    write_labelmap(result.labelmap, output)
    report = segmenter.report(result, {"total": time.perf_counter() - started})
    return {"case": output.name.removesuffix(".seg.nrrd"), "state": "done", **report}


def _finished(summary: Path) -> dict[str, dict[str, Any]]:
    if not summary.exists():
        return {}
    rows = json.loads(summary.read_text(encoding="utf-8"))["cases"]
    return {row["case"]: row for row in rows if row["state"] == "done"}
