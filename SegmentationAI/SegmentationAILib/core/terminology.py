"""DICOM-style coded concepts of a structure, and Slicer's one-line form of them."""

from dataclasses import dataclass
from typing import Final

CATEGORY_CONTEXT: Final = "Segmentation category and type - 3D Slicer General Anatomy list"
ANATOMIC_CONTEXT: Final = "Anatomic codes - DICOM master list"


@dataclass(frozen=True)
class Code:
    """One coded concept: scheme (such as ``SCT``), value and meaning; all empty when absent."""

    scheme: str = ""
    value: str = ""
    meaning: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}^{self.value}^{self.meaning}"


ANATOMICAL_STRUCTURE: Final = Code("SCT", "123037004", "Anatomical Structure")
TISSUE: Final = Code("SCT", "85756007", "Tissue")
MORPHOLOGICALLY_ALTERED: Final = Code("SCT", "49755003", "Morphologically Altered Structure")


@dataclass(frozen=True)
class Terminology:
    """What a segment shows: category, type, and optionally modifier and anatomic region.

    The string form is the one of Slicer's ``Segmentation.TerminologyEntry`` tag:
    ``context~category~type~modifier~region context~region~region modifier``.

    Examples:
        >>> liver = Terminology(ANATOMICAL_STRUCTURE, Code("SCT", "10200004", "Liver"))
        >>> terminology_from_slicer(str(liver)) == liver
        True
    """

    category: Code
    type: Code
    modifier: Code = Code()
    region: Code = Code()
    region_modifier: Code = Code()
    category_context: str = CATEGORY_CONTEXT
    region_context: str = ANATOMIC_CONTEXT

    def __str__(self) -> str:
        parts = (
            self.category_context,
            self.category,
            self.type,
            self.modifier,
            self.region_context,
            self.region,
            self.region_modifier,
        )
        return "~".join(str(part) for part in parts)


def terminology_from_slicer(entry: str) -> Terminology | None:
    """Return the terminology of Slicer's one-line form, or None when it names no type.

    Args:
        entry: The value of a ``TerminologyEntry`` tag; parts that are missing count as empty.
    """
    parts = (entry.split("~") + [""] * 7)[:7]
    codes = [Code(*[*part.split("^"), "", "", ""][:3]) for part in parts]
    if not codes[2].value:
        return None
    return Terminology(
        category=codes[1],
        type=codes[2],
        modifier=codes[3],
        region=codes[5],
        region_modifier=codes[6],
        category_context=parts[0],
        region_context=parts[4],
    )
