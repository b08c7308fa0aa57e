"""A MRML scene with Slicer's own module logics, outside the Slicer application.

The command line and the tests work on the same nodes and logics as the application does; they come
from the ``slicer-core`` wheel. Inside the application nothing of this is needed: it has a scene.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import slicer
import vtk


@dataclass(frozen=True, eq=False)
class HeadlessSlicer:
    """A scene, the application logic on it, and the module logics that the project relies on.

    Attributes:
        scene: The MRML scene; it holds a crosshair, a selection and an interaction node, the
            default color nodes and the slice orientation presets.
        application_logic: Knows every logic below by name.
        colors: Default color tables.
        volumes: Volume display nodes and volume files.
        terminologies: Coded meanings; loaded only when a folder with them was found.
        segmentations: Segmentation files and conversions.
        subject_hierarchy: The tree of data; items are made by hand outside the application.
        markups: Points, lines and boxes.
        crop_volume: Resampling to a box.
    """

    scene: slicer.vtkMRMLScene
    application_logic: slicer.vtkSlicerApplicationLogic
    colors: slicer.vtkMRMLColorLogic
    volumes: slicer.vtkSlicerVolumesLogic
    terminologies: slicer.vtkSlicerTerminologiesModuleLogic
    segmentations: slicer.vtkSlicerSegmentationsModuleLogic
    subject_hierarchy: slicer.vtkSlicerSubjectHierarchyModuleLogic
    markups: slicer.vtkSlicerMarkupsLogic
    crop_volume: slicer.vtkSlicerCropVolumeLogic


def headless_slicer(share_folder: Path | None = None) -> HeadlessSlicer:
    """Return a new scene with the logics on it.

    Args:
        share_folder: Has a folder ``terminologies`` with Slicer's terminology files; None means the
            resources of the trame-slicer package where that is installed (the slicer-core wheel
            carries none), and no terminologies where it is not.

    Raises:
        RuntimeError: Called inside the Slicer application, which has a scene of its own.
    """
    if getattr(slicer, "app", None) is not None:
        raise RuntimeError("inside the Slicer application use its own scene, not a headless one")
    share = share_folder or _packaged_resources()
    scene = slicer.vtkMRMLScene()
    application_logic = _application_logic(scene)

    def registered(logic: Any, name: str, folder: str = "") -> Any:
        if share is not None and hasattr(logic, "SetModuleShareDirectory"):
            logic.SetModuleShareDirectory(str(share / folder))
        # The application logic has to be known before the scene arrives: logics ask it for others.
        logic.SetMRMLApplicationLogic(application_logic)
        logic.SetMRMLScene(scene)
        application_logic.SetModuleLogic(name, logic)
        return logic

    # Display nodes ask for color nodes, so colors come first. vtkMRMLColorLogic instead of
    # vtkSlicerColorLogic: the latter wants the application's home folder.
    colors = registered(slicer.vtkMRMLColorLogic(), "Colors")
    colors.AddDefaultColorNodes()
    made = HeadlessSlicer(
        scene=scene,
        application_logic=application_logic,
        colors=colors,
        volumes=registered(slicer.vtkSlicerVolumesLogic(), "Volumes"),
        terminologies=registered(
            slicer.vtkSlicerTerminologiesModuleLogic(), "Terminologies", "terminologies"
        ),
        segmentations=registered(slicer.vtkSlicerSegmentationsModuleLogic(), "Segmentations"),
        subject_hierarchy=registered(
            slicer.vtkSlicerSubjectHierarchyModuleLogic(), "SubjectHierarchy"
        ),
        markups=registered(slicer.vtkSlicerMarkupsLogic(), "Markups"),
        crop_volume=registered(slicer.vtkSlicerCropVolumeLogic(), "CropVolume"),
    )
    patient_right_is_screen_left = True
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, patient_right_is_screen_left)
    return made


def _application_logic(scene: slicer.vtkMRMLScene) -> slicer.vtkSlicerApplicationLogic:
    """Return the application logic on ``scene``, which gets the nodes it expects to find."""
    crosshair = slicer.vtkMRMLCrosshairNode()
    crosshair.SetCrosshairName("default")
    scene.AddNode(crosshair)
    scene.AddNewNodeByClass("vtkMRMLSelectionNode")
    scene.AddNewNodeByClass("vtkMRMLInteractionNode")
    logic = slicer.vtkSlicerApplicationLogic()
    logic.SetMRMLScene(scene)
    logic.SetSliceLogics(vtk.vtkCollection())
    logic.SetViewLogics(vtk.vtkCollection())
    return logic


def _packaged_resources() -> Path | None:
    """Return the resource folder of trame-slicer without importing it, None when absent."""
    spec = find_spec("trame_slicer")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "resources"
    return folder if folder.is_dir() else None
