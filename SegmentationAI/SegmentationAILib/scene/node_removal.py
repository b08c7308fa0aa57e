"""Taking a node out of its scene with everything that came with it."""

import slicer


def remove_displayable(node: slicer.vtkMRMLDisplayableNode) -> None:
    """Take a volume or segmentation out of its scene, with its display nodes and hierarchy item."""
    scene = node.GetScene()
    # The hierarchy knows items by the address of their node: one that is left behind would be taken
    # for the item of the next node that is made there.
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = hierarchy.GetItemByDataNode(node)
    if item:
        hierarchy.RemoveItem(item, False, False)
    for index in reversed(range(node.GetNumberOfDisplayNodes())):
        scene.RemoveNode(node.GetNthDisplayNode(index))
    scene.RemoveNode(node)
