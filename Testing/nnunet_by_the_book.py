"""nnU-Net's prediction once more, in the plainest way, with scipy and torch: what ours is held to.

It shares no code with the library but the modules of the two architectures, whose outputs are held
against nnU-Net's own elsewhere. All is done with whole arrays in float64 where that is simplest.
"""

from itertools import combinations, product

import numpy as np
import scipy.ndimage as ndi
import torch

RATIO = 3


def logits_by_the_book(voxels, spacing, plan, networks, mirror_axes=(0, 1, 2)):
    """Return logits on the cropped grid of a volume ``(C, K, J, I)``, and the crop's slices.

    Args:
        voxels: As nnU-Net's reader hands them over.
        spacing: Along K, J, I in mm.
        plan: Configuration of the plans, with ``transpose_forward`` and the channels' ``rules``.
        networks: One per fold.
        mirror_axes: Of the patch.
    """
    order = plan["transpose_forward"]
    data = voxels.astype(np.float32).transpose(0, *[1 + axis for axis in order])
    own = [spacing[axis] for axis in order]
    mask = ndi.binary_fill_holes((data != 0).any(0))
    crop = ndi.find_objects(mask.astype(int))[0]
    data, mask = data[(slice(None), *crop)], mask[crop]
    data = np.stack(
        [rule(channel, mask) for rule, channel in zip(plan["rules"], data, strict=True)]
    )
    shape = [round(a / b * n) for a, b, n in zip(own, plan["spacing"], mask.shape, strict=True)]
    data = np.stack([_resized(one, shape, own, plan["spacing"], 3) for one in data])
    total = sum(_slid(data, network, plan["patch_size"], mirror_axes) for network in networks)
    logits = total / len(networks)
    return np.stack([_resized(k, mask.shape, plan["spacing"], own, 1) for k in logits]), crop


def zscore(channel, mask):
    return (channel - channel.mean()) / channel.std()


def zscore_in_mask(channel, mask):
    return np.where(mask, (channel - channel[mask].mean()) / channel[mask].std(), channel)


def ct(low, high, mean, std):
    return lambda channel, mask: (np.clip(channel, low, high) - mean) / std


def _resized(array, shape, current, wanted, order):
    if tuple(array.shape) == tuple(shape):
        return array
    apart = next((s for s in (current, wanted) if max(s) / min(s) > RATIO), None)
    if apart is None or list(apart).count(max(apart)) > 1:
        return _zoomed(array, shape, order)
    axis = int(np.argmax(apart))
    plane = [n for a, n in enumerate(shape) if a != axis]
    planes = [_zoomed(one, plane, order) for one in np.moveaxis(array, axis, 0)]
    scale = len(planes) / shape[axis]
    nearest = np.clip(np.floor(scale * (np.arange(shape[axis]) + 0.5)), 0, len(planes) - 1)
    return np.moveaxis(np.stack([planes[int(n)] for n in nearest]), 0, axis)


def _zoomed(array, shape, order):
    factors = [n / m for n, m in zip(shape, array.shape, strict=True)]
    zoomed = ndi.zoom(
        array.astype(np.float64), factors, order=order, mode="nearest", grid_mode=True
    )
    return np.clip(zoomed, array.min(), array.max()).astype(np.float32)


def _slid(data, network, patch, mirror_axes):
    """Return the logits of a whole array, windows weighted by nnU-Net's Gaussian."""
    missing = [max(0, p - n) for p, n in zip(patch, data.shape[1:], strict=True)]
    before = [m // 2 for m in missing]
    pads = [(b, m - b) for b, m in zip(before, missing, strict=True)]
    padded = np.pad(data, [(0, 0), *pads])
    impulse = np.zeros(patch)
    impulse[tuple(side // 2 for side in patch)] = 1
    weight = ndi.gaussian_filter(impulse, [side / 8 for side in patch], mode="constant")
    weight /= weight.max()
    total = count = 0.0
    lattice = [_starts(n, p) for n, p in zip(padded.shape[1:], patch, strict=True)]
    for starts in product(*lattice):
        box = tuple(slice(s, s + p) for s, p in zip(starts, patch, strict=True))
        answer = _mirrored(padded[(slice(None), *box)], network, mirror_axes)
        if isinstance(total, float):
            total = np.zeros((len(answer), *padded.shape[1:]))
            count = np.zeros(padded.shape[1:])
        total[(slice(None), *box)] += answer * weight
        count[box] += weight
    inside = tuple(slice(b, b + n) for b, n in zip(before, data.shape[1:], strict=True))
    return (total / count)[(slice(None), *inside)]


def _starts(length, patch):
    steps = int(np.ceil((length - patch) / (patch / 2)))
    return [round((length - patch) / max(1, steps) * n) for n in range(steps + 1)]


def _mirrored(patch, network, axes):
    answers = []
    for count in range(len(axes) + 1):
        for chosen in combinations(axes, count):
            flip = tuple(axis + 1 for axis in chosen)
            with torch.inference_mode():
                tensor = torch.from_numpy(np.ascontiguousarray(np.flip(patch, flip), np.float32))
                answers.append(np.flip(network(tensor[None])[0].numpy(), flip))
    return np.mean(answers, axis=0)
