"""Segment every volume of a folder, or of a list with one path a line.

Each case becomes <case>.seg.nrrd in the output folder, and summary.json tells what happened to
each. A case that fails is named with its reason and does not stop the others; then the exit status
is 1. --resume leaves out the cases that are done, by the same network.

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
    from ..core.atomic import check_writable
    from ..core.errors import SegmentationAIError
    from ..core.pipeline import Options
    from ..networks.segmenter import open_segmenter

    cases = find_cases(arguments.cases, arguments.output)
    options = Options(
        structures=chosen_names(arguments.labels), overlap=arguments.overlap, mirror=arguments.tta
    )
    summary = arguments.output / SUMMARY
    arguments.output.mkdir(parents=True, exist_ok=True)
    check_writable(summary)
    with progress_line() as progress:
        segmenter = open_segmenter(
            arguments.network,
            arguments.device,
            arguments.precision,
            dropout_samples=arguments.dropout_samples,
        )
        # All of them from the start: a run that is interrupted again forgets none.
        rows = _finished(summary, cases, segmenter) if arguments.resume else {}
        for number, (name, path) in enumerate(cases.items()):
            output = arguments.output / f"{name}.seg.nrrd"
            if name in rows:
                continue
            part = progress.part(number / len(cases), (number + 1) / len(cases))
            try:
                rows[name] = _segment_case(segmenter, path, output, options, part)
            except (SegmentationAIError, OSError) as error:
                reason = " ".join(str(error).split())
                rows[name] = {"case": name, "state": "failed", "reason": reason}
            _write_summary(summary, arguments.network, cases, rows)
    _write_summary(summary, arguments.network, cases, rows)
    failed = [row for row in rows.values() if row["state"] == "failed"]
    for row in failed:
        print(f"{row['case']}: {row['reason']}")
    print(f"{len(rows) - len(failed)} of {len(rows)} cases segmented; see {SUMMARY}")
    show_research_notice_once()
    return 1 if failed else 0


def find_cases(source: Path, output: Path) -> dict[str, Path]:
    """Return case name to volume, in the order of the list or of the names.

    Args:
        source: A folder, of which segmentations and hidden files are no cases, or a list.
        output: Folder of the results, which is no case either.

    Raises:
        SegmentationAIError: The list is no text, there is no case, or two would write the same
            file.
    """
    from ..core.errors import SegmentationAIError
    from ..core.files import VOLUME_ENDINGS

    paths = _cases_in(source, output) if source.is_dir() else _listed(source)
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


def _cases_in(folder: Path, output: Path) -> list[Path]:
    from ..core.files import SEGMENTATION_ENDING, VOLUME_ENDINGS

    found = []
    for path in sorted(folder.iterdir()):
        name = path.name.lower()
        is_volume = name.endswith(VOLUME_ENDINGS) and not name.endswith(SEGMENTATION_ENDING)
        is_results = path.resolve() == output.resolve()
        # Hidden are also the "._scan.nii.gz" that macOS leaves on shared disks.
        if (is_volume or path.is_dir()) and not is_results and not name.startswith("."):
            found.append(path)
    return found


def _listed(source: Path) -> list[Path]:
    from ..core.errors import SegmentationAIError

    try:
        text = source.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SegmentationAIError(
            f"{source.name} is neither a folder nor a text file (UTF-8) with one path a line; name "
            "one of these, or segment a single volume with: segmentationai segment"
        ) from error
    return [source.parent / line.strip() for line in text.splitlines() if line.strip()]


def _segment_case(
    segmenter: "Segmenter", path: Path, output: Path, options: "Options", progress: Progress
) -> dict[str, Any]:
    from ..core.files import read_volume, write_labelmap

    started = time.perf_counter()
    result = segmenter.segment(read_volume(path), {}, options, progress)
    write_labelmap(result.labelmap, output)
    report = segmenter.report(result, {"total": time.perf_counter() - started})
    return {"case": output.name.removesuffix(".seg.nrrd"), "state": "done", **report}


def _write_summary(
    path: Path, network: str, cases: dict[str, Path], rows: dict[str, dict[str, Any]]
) -> None:
    ordered = [rows[name] for name in cases if name in rows]
    write_report({"network": network, "cases": ordered}, path)


def _finished(
    summary: Path, cases: dict[str, Path], segmenter: "Segmenter"
) -> dict[str, dict[str, Any]]:
    """Return the rows of the cases that are done: by this very network, and still there."""
    if not summary.exists():
        return {}
    wanted = (segmenter.card.id, segmenter.weights_sha256)
    return {
        row["case"]: row
        for row in json.loads(summary.read_text(encoding="utf-8"))["cases"]
        if row["case"] in cases
        and row["state"] == "done"
        and (row.get("network"), row.get("weights_sha256")) == wanted
        and (summary.parent / f"{row['case']}.seg.nrrd").exists()
    }
