"""Pictures of a volume and its segments, drawn by Slicer's own views without a screen.

Axial, coronal and sagittal slices through the middle of the segments, a 3D view, and a mosaic of
the four. Where the libraries for this are absent, `plain_pictures` draws slices without them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import vtk_to_numpy

from ..core.errors import SegmentationAIError
from .gl_library import choose_off_screen_window, missing_view_libraries
from .picture_composition import (
    OVERLAY_OPACITY,
    intensity_window,
    middle_of_labels_ijk,
    mosaic,
    write_picture,
)
from .segmentation_node import labelmap_from_node
from .surfaces import CLOSED_SURFACE, create_surfaces
from .volume_node import volume_from_node

ORIENTATIONS: Final = ("Axial", "Coronal", "Sagittal")
# From the front, the patient's left and a little above, as an anatomy atlas draws a patient.
_EYE_DIRECTION_RAS: Final = np.array([-0.55, 1.0, 0.35])
_ENCLOSING_OPACITY: Final = 0.25
_AXIS_LETTERS: Final = (("L", "R"), ("P", "A"), ("I", "S"))


def render_pictures(
    volume_node: slicer.vtkMRMLVolumeNode,
    segmentation_node: slicer.vtkMRMLSegmentationNode,
    folder: Path,
    application_logic: slicer.vtkMRMLApplicationLogic,
    size: int = 640,
) -> list[Path]:
    """Return the PNG files ``axial coronal sagittal 3d mosaic`` that were drawn into ``folder``.

    Patient right is on the left of axial and coronal slices. Segments that are hidden stay hidden;
    surfaces are made when there are none, and segments that enclose most others are translucent in
    3D. The window of the volume and the opacities of the segmentation are set for the pictures and
    stay so; the view nodes are gone afterwards.

    Args:
        volume_node: The background; its scene has default colors and orientation presets
            (`bootstrap.headless_slicer` makes both).
        segmentation_node: Of the same scene, on the volume's grid.
        folder: Made when it does not exist; files of these names are replaced.
        application_logic: The one on the nodes' scene.
        size: Width and height of each view in pixels; the mosaic has twice that.

    Raises:
        SegmentationAIError: The libraries to draw without a screen are absent.
        GeometryError: As for `labelmap_from_node`.
    """
    missing = missing_view_libraries()
    if missing:
        raise SegmentationAIError(missing)
    choose_off_screen_window()
    folder.mkdir(parents=True, exist_ok=True)
    center_ras = _prepare(volume_node, segmentation_node)
    pictures: dict[str, NDArray[np.uint8]] = {}
    with _views_removed(volume_node.GetScene(), application_logic):
        for orientation in ORIENTATIONS:
            view = _slice_view(volume_node, orientation, center_ras, application_logic, size)
            pictures[orientation.lower()] = _with_overlay(view, segmentation_node.GetDisplayNode())
            _end(view)
        pictures["3d"] = _surfaces(segmentation_node, application_logic, size)
    pictures["mosaic"] = mosaic([*pictures.values()], columns=2)
    return [write_picture(picture, folder / f"{name}.png") for name, picture in pictures.items()]


def _prepare(
    volume_node: slicer.vtkMRMLVolumeNode, segmentation_node: slicer.vtkMRMLSegmentationNode
) -> NDArray[np.float64]:
    """Set window and opacities; return the middle of the segments in RAS mm."""
    volume = volume_from_node(volume_node)
    labelmap = labelmap_from_node(segmentation_node, volume_node, resample=True)
    volume_node.CreateDefaultDisplayNodes()
    low, high = intensity_window(volume)
    display = volume_node.GetScalarVolumeDisplayNode()
    if display is not None:
        display.SetAutoWindowLevel(False)
        display.SetWindowLevel(high - low, (high + low) / 2)
        display.SetInterpolate(True)
    if not segmentation_node.GetSegmentation().ContainsRepresentation(CLOSED_SURFACE):
        create_surfaces(segmentation_node)
    segmentation_node.CreateDefaultDisplayNodes()
    shown = segmentation_node.GetDisplayNode()
    shown.SetVisibility2DFill(True)
    shown.SetVisibility2DOutline(True)
    shown.SetOpacity2DFill(OVERLAY_OPACITY)
    shown.SetOpacity2DOutline(1.0)
    shown.SetSliceIntersectionThickness(2)
    shown.SetPreferredDisplayRepresentationName3D(CLOSED_SURFACE)
    # Neighbors share their faces: without culling the far side of one shines through the other.
    shown.SetBackfaceCulling(True)
    _make_enclosing_translucent(segmentation_node)
    middle: NDArray[np.float64] = volume.grid.ras_from_ijk(middle_of_labels_ijk(labelmap)[None])[0]
    return middle


def _make_enclosing_translucent(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Let one see through segments around most of the others, such as skin or brain matter."""
    segmentation = node.GetSegmentation()
    bounds = {}
    for index in range(segmentation.GetNumberOfSegments()):
        identifier = segmentation.GetNthSegmentID(index)
        surface = segmentation.GetSegment(identifier).GetRepresentation(CLOSED_SURFACE)
        if surface is not None and surface.GetNumberOfPolys():
            bounds[identifier] = np.array(surface.GetBounds()).reshape(3, 2)
    if not bounds:
        return
    boxes = np.array(list(bounds.values()))
    whole = float((boxes[:, :, 1].max(0) - boxes[:, :, 0].min(0)).prod())
    centers = {identifier: box.mean(1) for identifier, box in bounds.items()}
    for identifier, box in bounds.items():
        others = [center for other, center in centers.items() if other != identifier]
        inside = sum(bool((box[:, 0] < c).all() and (c < box[:, 1]).all()) for c in others)
        is_wide = float((box[:, 1] - box[:, 0]).prod()) > 0.75 * whole
        encloses = is_wide and len(others) > 1 and inside > 0.6 * len(others)
        node.GetDisplayNode().SetSegmentOpacity3D(
            identifier, _ENCLOSING_OPACITY if encloses else 1.0
        )


def _slice_view(
    volume_node: slicer.vtkMRMLVolumeNode,
    orientation: str,
    center_ras: NDArray[np.float64],
    application_logic: slicer.vtkMRMLApplicationLogic,
    size: int,
) -> Any:
    """Return the view of a slice through ``center_ras``, with its position and sides written."""
    # Imported here: trame-slicer is an extra, and its views set up OpenGL when they are imported.
    from trame_slicer.views import NoScheduleRendering, SliceView

    name = f"Picture {orientation}"
    # Drawn once, at the end: every change of a node would draw otherwise.
    with _without_warnings():
        view = SliceView(volume_node.GetScene(), application_logic, name, NoScheduleRendering())
    _set_size(view, size)
    view.set_orientation(orientation)
    view.set_background_volume_id(volume_node.GetID())
    view.fit_view_to_content()
    slice_node = view.get_view_node()
    slice_node.JumpSliceByOffsetting(*center_ras)
    across, up = (
        np.array([slice_node.GetSliceToRAS().GetElement(row, column) for row in range(3)])
        for column in (0, 1)
    )
    normal_axis = int(np.abs(np.cross(across, up)).argmax())
    letter = _AXIS_LETTERS[normal_axis][int(center_ras[normal_axis] >= 0)]
    place = f"{orientation}  {letter} {abs(center_ras[normal_axis]):.1f} mm"
    _write(view, place, (0.02, 0.95), size // 36)
    _write(view, _toward(-across), (0.015, 0.48), size // 28)
    _write(view, _toward(across), (0.95, 0.48), size // 28)
    _write(view, _toward(up), (0.485, 0.95), size // 28)
    _write(view, _toward(-up), (0.485, 0.015), size // 28)
    return view


def _with_overlay(view: Any, display: slicer.vtkMRMLSegmentationDisplayNode) -> NDArray[np.uint8]:
    """Return a slice with translucent segments, blended here from a picture with and one without.

    Software OpenGL under VTK 9.6 draws the translucent fill over black instead of over the slice.
    """
    display.SetOpacity2DFill(1.0)
    with_fill = _picture(view).astype(np.float64)
    display.SetVisibility2DFill(False)
    without = _picture(view)
    display.SetVisibility2DFill(True)
    display.SetOpacity2DFill(OVERLAY_OPACITY)
    blended = (1 - OVERLAY_OPACITY) * without + OVERLAY_OPACITY * with_fill
    return blended.round().astype(np.uint8)


def _surfaces(
    node: slicer.vtkMRMLSegmentationNode,
    application_logic: slicer.vtkMRMLApplicationLogic,
    size: int,
) -> NDArray[np.uint8]:
    """Return the picture ``(size, size, 3)`` of all surfaces, framed."""
    from trame_slicer.views import NoScheduleRendering, ThreeDView

    with _without_warnings():
        view = ThreeDView(node.GetScene(), application_logic, "Picture 3D", NoScheduleRendering())
    _set_size(view, size)
    view.set_box_visible(False)
    view.set_background_gradient_color([24, 28, 38], [86, 98, 122])
    view.renderer().GradientBackgroundOn()
    # The node's own bounds are those of its labelmap, air included; what is visible is known when
    # it has been drawn.
    view.render()
    camera = view.renderer().GetActiveCamera()
    bounds = view.renderer().ComputeVisiblePropBounds()
    center = np.array(bounds).reshape(3, 2).mean(1)
    camera.SetFocalPoint(*center)
    camera.SetPosition(*(center + _EYE_DIRECTION_RAS))
    camera.SetViewUp(0, 0, 1)
    if bounds[0] <= bounds[1]:
        view.renderer().ResetCamera(bounds)
    camera.Zoom(1.2)
    view.renderer().ResetCameraClippingRange()
    _write(view, "3D from the front", (0.02, 0.95), size // 36)
    picture = _picture(view)
    _end(view)
    return picture


def _set_size(view: Any, size: int) -> None:
    """Make a view square, and draw every pixel once: eight samples cost software OpenGL seconds."""
    view.render_window().SetMultiSamples(0)
    view.renderer().UseFXAAOn()
    view.render_window().SetSize(size, size)
    view.update_size(size, size)


def _toward(direction_ras: NDArray[np.float64]) -> str:
    """Return the letter of the patient's side that a direction points to."""
    axis = int(np.abs(direction_ras).argmax())
    return _AXIS_LETTERS[axis][int(direction_ras[axis] > 0)]


def _write(view: Any, text: str, place: tuple[float, float], font_size: int) -> None:
    """Write a text at a place given in fractions of the view's width and height."""
    actor = vtk.vtkTextActor()
    actor.SetInput(text)
    actor.GetPositionCoordinate().SetCoordinateSystemToNormalizedViewport()
    actor.SetPosition(*place)
    style = actor.GetTextProperty()
    style.SetFontSize(font_size)
    style.SetColor(1.0, 0.93, 0.55)
    style.ShadowOn()
    view.renderer().AddViewProp(actor)


def _picture(view: Any) -> NDArray[np.uint8]:
    """Return what a view shows as ``(height, width, 3)``."""
    view.render()
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(view.render_window())
    grab.ReadFrontBufferOff()
    grab.ShouldRerenderOff()
    grab.Update()
    width, height, _ = grab.GetOutput().GetDimensions()
    pixels = vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars())
    picture: NDArray[np.uint8] = pixels.reshape(height, width, 3)[::-1].copy()
    return picture


def _end(view: Any) -> None:
    """End a view; without its node gone, its camera manager answers for a node that is removed."""
    view.set_view_node(None)
    view.finalize()


@contextmanager
def _views_removed(
    scene: slicer.vtkMRMLScene, application_logic: slicer.vtkMRMLApplicationLogic
) -> Iterator[None]:
    """Remove the nodes and logics of views that are made inside."""
    before = {scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())}
    collections = (application_logic.GetSliceLogics(), application_logic.GetViewLogics())
    counts = [collection.GetNumberOfItems() for collection in collections]
    try:
        yield
    finally:
        for collection, count in zip(collections, counts, strict=True):
            while collection.GetNumberOfItems() > count:
                collection.GetItemAsObject(count).SetMRMLScene(None)
                collection.RemoveItem(count)
        for node in [scene.GetNthNode(n) for n in range(scene.GetNumberOfNodes())]:
            if node.GetID() not in before and scene.IsNodePresent(node):
                scene.RemoveNode(node)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silence VTK: each new view of trame-slicer 2.0.0 observes an event that VTK 9.6 will drop."""
    shown = vtk.vtkObject.GetGlobalWarningDisplay()
    vtk.vtkObject.GlobalWarningDisplayOff()
    try:
        yield
    finally:
        vtk.vtkObject.SetGlobalWarningDisplay(shown)
