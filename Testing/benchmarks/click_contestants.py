"""Who answers clicks in the benchmark: our engines in a session, and Slicer's Grow from seeds."""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from click_protocol import Opened

from SegmentationAILib.core.volume import Volume
from SegmentationAILib.learn.click_card import click_card
from SegmentationAILib.learn.simulated_clicks import Click
from SegmentationAILib.networks.build import load_network
from SegmentationAILib.networks.card_reader import card_from_json
from SegmentationAILib.networks.running import RunningNetwork
from SegmentationAILib.networks.weights import read_weights
from SegmentationAILib.refine.click_network import ClickEngine
from SegmentationAILib.refine.engine import Engine
from SegmentationAILib.refine.session import RefineSession


class OurSession(Opened):
    """A session with one of our engines."""

    def __init__(self, volume: Volume, engine: str | Engine) -> None:
        self._session = RefineSession(volume, engine=engine)

    def click(self, click: Click) -> np.ndarray:
        """Return the mask after a click."""
        position = self._session.volume.grid.ras_from_ijk(np.array([click.ijk], float))[0]
        self._session.add_point(tuple(position), positive=click.positive)
        return self._session.mask

    def close(self) -> None:
        """End the session."""
        self._session.close()


def session_with_weights(volume: Volume, weights: Path) -> OurSession:
    """Return a session with the click engine and the weights of a file, shipped or not yet."""
    return OurSession(volume, _KeptEngine(_network(weights)))


class _KeptEngine(ClickEngine):
    """An engine whose network stays for the next target, as it does in a worker that is warm."""

    def close(self) -> None:
        """Keep the network."""


@functools.cache
def _network(weights: Path) -> RunningNetwork:
    """Return the network as it runs everywhere, on this machine's CPU."""
    card = card_from_json(click_card(weights), weights.name)
    return load_network(card, read_weights(weights, card.sha256), "cpu")


@dataclass(frozen=True)
class GrowSettings:
    """How seeds are made of clicks; tuned for Grow from seeds, group by group.

    Attributes:
        ball_mm: radius of the seeds at clicks.
        margin_mm: from the clicks' bounding box to the shell that is background.
    """

    ball_mm: float
    margin_mm: float


class GrowFromSeeds(Opened):
    """Slicer's vtkImageGrowCutSegment, kept alive between clicks as the Segment Editor does.

    Seeds are balls at the clicks; what a click says holds against the shell and earlier clicks.
    Where the shell moves (a click outside of what there was), the filter starts anew. It does not
    grow from the outermost voxels of its image, so that it gets one more all around.
    """

    def __init__(self, volume: Volume, settings: GrowSettings) -> None:
        import slicer  # only here: our engines run without Slicer

        self._volume, self._settings = volume, settings
        self._make = slicer.vtkImageGrowCutSegment
        self._clicks: list[Click] = []
        self._box: tuple[slice, ...] = ()
        self._filter = None

    def click(self, click: Click) -> np.ndarray:
        """Return the mask after a click."""
        self._clicks.append(click)
        box = self._shell_box()
        if box != self._box:
            self._box, self._filter = box, self._make()
            intensities = np.pad(self._volume.voxels[0][box], 1, mode="edge").T
            self._filter.SetIntensityVolume(
                _vtk_image(np.ascontiguousarray(intensities, np.float32))
            )
        self._filter.SetSeedLabelVolume(_vtk_image(np.pad(self._seeds(), 1).T.copy()))
        self._filter.Update()
        labels = _numpy(self._filter.GetOutput()).T[1:-1, 1:-1, 1:-1]
        mask = np.zeros(self._volume.grid.shape, dtype=bool)
        mask[box] = labels == 1
        return mask

    def _shell_box(self) -> tuple[slice, ...]:
        places = np.array([click.ijk for click in self._clicks if click.positive])
        margin = self._settings.margin_mm / np.array(self._volume.spacing)
        start = np.maximum(np.floor(places.min(axis=0) - margin), 0).astype(int)
        stop = np.minimum(np.ceil(places.max(axis=0) + margin) + 1, self._volume.grid.shape)
        return tuple(slice(int(a), int(b)) for a, b in zip(start, stop.astype(int), strict=True))

    def _seeds(self) -> np.ndarray:
        shape = [s.stop - s.start for s in self._box]
        seeds = np.zeros(shape, np.uint8)
        for axis, n in enumerate(self._volume.grid.shape):
            along = np.moveaxis(seeds, axis, 0)
            # Where the scan itself ends there is no background to paint.
            if self._box[axis].start > 0:
                along[0] = 2
            if self._box[axis].stop < n:
                along[-1] = 2
        if not seeds.any():
            # The filter wants two labels: a scan that is all box gets its outermost layer.
            for axis in range(3):
                np.moveaxis(seeds, axis, 0)[[0, -1]] = 2
        spacing = np.array(self._volume.spacing)[:, None, None, None]
        places = np.indices(shape) * spacing
        for click in self._clicks:
            center = (np.array(click.ijk) - [s.start for s in self._box])[:, None, None, None]
            near = ((places - center * spacing) ** 2).sum(axis=0)
            ball = near <= max(self._settings.ball_mm, 0.5 * float(spacing.min())) ** 2
            seeds[ball] = 1 if click.positive else 2
        return seeds


def _vtk_image(kji: np.ndarray):
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    image = vtk.vtkImageData()
    image.SetDimensions(*reversed(kji.shape))
    image.GetPointData().SetScalars(numpy_to_vtk(kji.ravel(), deep=True))
    return image


def _numpy(image) -> np.ndarray:
    from vtk.util.numpy_support import vtk_to_numpy

    flat = vtk_to_numpy(image.GetPointData().GetScalars())
    return flat.reshape(tuple(reversed(image.GetDimensions())))
