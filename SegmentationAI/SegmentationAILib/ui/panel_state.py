"""What the panel remembers: typed values in the module's parameter node, saved with the scene."""

from slicer import (
    vtkMRMLMarkupsROINode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
)
from slicer.parameterNodeWrapper import parameterNodeWrapper


@parameterNodeWrapper
class PanelState:
    """Choices of the person.

    Attributes:
        volume: The scan.
        roi: Box to work in, none for the whole scan.
        result: The segmentation that is corrected, measured and exported.
        into: The segmentation that gets the next result, none for a new one.
        replaces_work: Whether corrected segments are replaced by the next result.
        network: ID of the network.
        shows_all: Whether networks for other kinds of scans are listed too.
        left_out: Structures that are not wanted in the result.
        second: Scan for the second input channel of the network.
        third: Scan for the third input channel.
        fourth: Scan for the fourth input channel.
        export_format: Key of the format that was exported last.
        before: Segmentation of another time point that volumes are held against.
        compared_first: First of the two segmentations that are compared.
        compared_second: Second of them.
        refine_segment: ID of the segment that is corrected by prompts.
        refine_engine: What answers the prompts.
        step: Name of the open step.
    """

    volume: vtkMRMLScalarVolumeNode
    roi: vtkMRMLMarkupsROINode
    result: vtkMRMLSegmentationNode
    into: vtkMRMLSegmentationNode
    replaces_work: bool
    network: str
    shows_all: bool
    left_out: list[str]
    second: vtkMRMLScalarVolumeNode
    third: vtkMRMLScalarVolumeNode
    fourth: vtkMRMLScalarVolumeNode
    export_format: str
    before: vtkMRMLSegmentationNode
    compared_first: vtkMRMLSegmentationNode
    compared_second: vtkMRMLSegmentationNode
    refine_segment: str
    refine_engine: str
    step: str


EXTRA_CHANNELS = ("second", "third", "fourth")


def choose_result(
    state: PanelState,
    node: vtkMRMLSegmentationNode | None,
    scan: vtkMRMLScalarVolumeNode | None,
) -> None:
    """Let all steps work on a segmentation, and on the scan that it was made of.

    Else it would be corrected, measured and exported by the scan that is chosen for the next run.

    Args:
        state: Gets both.
        node: The segmentation, None for none.
        scan: None leaves the scan that is chosen.
    """
    state.result = node
    if scan is not None:
        state.volume = scan
