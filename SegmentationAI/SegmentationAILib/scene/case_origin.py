"""Who decided which voxel of a case: outlines in a color of their own over the labels."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import slicer

from ..core.labelmap import Label, Labelmap
from .prepared_result import prepared_result
from .preview import show_preview
from .translation import tr as _

# Colors that differ in lightness too; the name of each segment says the same in words.
ORIGIN_COLORS: Final[Mapping[str, tuple[float, float, float]]] = {
    "drawn": (1.0, 1.0, 1.0),
    "weak": (0.95, 0.6, 0.1),
    "predicted": (0.25, 0.6, 1.0),
    "corrected": (0.95, 0.35, 0.95),
    "accepted": (0.85, 1.0, 0.85),
}
_AS_IT_CAME, _CORRECTED = 1, 2


def show_origin(
    labels: Labelmap,
    touched: Labelmap | None,
    facts: Mapping[str, Any],
    volume_node: slicer.vtkMRMLScalarVolumeNode,
    scene: slicer.vtkMRMLScene,
) -> slicer.vtkMRMLSegmentationNode:
    """Return a segmentation that outlines how labels came to be; it is neither saved nor edited.

    Args:
        labels: Of the case, in one layer.
        touched: Where a person has corrected voxels one by one, None for nowhere.
        facts: ``origin``, ``who`` and ``iteration`` of the labels.
        volume_node: Of the case.
        scene: Gets the node.
    """
    origin = str(facts.get("origin", ""))
    layer = (labels.layers[0] != 0).astype(np.uint8)
    rows = [Label(_AS_IT_CAME, origin_in_words(facts), ORIGIN_COLORS.get(origin, (0.5,) * 3))]
    if touched is not None and origin not in ("accepted", "drawn"):
        layer[touched.layers[0] != 0] = _CORRECTED
        rows.append(Label(_CORRECTED, _("Corrected by hand"), ORIGIN_COLORS["corrected"]))
    if origin == "corrected":
        # What nobody touched in a corrected version is as the version before had it.
        rows[0] = Label(_AS_IT_CAME, _("As it was before"), ORIGIN_COLORS["predicted"])
    layer = np.asfortranarray(layer)
    shown = Labelmap((layer,), tuple(rows), labels.affine)
    node = show_preview(prepared_result(shown), volume_node, scene, _("How the labels came to be"))
    display = node.GetDisplayNode()
    display.SetOpacity2DFill(0.0)
    display.SetOpacity2DOutline(1.0)
    display.SetVisibility3D(False)
    return node


def origin_in_words(facts: Mapping[str, Any]) -> str:
    """Return how labels came to be: "Predicted in iteration 2", "Accepted by Anna"."""
    words = {
        "drawn": _("Drawn"),
        "weak": _("Weak"),
        "predicted": _("Predicted"),
        "corrected": _("Corrected"),
        "accepted": _("Accepted"),
    }
    said = words.get(str(facts.get("origin", "")), _("No labels yet"))
    if facts.get("iteration"):
        said = _("{origin} in iteration {number}").format(origin=said, number=facts["iteration"])
    if facts.get("who"):
        said = _("{origin} by {who}").format(origin=said, who=facts["who"])
    return said
