"""Draws ``Screenshots/weak-labels.png``: weak labels on real scans, made by the command line.

Above, the tissues of a T1 head by four methods within one mask. Below, the liver of a CT from a
few seeds in its middle and a ring of negative ones around it, with the Dice against the reference,
which the methods do not see: seeds and rough region are taken from it as a person would place them.

Needs the public volumes of ``../shared/data``.
"""

import argparse
import contextlib
import io
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import scipy.ndimage as ndi
from PIL import Image, ImageDraw

from SegmentationAILib.__main__ import main as run
from SegmentationAILib.core.files import read_labelmap, read_volume, write_labelmap, write_volume
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.volume import Grid, Volume

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("SEGMENTATIONAI_SHARED", ROOT.parent / "shared")) / "data"
TILE = 220
COLORS = np.array([[0, 0, 0], [230, 80, 60], [70, 160, 240], [250, 210, 70], [90, 200, 120]], float)


def labeled(method: str, scan: Path, folder: Path, *words: str) -> tuple[np.ndarray, float]:
    """Return labels by the command line, and the seconds they took."""
    output, report = folder / "out.nrrd", folder / "report.json"
    command = ["weak-label", method, str(scan), "--output", str(output), "--report", str(report)]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        status = run([*command, *words])
    if status != 0:
        raise SystemExit(f"{method} ended with {status}")
    seconds = json.loads(report.read_text(encoding="utf-8"))["seconds"]["label"]
    return np.asarray(read_labelmap(output).layers[0]), seconds


def axial_tile(voxels: np.ndarray, labels: np.ndarray, grid: Grid, index: int, text: str):
    """Return a picture of an axial plane with its labels, right on the left, and a caption."""
    axis, _ = axial(grid)
    others = [a for a in range(3) if a != axis]
    directions = grid.affine[:3, others] / np.asarray(grid.spacing)[others]
    across = int(np.abs(directions[0]).argmax())
    planes = [np.take(a, index, axis) for a in (voxels, labels)]
    if across == 1:
        planes = [a.T for a in planes]
        others, directions = others[::-1], directions[:, ::-1]
    # To the left of the picture lies right, at its top anterior.
    flips = tuple(n for n, sign in enumerate((directions[0, 0], directions[1, 1])) if sign > 0)
    plane, shown = (np.flip(a, flips) for a in planes)
    return tile(plane.astype(float), shown, tuple(grid.spacing[a] for a in others), text)


def tile(plane: np.ndarray, labels: np.ndarray, spacing: tuple[float, ...], text: str):
    """Return one picture of a plane ``(I, J)``, I to the right and J down, and a caption."""
    low, high = np.percentile(plane, (1, 99.5))
    gray = np.clip((plane - low) / (high - low), 0, 1)[..., None] * 255
    shown = np.where(labels[..., None] > 0, 0.5 * gray + 0.5 * COLORS[labels % 5], gray)
    picture = Image.fromarray(shown.transpose(1, 0, 2).astype(np.uint8))
    width, height = (n * s for n, s in zip(plane.shape, spacing, strict=True))
    scale = TILE / max(width, height)
    picture = picture.resize(
        (round(width * scale), round(height * scale)), Image.Resampling.BICUBIC
    )
    framed = Image.new("RGB", (TILE, TILE + 18))
    framed.paste(picture, ((TILE - picture.width) // 2, (TILE - picture.height) // 2))
    ImageDraw.Draw(framed).text((4, TILE + 3), text, fill=(255, 255, 255))
    return framed


def head_tiles(folder: Path) -> list[Image.Image]:
    """Four ways to sort the tissues of a head."""
    scan = DATA / "brain-t1" / "t1.nii.gz"
    volume = read_volume(scan)
    labels, _ = labeled("otsu", scan, folder, "--largest", "--fill-holes")
    mask = Labelmap((labels,), (Label(1, "head"),), volume.affine)
    write_labelmap(mask, folder / "head.nrrd")
    within = ("--within", str(folder / "head.nrrd"), "--classes", "4")
    found = {
        "k-means, 4 classes": labeled("kmeans", scan, folder, *within),
        "spatial k-means": labeled("kmeans", scan, folder, "--spatial", *within),
        "fuzzy c-means, bias": labeled("fuzzy-cmeans", scan, folder, *within),
        "Markov field": labeled("markov", scan, folder, *within),
    }
    _, index = axial(volume.grid)
    return [
        axial_tile(volume.voxels[0], labels, volume.grid, index, f"{name}, {seconds:.1f} s")
        for name, (labels, seconds) in found.items()
    ]


def liver_tiles(folder: Path) -> list[Image.Image]:
    """Four ways to the liver of a CT from prompts."""
    volume = read_volume(DATA / "ct-torso-3mm" / "ct.nii.gz")
    names = json.loads((DATA / "ct-torso-3mm" / "labels.json").read_text(encoding="utf-8"))
    value = next(int(v) for v, name in names.items() if name.lower() == "liver")
    labels = np.asarray(read_labelmap(DATA / "ct-torso-3mm" / "labels.nii.gz").layers[0])
    truth = labels == value
    whole = ndi.find_objects(truth.astype(np.uint8))[0]
    box = tuple(slice(max(side.start - 8, 0), side.stop + 8) for side in whole)
    first = np.array([s.start for s in box])
    affine = volume.affine.copy()
    affine[:3, 3] = volume.grid.ras_from_ijk(first[None].astype(float))[0]
    part = Volume(volume.voxels[(slice(None), *box)], affine)
    truth = truth[box]
    write_volume(part, folder / "ct.nrrd")
    words = _person(truth, part.grid, folder)
    prompts = words[:2]
    found = {
        "region growing": labeled("region-growing", folder / "ct.nrrd", folder, *prompts),
        "the same, within": labeled("region-growing", folder / "ct.nrrd", folder, *words),
        "watershed": labeled("watershed", folder / "ct.nrrd", folder, *prompts),
        "level set, within": labeled("levelset", folder / "ct.nrrd", folder, *words),
    }
    axis, _ = axial(part.grid)
    index = int(truth.sum(axis=tuple(a for a in range(3) if a != axis)).argmax())
    shown = np.clip(part.voxels[0], -100, 200)
    tiles = []
    for name, (labels, seconds) in found.items():
        dice = 2 * ((labels > 0) & truth).sum() / ((labels > 0).sum() + truth.sum())
        text = f"{name}, Dice {dice:.2f}, {seconds:.1f} s"
        print(text)
        tiles.append(axial_tile(shown, labels, part.grid, index, text))
    return tiles


def _person(truth: np.ndarray, grid: Grid, folder: Path) -> tuple[str, ...]:
    """Write prompts and a rough region as a person would place them; return the options."""
    depth = ndi.distance_transform_edt(truth, sampling=grid.spacing)
    rows = []
    rng = np.random.default_rng(0)
    inside = np.argwhere(depth > 15.0)
    for ijk in inside[rng.choice(len(inside), 12, replace=False)]:
        rows.append(_scribble(grid, ijk, 5.0, positive=True))
    outside = ndi.distance_transform_edt(~truth, sampling=grid.spacing)
    ring = np.argwhere((outside > 12.0) & (outside < 18.0))
    for ijk in ring[rng.choice(len(ring), 300, replace=False)]:
        rows.append(_scribble(grid, ijk, 4.0, positive=False))
    (folder / "prompts.json").write_text(json.dumps({"prompts": rows}), encoding="utf-8")
    rough = (outside <= 9.0).astype(np.uint8)
    write_labelmap(Labelmap((rough,), (Label(1, "rough"),), grid.affine), folder / "rough.nrrd")
    return "--prompts", str(folder / "prompts.json"), "--within", str(folder / "rough.nrrd")


def _scribble(grid: Grid, ijk: np.ndarray, radius_mm: float, *, positive: bool) -> dict:
    point = grid.ras_from_ijk(ijk[None].astype(float))[0].tolist()
    return {"type": "scribble", "points": [point], "radius_mm": radius_mm, "positive": positive}


def axial(grid: Grid) -> tuple[int, int]:
    """Return the axis nearest to superior, and its middle."""
    axis = int(np.abs(grid.affine[2, :3] / np.asarray(grid.spacing)).argmax())
    return axis, grid.shape[axis] // 2


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "Screenshots" / "weak-labels.png")
    output = parser.parse_args().output
    with tempfile.TemporaryDirectory() as name:
        rows = [head_tiles(Path(name)), liver_tiles(Path(name))]
    whole = Image.new("RGB", (4 * TILE, 2 * (TILE + 18)))
    for row, tiles in enumerate(rows):
        for column, picture in enumerate(tiles):
            whole.paste(picture, (column * TILE, row * (TILE + 18)))
    whole.quantize(128).save(output, optimize=True)
    print(f"{output.name}: {output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
