"""Pictures of what failed: the slice with the most target, what was wanted and what came out."""

from pathlib import Path

import numpy as np
from click_protocol import Course
from click_targets import Target
from PIL import Image

WIDTH, MARGIN = 320, 12
WANTED, FOUND = np.array([80, 220, 80]), np.array([255, 120, 40])


def save_failure(folder: Path, target: Target, course: Course) -> Path:
    """Write the scan beside the same with both outlines (wanted green, found orange) as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{target.group} {target.name}.png".replace(" ", "-").lower()
    Image.fromarray(_picture(target, course)).save(path, optimize=True)
    return path


def _picture(target: Target, course: Course) -> np.ndarray:
    assert course.final is not None
    k = int(target.mask.sum(axis=(0, 1)).argmax())
    shown = target.mask[..., k] | course.final[..., k]
    box = []
    for axis in range(2):
        hit = np.flatnonzero(shown.any(axis=1 - axis))
        box.append(slice(max(hit[0] - MARGIN, 0), hit[-1] + 1 + MARGIN))
    gray = np.nan_to_num(target.volume.voxels[0][..., k][tuple(box)].astype(np.float32))
    low, high = np.percentile(gray, (1, 99))
    gray = np.clip((gray - low) / max(high - low, 1e-6), 0, 1) * 255
    plain = np.repeat(gray[..., None], 3, axis=2).astype(np.uint8)
    times = max(1, WIDTH // max(plain.shape[:2]))
    large = plain.repeat(times, axis=0).repeat(times, axis=1)
    drawn = large.copy()
    for mask, color in ((target.mask, WANTED), (course.final, FOUND)):
        fine = mask[..., k][tuple(box)].repeat(times, axis=0).repeat(times, axis=1)
        drawn[_outline(fine)] = color
    # The array's first axis runs to the right, its second upward.
    return np.ascontiguousarray(np.concatenate([large, drawn], axis=0).transpose(1, 0, 2)[::-1])


def _outline(mask: np.ndarray) -> np.ndarray:
    inner = mask.copy()
    for axis in range(2):
        for step in (-1, 1):
            inner &= np.roll(mask, step, axis=axis)
    return mask & ~inner
