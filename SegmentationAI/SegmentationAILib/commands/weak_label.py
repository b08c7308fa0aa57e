r"""Make quick labels of a volume, to be corrected or learned from: weak labels.

METHOD says how; each has its own --help. VOLUME is a .nii, .nii.gz, .nrrd, .nhdr, .mha or .mgz
file, or a folder with one DICOM series; of several channels the first is looked at. The labels lie
on the volume's own grid, and every segment says that it is weak, how it was made and in how many
seconds.

Examples:
  segmentationai weak-label otsu ct.nrrd --output body.seg.nrrd --largest
  segmentationai weak-label region-growing ct.nrrd --prompts clicks.json --output liver.seg.nrrd
  segmentationai weak-label levelset mr.nii.gz --prompts clicks.json --within rough.seg.nrrd \
      --output liver.seg.nrrd
  segmentationai weak-label kmeans t1.nii.gz --classes 3 --spatial --within brain.nii.gz \
      --output tissues.seg.nrrd
  segmentationai weak-label markov t1.nii.gz --classes 4 --keep 4 --output white.nii.gz
  segmentationai weak-label propagate new.nii.gz --atlas old.nii.gz --atlas-labels old.seg.nrrd \
      --output new.seg.nrrd
  segmentationai weak-label deform truth.seg.nrrd --target-dice 0.875 --output weak.seg.nrrd
  segmentationai weak-label network ct.nrrd --network torso --output weak.seg.nrrd

Prompts are JSON in RAS mm: {"prompts": [{"type": "point", "position": [r, a, s], "positive": true},
...]}, with points, scribbles, lassos and boxes. Positive boxes limit where labels may lie; all
others are seeds. Results are for research and need a physician's check.
"""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .output_files import check_outputs
from .progress_line import progress_line
from .research_notice import show_research_notice_once
from .weak_label_methods import METHODS, Method

if TYPE_CHECKING:
    from ..core.labelmap import Labelmap


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the methods, each with the options that it has."""
    methods = parser.add_subparsers(dest="method", required=True, metavar="METHOD")
    for name, method in METHODS.items():
        of_method = methods.add_parser(
            name,
            help=method.summary,
            description=f"{method.summary[0].upper()}{method.summary[1:]}.",
            epilog=_examples(name),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        of_method.add_argument(
            "volume", type=Path, metavar=method.input_name, help=method.input_help
        )
        of_method.add_argument(
            "--output", type=Path, required=True, metavar="FILE",
            help="labels; .seg.nrrd keeps everything, other formats write names beside them",
        )  # fmt: skip
        of_method.add_argument(
            "--report", type=Path, metavar="FILE.json", help="what was done, as JSON"
        )
        method.add_options(of_method)


def run(arguments: argparse.Namespace) -> int:
    """Label one volume."""
    # These load SimpleITK or torch; --help and a wrong option must not wait for them.
    from ..core.files import write_labelmap
    from ..learn.weak_labels.weak_labelmap import signed
    from .segment import write_report

    started = time.perf_counter()
    method: Method = METHODS[arguments.method]
    check_outputs(arguments.output, report=arguments.report, inputs=[arguments.volume])
    with progress_line() as progress:
        progress(0.0, f"Reading {arguments.volume.name}")
        made = method.label(arguments, progress.part(0.02, 0.97))
        labelmap, making = signed(made.labelmap, made.making), made.making
        writing = time.perf_counter()
        write_labelmap(labelmap, arguments.output)
        progress(1.0, f"Wrote {arguments.output.name}")
    finished = time.perf_counter()
    report = {
        "method": making.method,
        "settings": dict(making.settings),
        "seconds": {
            "read": round(writing - started - making.seconds, 4),
            "label": round(making.seconds, 4),
            "write": round(finished - writing, 4),
            "total": round(finished - started, 4),
        },
        "labels": _counted(labelmap),
        "notes": list(labelmap.notes),
    }
    if arguments.report is not None:
        write_report(report, arguments.report)
    _print(report)
    show_research_notice_once()
    return 0


def _examples(name: str) -> str:
    """Return the command's own examples of a method, continued lines included."""
    lines = (__doc__ or "").splitlines()
    found = ["examples:"]
    for number, line in enumerate(lines):
        if f"weak-label {name} " in line:
            found.append(line)
            if line.endswith("\\"):
                found.append(lines[number + 1])
    return "\n".join(found) if len(found) > 1 else ""


def _counted(labelmap: "Labelmap") -> list[dict[str, Any]]:
    """Return value, name, volume and voxels of each label."""
    counts = [int(labelmap.mask(label).sum()) for label in labelmap.labels]
    return [
        {
            "value": label.value,
            "name": label.name,
            "volume_ml": round(count * labelmap.grid.voxel_volume_ml, 4),
            "voxels": count,
        }
        for label, count in zip(labelmap.labels, counts, strict=True)
    ]


def _print(report: dict[str, Any]) -> None:
    for label in report["labels"]:
        print(f"{label['value']:5d}  {label['name']:36.36s} {label['volume_ml']:10.2f} ml")
    for note in report["notes"]:
        print(f"note: {note}")
    print(f"{report['method']} in {report['seconds']['label']:.1f} s")
