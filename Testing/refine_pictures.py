"""Pictures of a correction on real scans: the panel's step beside the slice view that was clicked.

Everything in them was done by clicks on that view, through a real worker, with the engine that the
panel lists first. Called by `make_screenshots`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pictured_panel import PicturedPanel, pictured_panel, wait
from PIL import Image, ImageDraw

VIEW_SIZE = 860
CAPTION = 26


@dataclass(frozen=True)
class Scene:
    """One scan, the structure that is drawn, and its label in the reference, for clicks alone.

    Attributes:
        window: Intensities shown from black to white.
        zoom: How much larger than the whole scan the view shows it.
    """

    name: str
    volume: str
    reference: str
    label: int
    structure: str
    window: tuple[float, float]
    zoom: float


SCENES = (
    Scene(
        "ct", "ct-torso-3mm/ct.nii.gz", "ct-torso-3mm/labels.nii.gz", 5, "Liver", (-120, 240), 1.4
    ),
    Scene(
        "mr", "mr-torso-3mm/mr_small.nii.gz", "mr-torso-3mm/mr_small_labels.nii.gz", 1, "Spleen",
        (0, 500), 1.05,
    ),
)  # fmt: skip


def picture_corrections(data: Path, folder: Path) -> None:
    """Write ``panel-refine-<name>.png`` for each scene.

    Args:
        data: Folder with the real volumes.
        folder: Gets the pictures.
    """
    for scene in SCENES:
        _picture(scene, data, folder / f"panel-refine-{scene.name}.png")


def _picture(scene: Scene, data: Path, path: Path) -> None:
    from slicer_adapter.application import running_slicer

    from SegmentationAILib.core.files import read_labelmap, read_volume
    from SegmentationAILib.scene.volume_node import node_from_volume

    volume = read_volume(data / scene.volume)
    truth = read_labelmap(data / scene.reference).layers[0] == scene.label
    with running_slicer() as running:
        scan = node_from_volume(volume, running.scene, scene.volume.split("/")[0])
        view = _view(running, scan, scene)
        try:
            with pictured_panel(least_height=VIEW_SIZE) as pictured:
                pictured.module.logic.state().volume = scan
                pictures = _correct(running, pictured, view, scene, volume, truth)
                _composed(pictures).save(path)
        finally:
            view.set_view_node(None)
            view.finalize()


def _correct(
    running: Any, pictured: PicturedPanel, view: Any, scene: Scene, volume: Any, truth: Any
) -> list[tuple[str, Any, Any]]:
    """Draw a structure by clicks where it is deepest or wrong; return what was seen each time."""
    module = pictured.module
    widget = running.app.layoutManager().add_widget("Red", view.get_view_node(), view.interactor())
    state = module.logic.state()
    module.panel.show(state)
    module.panel.open("Refine")
    ui = module.panel.refine._ui
    ui.newSegmentButton.click()
    node = state.result
    node.GetSegmentation().GetNthSegment(0).SetName(scene.structure)
    module.panel.show(state)
    pictures = []

    def see(caption: str) -> None:
        shown = module.logic.for_panel()._correction.preview.mask
        dice = 2 * np.count_nonzero(shown & truth) / (shown.sum() + truth.sum())
        caption = f"{caption}: Dice {dice:.2f} with the reference"
        pictures.append((caption, _panel(pictured), _slice(view)))

    place = _deepest(truth, volume.grid)
    widget.click(place)
    wait(lambda: ui.promptsTable.rowCount == 1 and not module.panel.refine._box.facts.is_busy)
    see("1 click")
    for count in (2, 3, 4):
        shown = module.logic.for_panel()._correction.preview.mask
        wrong = max((truth & ~shown, shown & ~truth), key=np.count_nonzero)
        place = _deepest(wrong, volume.grid)
        widget.click(place, control=bool((shown & ~truth & wrong).any()))
        wait(lambda count=count: ui.promptsTable.rowCount == count)
    widget.pixel_of(place)
    see("4 clicks")
    ui.doubtButton.click()
    wait(lambda: ui.agreeButton.enabled or "No other" in ui.refineLabel.text)
    see("the next doubtful place")
    return pictures


def _view(running: Any, scan: Any, scene: Scene) -> Any:
    from trame_slicer.views import NoScheduleRendering, SliceView

    from SegmentationAILib.scene.gl_library import choose_off_screen_window

    choose_off_screen_window()
    view = SliceView(
        running.scene, running.headless.application_logic, "Red", NoScheduleRendering()
    )
    view.render_window().SetMultiSamples(0)
    view.render_window().SetSize(VIEW_SIZE, VIEW_SIZE)
    view.update_size(VIEW_SIZE, VIEW_SIZE)
    view.set_orientation("Axial")
    view.set_background_volume_id(scan.GetID())
    view.fit_view_to_content()
    display = scan.GetScalarVolumeDisplayNode()
    display.SetAutoWindowLevel(False)
    low, high = scene.window
    display.SetWindowLevel(high - low, (high + low) / 2)
    node = view.get_view_node()
    node.SetFieldOfView(*(n / scene.zoom for n in node.GetFieldOfView()[:2]), 1.0)
    return view


def _slice(view: Any) -> Image.Image:
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    view.render()
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(view.render_window())
    grab.ReadFrontBufferOff()
    grab.ShouldRerenderOff()
    grab.Update()
    width, height, _ = grab.GetOutput().GetDimensions()
    pixels = vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars())
    return Image.fromarray(pixels.reshape(height, width, 3)[::-1].copy())


def _panel(pictured: PicturedPanel) -> Image.Image:
    from PySide6 import QtGui

    pictured.fit()
    grabbed = pictured.window.grab().toImage().convertToFormat(QtGui.QImage.Format.Format_RGBA8888)
    size = (grabbed.width(), grabbed.height())
    data = bytes(grabbed.constBits())
    picture = Image.frombuffer("RGBA", size, data, "raw", "RGBA", grabbed.bytesPerLine(), 1)
    return picture.convert("RGB")


def _composed(pictures: list[tuple[str, Any, Any]]) -> Image.Image:
    """Return the last panel beside all views, each under its caption."""
    panel = pictures[-1][1]
    width = panel.width + len(pictures) * VIEW_SIZE
    whole = Image.new("RGB", (width, max(panel.height, VIEW_SIZE + CAPTION)), (32, 32, 32))
    whole.paste(panel, (0, 0))
    draw = ImageDraw.Draw(whole)
    for number, (caption, _, view) in enumerate(pictures):
        left = panel.width + number * VIEW_SIZE
        draw.text((left + 8, 6), caption, fill=(255, 255, 255))
        whole.paste(view, (left, CAPTION))
    return whole.resize((width * 3 // 5, whole.height * 3 // 5), Image.Resampling.LANCZOS)


def _deepest(mask: Any, grid: Any) -> tuple[float, float, float]:
    """Return the place of the mask that is farthest from its border, RAS mm."""
    import edt

    depth = edt.edt(np.asfortranarray(mask).astype(np.uint8), anisotropy=grid.spacing)
    ijk = np.unravel_index(int(depth.argmax()), depth.shape)
    r, a, s = grid.ras_from_ijk(np.array([ijk], np.float64))[0]
    return float(r), float(a), float(s)
