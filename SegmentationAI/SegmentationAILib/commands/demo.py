"""Segment a head with the shipped network and show the result in a Slicer scene.

Without --volume it takes Slicer's public MRHead sample when its address answers (checked against
its SHA-256), else a head that is made on the spot from a formula, on an oblique anisotropic grid;
then the result is also scored against the formula.

Example:
  segmentationai demo --output demo-output --volume head.nii.gz
"""

import argparse
import json
import time
import urllib.request
from pathlib import Path
from typing import Any

from ..core.labelmap import Labelmap
from ..core.volume import Volume
from .progress_line import progress_line
from .research_notice import show_research_notice_once
from .segment import print_summary, write_report

NETWORK = "brain-any-contrast"
SAMPLE = "MRHead"
PROBE_SECONDS = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``demo``."""
    parser.add_argument(
        "--output", type=Path, default=Path("demo-output"), metavar="FOLDER",
        help="default %(default)s; files of the same names are replaced",
    )  # fmt: skip
    parser.add_argument("--volume", type=Path, metavar="FILE", help="MR of a head")


def run(arguments: argparse.Namespace) -> int:
    """Segment, write, show, and print what to open next."""
    from ..core.files import write_labelmap, write_volume
    from ..networks.segmenter import open_segmenter

    folder = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with progress_line() as progress:
        progress(0.0, "Getting the volume")
        volume, truth, origin = _volume(arguments.volume, folder)
        read = time.perf_counter()
        segmenter = open_segmenter(NETWORK)
        opened = time.perf_counter()
        result = segmenter.segment(volume, progress=progress.part(0.05, 0.8))
        writing = time.perf_counter()
        write_volume(volume, folder / "volume.nrrd")
        write_labelmap(result.labelmap, folder / "brain.seg.nrrd")
        write_labelmap(result.labelmap, folder / "brain.nii.gz")
        written = time.perf_counter()
        progress(0.85, "Drawing the scene")
        pictures, sentence = _pictures(volume, result.labelmap, folder)
    seconds = {
        "read": read - started,
        "open": opened - read,
        **result.seconds,
        "write": written - writing,
        "pictures": time.perf_counter() - written,
        "total": time.perf_counter() - started,
    }
    report = {"volume": origin, **segmenter.report(result, seconds)}
    if truth is not None:
        report["score_against_the_formula"] = _score(truth, result.labelmap)
    write_report(report, folder / "report.json")
    print_summary(report)
    if truth is not None:
        print(f"mean Dice against the formula: {report['score_against_the_formula']['mean_dice']}")
    if sentence:
        print(sentence)
    _print_next(folder, pictures)
    show_research_notice_once()
    return 0


def _volume(path: Path | None, folder: Path) -> tuple[Volume, Labelmap | None, str]:
    """Return the volume, its truth when it comes from the formula, and where it is from."""
    from ..core.files import read_volume
    from ..learn.procedural_head import head_phantom

    if path is not None:
        return read_volume(path), None, path.name
    sample = _sample_volume(folder)
    if sample is not None:
        return read_volume(sample), None, f"Slicer's sample {SAMPLE}"
    volume, truth = head_phantom()
    return volume, truth, "a head from a formula"


def _sample_volume(folder: Path) -> Path | None:
    """Return Slicer's sample, fetched once, or None when its address does not answer."""
    from ..core.errors import SegmentationAIError
    from ..networks.download import download
    from ..resources import resource

    catalog = json.loads(resource("sample-data.json").read_text(encoding="utf-8"))
    sample = next(entry for entry in catalog["volumes"] if entry["name"] == SAMPLE)
    target = folder / str(sample["file"])
    try:
        # One short question first: a machine without the internet should not wait for retries.
        question = urllib.request.Request(sample["address"], method="HEAD")
        urllib.request.urlopen(question, timeout=PROBE_SECONDS).close()
        download(sample["address"], target, sha256=sample["sha256"])
    except (SegmentationAIError, OSError) as error:
        reason = getattr(error, "reason", error)
        print(f"{SAMPLE} could not be had ({reason}); a head from a formula is used instead.")
        return None
    return target


def _pictures(volume: Volume, labelmap: Labelmap, folder: Path) -> tuple[list[Path], str]:
    """Put volume and labels into a Slicer scene and draw it; plain slices where that is absent."""
    from ..core.errors import SegmentationAIError
    from ..scene.plain_pictures import draw_plain_pictures

    try:
        from ..scene.bootstrap import headless_slicer
        from ..scene.pictures import render_pictures
        from ..scene.segmentation_node import node_from_labelmap
        from ..scene.volume_node import node_from_volume
    except ImportError as error:
        sentence = f"Slicer's views are not installed ({error.name}); plain slices were drawn."
        return draw_plain_pictures(volume, labelmap, folder), sentence
    slicer = headless_slicer()
    volume_node = node_from_volume(volume, slicer.scene, "Volume")
    segmentation_node = node_from_labelmap(labelmap, slicer.scene, volume_node, "Brain")
    try:
        logic = slicer.application_logic
        return render_pictures(volume_node, segmentation_node, folder, logic), ""
    except SegmentationAIError as error:
        return draw_plain_pictures(volume, labelmap, folder), str(error)


def _score(truth: Labelmap, labelmap: Labelmap) -> dict[str, Any]:
    """Return Dice per structure against the formula."""
    from ..core.metrics import compare

    scores = compare(
        truth.layers[0],
        labelmap.layers[0],
        labelmap.spacing,
        [label.value for label in truth.labels],
    )
    dice = {label.name: scores[label.value].dice for label in truth.labels}
    known = [value for value in dice.values() if value is not None]
    return {"mean_dice": round(sum(known) / len(known), 3), "dice": dice}


def _print_next(folder: Path, pictures: list[Path]) -> None:
    print(f"\nPictures: {', '.join(str(path) for path in pictures)}")
    print(
        f"In 3D Slicer, drag {folder / 'volume.nrrd'} and {folder / 'brain.seg.nrrd'} into the "
        "window.\nNext: segmentationai segment YOUR-VOLUME --network brain-any-contrast --output "
        "result.seg.nrrd"
    )
