"""What `brain-any-contrast` names, and the tissues that its training volumes are drawn from.

Two tables, each the only place of its mapping:

- `TISSUES`: what is drawn. One entry is one class of the Gaussian mixture; its position is the
  *tissue index* that the synthesizer works with. FreeSurfer's left and right values share a tissue.
- `STRUCTURES`: what is answered. The position in this table plus one is the network's *channel*;
  channel 0 is background.

Label numbers and colors: FreeSurfer's color lookup table (the left side's number stands for both
sides); the numbers from 502 are those of the label maps of Billot et al., SynthSeg, Medical Image
Analysis 86, 2023, doi:10.1016/j.media.2023.102789.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.errors import GeometryError


@dataclass(frozen=True)
class Structure:
    """A structure that the network answers.

    Attributes:
        value: FreeSurfer's number of the left side.
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
        sources: label map values that are drawn as it.
        answer: label value that the network answers for it, 0 for background.
        kind: tissues of one kind tend to look alike in a real contrast.
    """

    name: str
    sources: tuple[int, ...]
    answer: int
    kind: str


STRUCTURES = (
    Structure(2, "Cerebral White Matter", (245, 245, 245)),
    Structure(3, "Cerebral Cortex", (205, 62, 78)),
    Structure(4, "Lateral Ventricle", (120, 18, 134)),
    Structure(7, "Cerebellum White Matter", (220, 248, 164)),
    Structure(8, "Cerebellum Cortex", (230, 148, 34)),
    Structure(10, "Thalamus", (0, 118, 14)),
    Structure(11, "Caudate", (122, 186, 220)),
    Structure(12, "Putamen", (236, 13, 176)),
    Structure(13, "Pallidum", (12, 48, 255)),
    Structure(14, "3rd Ventricle", (204, 182, 142)),
    Structure(15, "4th Ventricle", (42, 204, 164)),
    Structure(16, "Brain Stem", (119, 159, 176)),
    Structure(17, "Hippocampus", (220, 216, 20)),
    Structure(18, "Amygdala", (103, 255, 255)),
    Structure(24, "Cerebrospinal Fluid", (60, 60, 60)),
    Structure(28, "Ventral Diencephalon", (165, 42, 42)),
)

TISSUES = (
    Tissue("air", (0,), 0, "air"),
    Tissue("cerebral white matter", (2, 41), 2, "white"),
    Tissue("cerebral cortex", (3, 42), 3, "gray"),
    Tissue("lateral ventricle", (4, 43, 72), 4, "fluid"),
    Tissue("inferior lateral ventricle", (5, 44), 4, "fluid"),
    Tissue("cerebellum white matter", (7, 46), 7, "white"),
    Tissue("cerebellum cortex", (8, 47), 8, "gray"),
    Tissue("thalamus", (10, 49), 10, "gray"),
    Tissue("caudate", (11, 50), 11, "gray"),
    Tissue("putamen", (12, 51), 12, "gray"),
    Tissue("pallidum", (13, 52), 13, "gray"),
    Tissue("3rd ventricle", (14,), 14, "fluid"),
    Tissue("4th ventricle", (15,), 15, "fluid"),
    Tissue("brain stem", (16,), 16, "white"),
    Tissue("hippocampus", (17, 53), 17, "gray"),
    Tissue("amygdala", (18, 54), 18, "gray"),
    Tissue("cerebrospinal fluid", (24,), 24, "fluid"),
    # Too small to answer for at 2 mm; it continues the caudate's head and mostly looks like it.
    Tissue("accumbens area", (26, 58), 11, "gray"),
    Tissue("ventral diencephalon", (28, 60), 28, "white"),
    Tissue("white matter lesion", (25, 57), 2, "lesion"),
    Tissue("choroid plexus", (136, 137, 163, 164), 4, "other"),
    Tissue("deep vessel", (30, 62), 0, "other"),
    Tissue("optic chiasm", (85,), 0, "other"),
    Tissue("neck vessel", (502,), 0, "other"),
    Tissue("eyeball", (506,), 0, "other"),
    Tissue("soft tissue", (507,), 0, "other"),
    Tissue("optic nerve and eye muscle", (508,), 0, "other"),
    Tissue("mucosa", (509,), 0, "other"),
    Tissue("skin", (511,), 0, "other"),
    Tissue("spinal cord", (512,), 0, "white"),
    Tissue("dura and venous sinus", (514,), 0, "other"),
    Tissue("bone", (515,), 0, "other"),
    Tissue("marrow", (516,), 0, "other"),
    Tissue("pituitary and carotid", (530,), 0, "other"),
)

TISSUE_INDEX = {tissue.name: index for index, tissue in enumerate(TISSUES)}
_CHANNEL_OF_VALUE = {0: 0} | {s.value: channel for channel, s in enumerate(STRUCTURES, start=1)}
# Indexed by tissue: the network's channel.
CHANNEL_OF_TISSUE: NDArray[np.uint8] = np.array(
    [_CHANNEL_OF_VALUE[tissue.answer] for tissue in TISSUES], dtype=np.uint8
)
CHANNELS = len(STRUCTURES) + 1


def tissues_from_label_map(values: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return the tissue index of every voxel of a FreeSurfer-numbered label map, same shape.

    Raises:
        GeometryError: a value that no tissue is drawn from, named in the message.
    """
    table = np.full(1024, 255, dtype=np.uint8)
    for index, tissue in enumerate(TISSUES):
        table[list(tissue.sources)] = index
    inside = (values >= 0) & (values < table.size)
    tissues = table[np.where(inside, values, 1023)]
    if (tissues == 255).any():
        found = np.unique(values[tissues == 255])[:8].tolist()
        raise GeometryError(f"The label map holds values {found}, which no tissue is drawn from.")
    return tissues
