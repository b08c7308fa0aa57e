"""What `brain-any-contrast` names, and the tissues that its training volumes are drawn from.

Two tables, each the only place of its mapping:

- `TISSUES`: what is drawn. One entry is one class of the Gaussian mixture; its position is the
  *tissue index* that the synthesizer paints with. Left and right share a tissue.
- `STRUCTURES`: what is answered. The position in this table plus one is the network's *channel*;
  channel 0 is background.

A head stores *codes*: the tissue index, plus `RIGHT` on the right side of the body.

Label numbers and colors: FreeSurfer's color lookup table; the numbers from 502 are those of the
label maps of Billot et al., SynthSeg, Medical Image Analysis 86, 2023,
doi:10.1016/j.media.2023.102789.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.errors import GeometryError

# Added to the tissue index on the right side of the body.
RIGHT = 64


@dataclass(frozen=True)
class Structure:
    """A structure that the network answers.

    Attributes:
        value: FreeSurfer's number.
        name: shown to the person.
        color: RGB, each 0 to 255.
    """

    value: int
    name: str
    color: tuple[int, int, int]


@dataclass(frozen=True)
class Tissue:
    """A class of the drawing.

    Attributes:
        name: of the tissue.
        left: label map values that are drawn as it, on the left or on neither side.
        answers: label values that the network answers for it on the left and on the right; 0 is
            background.
        kind: tissues of one kind tend to look alike in a real contrast.
        right: label map values on the right.
    """

    name: str
    left: tuple[int, ...]
    answers: tuple[int, int]
    kind: str
    right: tuple[int, ...] = ()


_PAIRED = (
    # left, right, name, color
    (2, 41, "Cerebral White Matter", (245, 245, 245)),
    (3, 42, "Cerebral Cortex", (205, 62, 78)),
    (4, 43, "Lateral Ventricle", (120, 18, 134)),
    (5, 44, "Inferior Lateral Ventricle", (196, 58, 250)),
    (7, 46, "Cerebellum White Matter", (220, 248, 164)),
    (8, 47, "Cerebellum Cortex", (230, 148, 34)),
    (10, 49, "Thalamus", (0, 118, 14)),
    (11, 50, "Caudate", (122, 186, 220)),
    (12, 51, "Putamen", (236, 13, 176)),
    (13, 52, "Pallidum", (12, 48, 255)),
    (17, 53, "Hippocampus", (220, 216, 20)),
    (18, 54, "Amygdala", (103, 255, 255)),
    (26, 58, "Accumbens Area", (255, 165, 0)),
    (28, 60, "Ventral Diencephalon", (165, 42, 42)),
)
_SINGLE = (
    Structure(14, "3rd Ventricle", (204, 182, 142)),
    Structure(15, "4th Ventricle", (42, 204, 164)),
    Structure(16, "Brain Stem", (119, 159, 176)),
    Structure(24, "Cerebrospinal Fluid", (60, 60, 60)),
)
# In the order of FreeSurfer's numbers.
STRUCTURES = tuple(
    sorted(
        (
            *(Structure(left, f"Left {name}", color) for left, _, name, color in _PAIRED),
            *(Structure(right, f"Right {name}", color) for _, right, name, color in _PAIRED),
            *_SINGLE,
        ),
        key=lambda structure: structure.value,
    )
)

TISSUES = (
    Tissue("air", (0,), (0, 0), "air"),
    Tissue("cerebral white matter", (2,), (2, 41), "white", (41,)),
    Tissue("cerebral cortex", (3,), (3, 42), "gray", (42,)),
    Tissue("lateral ventricle", (4,), (4, 43), "fluid", (43,)),
    Tissue("inferior lateral ventricle", (5,), (5, 44), "fluid", (44,)),
    Tissue("cerebellum white matter", (7,), (7, 46), "white", (46,)),
    Tissue("cerebellum cortex", (8,), (8, 47), "gray", (47,)),
    Tissue("thalamus", (10,), (10, 49), "gray", (49,)),
    Tissue("caudate", (11,), (11, 50), "gray", (50,)),
    Tissue("putamen", (12,), (12, 51), "gray", (51,)),
    Tissue("pallidum", (13,), (13, 52), "gray", (52,)),
    Tissue("3rd ventricle", (14,), (14, 14), "fluid"),
    Tissue("4th ventricle", (15,), (15, 15), "fluid"),
    Tissue("brain stem", (16,), (16, 16), "white"),
    Tissue("hippocampus", (17,), (17, 53), "gray", (53,)),
    Tissue("amygdala", (18,), (18, 54), "gray", (54,)),
    # 72 is the cavity between the leaves of the septum.
    Tissue("cerebrospinal fluid", (24, 72), (24, 24), "fluid"),
    Tissue("accumbens area", (26,), (26, 58), "gray", (58,)),
    Tissue("ventral diencephalon", (28,), (28, 60), "white", (60,)),
    Tissue("white matter lesion", (25,), (2, 41), "lesion", (57,)),
    Tissue("choroid plexus", (136,), (4, 43), "other", (163,)),
    Tissue("inferior choroid plexus", (137,), (5, 44), "other", (164,)),
    Tissue("deep vessel", (30,), (0, 0), "other", (62,)),
    Tissue("optic chiasm", (85,), (0, 0), "other"),
    Tissue("neck vessel", (502,), (0, 0), "other"),
    Tissue("eyeball", (506,), (0, 0), "other"),
    Tissue("soft tissue", (507,), (0, 0), "other"),
    Tissue("optic nerve and eye muscle", (508,), (0, 0), "other"),
    Tissue("mucosa", (509,), (0, 0), "other"),
    Tissue("skin", (511,), (0, 0), "other"),
    Tissue("spinal cord", (512,), (0, 0), "white"),
    Tissue("dura and venous sinus", (514,), (0, 0), "other"),
    Tissue("bone", (515,), (0, 0), "other"),
    Tissue("marrow", (516,), (0, 0), "other"),
    Tissue("pituitary and carotid", (530,), (0, 0), "other"),
)

TISSUE_INDEX = {tissue.name: index for index, tissue in enumerate(TISSUES)}
CHANNELS = len(STRUCTURES) + 1
CHANNEL_OF_VALUE = {0: 0} | {s.value: channel for channel, s in enumerate(STRUCTURES, start=1)}


def _channel_of_code() -> NDArray[np.uint8]:
    channels = np.zeros(2 * RIGHT, dtype=np.uint8)
    for index, tissue in enumerate(TISSUES):
        left, right = tissue.answers
        channels[index] = CHANNEL_OF_VALUE[left]
        channels[index + RIGHT] = CHANNEL_OF_VALUE[right]
    return channels


def _mirrored_channel() -> NDArray[np.uint8]:
    channels = np.arange(CHANNELS, dtype=np.uint8)
    for left, right, _, _ in _PAIRED:
        channels[CHANNEL_OF_VALUE[left]] = CHANNEL_OF_VALUE[right]
        channels[CHANNEL_OF_VALUE[right]] = CHANNEL_OF_VALUE[left]
    return channels


# Indexed by code: the network's channel.
CHANNEL_OF_CODE = _channel_of_code()
# Indexed by channel: the channel of the other side.
MIRRORED_CHANNEL = _mirrored_channel()


def codes_from_label_map(values: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return the code of every voxel of a FreeSurfer-numbered label map, same shape.

    Raises:
        GeometryError: a value that no tissue is drawn from, named in the message.
    """
    table = np.full(1024, 255, dtype=np.uint8)
    for index, tissue in enumerate(TISSUES):
        table[list(tissue.left)] = index
        table[list(tissue.right)] = index + RIGHT
    inside = (values >= 0) & (values < table.size)
    codes = table[np.where(inside, values, 1023)]
    if (codes == 255).any():
        found = np.unique(values[codes == 255])[:8].tolist()
        raise GeometryError(f"The label map holds values {found}, which no tissue is drawn from.")
    return codes


def tissues_of(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the tissue index of every code, same shape."""
    return codes % np.uint8(RIGHT)
