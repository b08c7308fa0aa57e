"""Damaged NIfTI, NRRD, MetaImage and MGH files by the thousand, made from good ones.

Mutations know the structure: a field gets a value that parsers stumble over, a line is doubled, a
stream is cut. What holds for each: no error but our own, no memory beyond the budget, and what is
accepted is what the reference reader reads, or is a file that it refuses.
"""

import gzip
import math
import struct
import time
from collections import Counter
from pathlib import Path

import nibabel
import numpy as np
import psutil
import pytest
import SimpleITK
from foreign_files import (
    metaimage_bytes,
    mgh_bytes,
    nifti2_bytes,
    nifti_bytes,
    nrrd_bytes,
    some_voxels,
)

from SegmentationAILib.core import admission
from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.formats import metaimage, mgz, nifti, nrrd
from SegmentationAILib.core.volume import Volume

BUDGET = 64 << 20
MOST_GROWTH = 300e6
SLOWEST_SECONDS = 1.0
INTEGERS = (0, 1, 2, 3, 4, 5, 7, 8, -1, -2, 127, 255, 256, 348, 352, 540, 32767, -32768, 30000,
            2**31 - 1, -(2**31), 2**32, 2**62, -(2**62))  # fmt: skip
NUMBERS = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 1e-12, 1e12, 1e30, -1e30, 3.4e38, math.nan, math.inf,
           -math.inf, 352.0, 348.0, 353.0, 1e-3, 1e-45)  # fmt: skip
WORDS = ("0", "-1", "1", "2", "3", "4", "11", "nan", "inf", "1e999", "1e-12", "True", "False", "",
         "LOCAL", "LIST", "/etc/passwd", "MET_UCHAR", "MET_DOUBLE", "MET_LONG", "9" * 40, "2.5",
         "1 1", "0x10", "１", "x" * 200, "none", "(1,0,0)", "(0,nan,0)", "(1e30,0,0)", "(0,-1,0)",
         "float", "uchar", "gzip", "raw", "big", "vector", "time", "LPS", "RAS",
         "3D-right-handed")  # fmt: skip
NIFTI_1_FIELDS = (
    [("i", 0), ("B", 123), ("h", 68), ("h", 70), ("h", 72), ("h", 252), ("h", 254), ("i", 344)]
    + [("h", at) for at in range(40, 56, 2)]
    + [("f", at) for at in (*range(76, 120, 4), *range(256, 328, 4))]
)
NIFTI_2_FIELDS = (
    [("i", 0), ("i", 344), ("i", 348), ("i", 500), ("h", 12), ("h", 14), ("q", 168)]
    + [("q", at) for at in range(16, 80, 8)]
    + [("d", at) for at in (*range(104, 168, 8), 176, 184, *range(352, 496, 8))]
)
MGH_FIELDS = [("i", at) for at in range(0, 28, 4)] + [("h", 28)] + [
    ("f", at) for at in range(30, 90, 4)
]  # fmt: skip
FORMS = {"B": (0, 255), "h": (-(2**15), 2**15 - 1), "i": (-(2**31), 2**31 - 1),
         "q": (-(2**63), 2**63 - 1)}  # fmt: skip


def with_field(content: bytes, fields, order: str, random) -> bytes:
    """Put a value into a binary field that was not made for it."""
    form, at = fields[random.integers(len(fields))]
    changed = bytearray(content)
    if form in FORMS:
        low, high = FORMS[form]
        value = min(max(INTEGERS[random.integers(len(INTEGERS))], low), high)
    else:
        value = NUMBERS[random.integers(len(NUMBERS))]
        value = value if form == "d" else float(np.float32(value))
    struct.pack_into(order + form, changed, at, value)
    return bytes(changed)


def with_line(content: bytes, end: bytes, sign: str, random) -> bytes:
    """Change, double, drop or move a line of a text header of ``key sign value`` lines."""
    head, mark, data = content.partition(end)
    lines = (head + mark).decode("utf-8", "replace").splitlines(keepends=True)
    at = int(random.integers(len(lines)))
    kind = random.integers(5)
    if kind == 0:
        lines[at] = lines[at].partition(sign)[0] + f"{sign} {WORDS[random.integers(len(WORDS))]}\n"
    elif kind == 1:
        key, _, values = lines[at].partition(sign)
        words = values.split()
        if words:
            words[random.integers(len(words))] = WORDS[random.integers(len(WORDS))]
        lines[at] = f"{key}{sign} {' '.join(words)}\n"
    elif kind == 2:
        lines.insert(int(random.integers(len(lines))), lines[at])
    elif kind == 3:
        del lines[at]
    else:
        lines.insert(int(random.integers(len(lines))), lines.pop(at))
    return "".join(lines).encode() + data


def with_bytes(content: bytes, random) -> bytes:
    """Flip, cut, add or repeat bytes anywhere."""
    at = int(random.integers(len(content)))
    kind = random.integers(4)
    if kind == 0:
        flipped = content[at] ^ (1 << int(random.integers(8)))
        return content[:at] + bytes([flipped]) + content[at + 1 :]
    if kind == 1:
        return content[:at] + content[at + int(random.integers(1, 9)) :]
    if kind == 2:
        return content[:at] + content[max(0, at - 8) :]
    return content[:at]


class Seed:
    """A good file: its bytes, its reader, and how to damage its header."""

    def __init__(self, name, content, read, reference, damage) -> None:
        self.name, self.content, self.read = name, content, read
        self.reference, self.damage = reference, damage

    def damaged(self, random) -> bytes:
        content = self.content
        for _ in range(int(random.integers(1, 4))):
            if len(content) < 600 or random.random() < 0.15:
                content = with_bytes(content or b"0", random)
            else:
                content = self.damage(content, random)
        if self.name.endswith("gz"):
            content = gzip.compress(content, 1)
            if random.random() < 0.3:
                content = with_bytes(content, random)
        return content


def of_nibabel(path: Path):
    image = nibabel.load(path)
    voxels = np.asanyarray(image.dataobj)
    sizes = (*voxels.shape, 1, 1, 1)[:3]
    return np.moveaxis(voxels.reshape((*sizes, -1), order="F"), -1, 0), image


def same_as_nibabel(volume: Volume, path: Path) -> None:
    voxels, image = of_nibabel(path)
    # nibabel scales in float64, we mostly in float32, whose smallest normal number is 1e-38.
    np.testing.assert_allclose(volume.voxels, voxels, rtol=1e-5, atol=1e-38)
    affine = image.affine.copy()
    if path.name.startswith("nifti"):
        if image.header["sform_code"] <= 0 and image.header["qform_code"] <= 0:
            return  # readers differ about what is not said; our choice is tested beside ITK's
        affine[:3] *= {1: 1e3, 3: 1e-3}.get(int(image.header["xyzt_units"]) & 7, 1.0)
    elif volume.notes:
        return  # FreeSurfer's own coronal default is ours, nibabel's is another
    np.testing.assert_allclose(volume.affine, affine, rtol=1e-4, atol=1e-4)


def same_as_itk(volume: Volume, path: Path) -> None:
    image = SimpleITK.ReadImage(str(path))
    voxels = SimpleITK.GetArrayFromImage(image)
    if voxels.ndim - (image.GetNumberOfComponentsPerPixel() > 1) == 3:
        found = np.moveaxis(volume.voxels, 0, -1).transpose(2, 1, 0, 3)
        assert np.array_equal(voxels.reshape(found.shape), found, equal_nan=True)
    else:
        assert np.array_equal(np.sort(voxels.ravel()), np.sort(volume.voxels.ravel()))
    if image.GetDimension() == 3:
        lps = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
        expected = np.diag([-1, -1, 1]) @ lps
        np.testing.assert_allclose(volume.affine[:3, :3], expected, rtol=1e-6, atol=1e-6)
        origin = np.array(image.GetOrigin()) * [-1, -1, 1]
        np.testing.assert_allclose(volume.affine[:3, 3], origin, rtol=1e-6, atol=1e-6)


def field_damage(fields, order="<"):
    return lambda content, random: with_field(content, fields, order, random)


def line_damage(end, sign):
    return lambda content, random: with_line(content, end, sign, random)


def seeds() -> list[Seed]:
    voxels = some_voxels((9, 8, 7))
    meta, nrrd_lines = line_damage(b"LOCAL\n", "="), line_damage(b"\n\n", ":")
    one, two, mgh = field_damage(NIFTI_1_FIELDS), field_damage(NIFTI_2_FIELDS), field_damage(
        MGH_FIELDS, ">"
    )  # fmt: skip
    big = field_damage(NIFTI_1_FIELDS, ">")
    placed = {"qform_code": 1, "quatern": (0.1, 0.2, 0.3), "qoffset": (1, 2, 3)}
    return [
        Seed("nifti.nii", nifti_bytes(voxels, **placed), nifti.read, same_as_nibabel, one),
        Seed("nifti-big.nii", nifti_bytes(voxels, order=">"), nifti.read, same_as_nibabel, big),
        Seed("nifti-2.nii", nifti2_bytes(voxels), nifti.read, same_as_nibabel, two),
        Seed("nifti.nii.gz", nifti_bytes(voxels), nifti.read, same_as_nibabel, one),
        Seed("meta.mha", metaimage_bytes(voxels), metaimage.read, same_as_itk, meta),
        Seed("meta-deflated.mha", metaimage_bytes(voxels, compressed=True), metaimage.read,
             same_as_itk, meta),
        Seed("nrrd.nrrd", nrrd_bytes(voxels), nrrd.read, same_as_itk, nrrd_lines),
        Seed("nrrd-vector.nrrd", nrrd_bytes(voxels, components=2), nrrd.read, same_as_itk,
             nrrd_lines),
        Seed("nrrd-deflated.nrrd", nrrd_bytes(voxels, compressed=True), nrrd.read, same_as_itk,
             nrrd_lines),
        Seed("mgh.mgz", mgh_bytes(voxels), mgz.read, same_as_nibabel, mgh),
        Seed("mgh.mgh", mgh_bytes(voxels), mgz.read, same_as_nibabel, mgh),
    ]  # fmt: skip


def fuzz(folder: Path, count: int, seed: int) -> Counter:
    """Damage, read and compare ``count`` files; return how often each outcome came."""
    random = np.random.default_rng(seed)
    good = seeds()
    outcomes: Counter = Counter()
    for at in range(count):
        chosen = good[at % len(good)]
        content = chosen.damaged(random)
        path = folder / chosen.name
        path.write_bytes(content)
        begin = time.monotonic()
        try:
            volume = chosen.read(path)
        except SegmentationAIError as error:
            outcomes["refused"] += 1
            outcomes["refused without a name"] += chosen.name not in str(error)
            continue
        finally:
            assert time.monotonic() - begin < SLOWEST_SECONDS, f"seed {seed}, input {at}"
        outcomes["accepted"] += 1
        try:
            chosen.reference(volume, path)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, input {at} ({chosen.name}): {error}") from error
        except Exception:
            outcomes["refused by the reference alone"] += 1
    return outcomes


@pytest.fixture(autouse=True)
def a_small_budget(monkeypatch):
    monkeypatch.setattr(admission, "memory_budget_bytes", lambda: BUDGET)
    monkeypatch.setattr(nibabel.imageglobals.logger, "disabled", True)


@pytest.mark.filterwarnings("ignore")
def test_a_thousand_damaged_files_are_refused_or_read_right(tmp_path):
    before = psutil.Process().memory_info().rss
    outcomes = fuzz(tmp_path, 1000, seed=20)
    assert outcomes["refused"] > 300
    assert outcomes["refused without a name"] == 0
    assert outcomes["accepted"] - outcomes["refused by the reference alone"] > 100
    assert psutil.Process().memory_info().rss - before < MOST_GROWTH


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(10))
def test_a_hundred_thousand_damaged_files_are_refused_or_read_right(tmp_path, seed):
    before = psutil.Process().memory_info().rss
    outcomes = fuzz(tmp_path, 10_000, seed)
    assert outcomes["refused"] > 3000
    assert outcomes["refused without a name"] == 0
    assert psutil.Process().memory_info().rss - before < MOST_GROWTH
