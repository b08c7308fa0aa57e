"""The cases of a scene to learn from: each scan that has a segmentation, read in turns."""

import re
from collections.abc import Sequence
from typing import Final

import slicer

from ..core.errors import SegmentationAIError
from ..core.labelmap import Labelmap
from ..core.volume import Grid
from ..worker.client import CollectedScan
from .placement import world_from_local
from .scan_witness import is_in_scene, witness_of
from .segmentation_layers import labelmap_of_segmentation
from .segmentation_state import copied_state, detached, let_go
from .training_facts import SceneCase
from .translation import tr as _
from .turns import READY, Steps, elsewhere
from .volume_node import volume_from_node

_KIND: Final = "vtkMRMLSegmentationNode"
_LONGEST: Final = 60


class CaseError(SegmentationAIError):
    """One case of the scene cannot be read; the others may be.

    Args:
        case_id: Of that case.
        sentence: Why.
    """

    def __init__(self, case_id: str, sentence: str) -> None:
        super().__init__(sentence)
        self.case_id = case_id


def scene_cases(scene: slicer.vtkMRMLScene) -> tuple[SceneCase, ...]:
    """Return each segmentation that has segments and a scan, in the scene's order."""
    nodes = [scene.GetNthNodeByClass(n, _KIND) for n in range(scene.GetNumberOfNodesByClass(_KIND))]
    cases: list[SceneCase] = []
    for node in nodes:
        segments = node.GetSegmentation().GetNumberOfSegments()
        scan = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
        if scan is None or scan.GetImageData() is None or not segments or node.GetHideFromEditors():
            continue
        words = (
            _("{scan}: {name}, 1 segment") if segments == 1 else _("{scan}: {name}, {n} segments")
        )
        title = words.format(scan=scan.GetName(), name=node.GetName(), n=segments)
        taken = {case.id.casefold() for case in cases}
        cases.append(SceneCase(_free_id(scan.GetName(), taken), title, scan, node))
    return tuple(cases)


def collected(
    scene: slicer.vtkMRMLScene, cases: Sequence[SceneCase]
) -> Steps[tuple[CollectedScan, ...]]:
    """Return cases as the worker takes them; labels are copied, scans are the nodes' own memory.

    Raises:
        CaseError: A node was removed, or segments lie on other voxels than their scan.
    """
    found = []
    for case in cases:
        yield READY
        try:
            found.append((yield from _scan(scene, case)))
        except SegmentationAIError as error:
            raise CaseError(case.id, f"{case.title}: {error}") from error
    return tuple(found)


def _scan(scene: slicer.vtkMRMLScene, case: SceneCase) -> Steps[CollectedScan]:
    for node in (case.volume, case.node):
        if not is_in_scene(node, scene):
            raise SegmentationAIError(_("it was removed from the scene; choose the cases again."))
    witness = witness_of(case.volume)
    labelmap = yield from _labelmap(case, witness.grid)
    witness.check(scene)
    return CollectedScan(case.id, volume_from_node(case.volume), labelmap)


def _labelmap(case: SceneCase, grid: Grid) -> Steps[Labelmap]:
    world = world_from_local(case.node)
    segmentation = detached((yield from copied_state(case.node)))

    def work() -> Labelmap:
        return labelmap_of_segmentation(segmentation, world, grid, resample=False)

    try:
        return (yield from elsewhere(work))
    finally:
        let_go(segmentation)


def _free_id(name: str, taken: set[str]) -> str:
    """Return a name for files that no other case has."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._-")[:_LONGEST] or "case"
    number, found = 1, plain
    while found.casefold() in taken:
        number += 1
        found = f"{plain}_{number}"
    return found
