"""Labels of another scan, carried over by registering that scan to this one; SimpleITK does it.

First an affine map by mutual information, so that the two scans may differ in contrast, then a
smooth displacement of every voxel by the squared correlation of neighborhoods.

D. Mattes et al., "PET-CT image registration in the chest using free-form deformations", IEEE
Transactions on Medical Imaging 22(1):120-128, 2003, doi:10.1109/TMI.2003.809072. B. B. Avants et
al., "Symmetric diffeomorphic image registration with cross-correlation", Medical Image Analysis
12(1):26-41, 2008, doi:10.1016/j.media.2007.06.004; here the displacement goes one way alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name its own documentation uses
from numpy.typing import NDArray

from ...core.errors import GeometryError, SegmentationAIError
from ...core.labelmap import Labelmap
from ...core.one_layer import merged
from ...core.progress import IGNORE, Progress
from ...core.volume import Grid, Volume, check_same_grid
from .readable_intensities import readable_intensities
from .weak_answer import Setting

# Every voxel is compared: with a random fifth of them, as is usual, an ellipsoid of 25 mm came out
# 0.6 mm too large; with all of them, 0.25 mm.
BINS: Final = 32
AFFINE_STEPS: Final = 100
FIELD_STEPS: Final = 60
# Shrinking and smoothing (mm) of the levels, the coarsest first.
AFFINE_LEVELS: Final = ((4, 2.0), (2, 1.0), (1, 0.0))
FIELD_LEVELS: Final = ((2, 1.0), (1, 0.0))
NEIGHBORHOOD_VOXELS: Final = 2
# A coarser level has at least so many voxels: mutual information of few is larger by chance than
# by likeness (560 voxels moved a ball away from itself).
FEWEST_OF_LEVEL: Final = 10_000
FEWEST_VOXELS: Final = 8


@dataclass(frozen=True)
class PropagateOptions:
    """How the other scan is registered.

    Attributes:
        resolution_mm: Voxels of the grid on which both scans are compared.
        smoothness_mm: Standard deviation of the Gaussian that smooths each step of the
            displacement; larger bends less, 0 stays with the affine map.
    """

    resolution_mm: float = 2.0
    smoothness_mm: float = 5.0

    def __post_init__(self) -> None:
        if not 0.05 <= self.resolution_mm <= 50.0:
            raise SegmentationAIError(
                f"A resolution of {self.resolution_mm:g} mm was asked for; 0.05 to 50 mm is "
                "expected."
            )
        if not 0.0 <= self.smoothness_mm <= 100.0:
            raise SegmentationAIError(
                f"A smoothness of {self.smoothness_mm:g} mm was asked for; 0 (affine alone) to "
                "100 mm is expected."
            )


@dataclass(frozen=True, eq=False)
class Propagated:
    """Labels that were carried over.

    Attributes:
        labelmap: On the volume's grid, with the other scan's label table.
        settings: Every option as it was used, and how alike the scans became.
    """

    labelmap: Labelmap
    settings: Mapping[str, Setting]


def propagate(
    volume: Volume,
    atlas: Volume,
    atlas_labels: Labelmap,
    options: PropagateOptions | None = None,
    progress: Progress = IGNORE,
) -> Propagated:
    """Return the labels of ``atlas`` at their places in ``volume``.

    Args:
        volume: The scan to label; its first channel is compared.
        atlas: The labeled scan, anywhere in space and of any contrast.
        atlas_labels: Its labels, on its grid, without overlaps.
        options: None for 2 mm and a smoothness of 5 mm.
        progress: Told per step of the registration.

    Raises:
        GeometryError: The labels are not on the atlas's grid, or a scan is thinner than 8 voxels of
            the resolution.
        SegmentationAIError: A scan is constant, labels overlap, or the registration failed.
        Cancelled: Raised by ``progress``.
    """
    chosen = options or PropagateOptions()
    check_same_grid(atlas.grid, atlas_labels.grid, ("the atlas", "its segmentation"))
    one = merged(atlas_labels)
    fixed = _working(volume, "the volume", chosen.resolution_mm)
    moving = _working(atlas, "the atlas", chosen.resolution_mm)
    transform, similarity = _registered(fixed, moving, chosen, progress.part(0.0, 0.9))
    progress(0.9, "Carrying labels over")
    carried = sitk.Resample(
        _itk_of_grid(one.layers[0], one.grid),
        _itk_of_grid(np.zeros(volume.grid.shape, np.uint8), volume.grid),
        transform,
        sitk.sitkLabelLinear,
    )
    layer = np.asarray(sitk.GetArrayFromImage(carried)).astype(one.layers[0].dtype)
    settings: dict[str, Setting] = {
        "resolution_mm": chosen.resolution_mm,
        "smoothness_mm": chosen.smoothness_mm,
        "similarity": round(similarity, 6),
    }
    notes = () if layer.any() else ("No label of the atlas fell into the volume.",)
    return Propagated(Labelmap((layer,), one.labels, volume.affine, notes), settings)


def _itk_of_grid(array: NDArray[Any], grid: Grid) -> sitk.Image:
    """Return an image placed in RAS mm; its axes are K, J, I, so that nothing is reordered."""
    image = sitk.GetImageFromArray(array)
    spacing = np.asarray(grid.spacing)
    image.SetSpacing(spacing[::-1].tolist())
    image.SetOrigin(grid.affine[:3, 3].tolist())
    image.SetDirection((grid.affine[:3, :3] / spacing)[:, ::-1].ravel().tolist())
    return image


def _working(volume: Volume, name: str, resolution_mm: float) -> sitk.Image:
    """Return the first channel on a grid of cubes of the resolution, float32, scaled to 0 to 1."""
    intensities = readable_intensities(volume.voxels[0])
    low, high = np.percentile(intensities, (0.5, 99.5))
    if high > low:  # a few bright voxels must not take all bins of the histogram
        intensities = (np.clip(intensities, low, high) - low) / (high - low)
    image = _itk_of_grid(np.ascontiguousarray(intensities, np.float32), volume.grid)
    sides = np.asarray(image.GetSpacing())
    sizes = np.maximum(np.round(np.asarray(image.GetSize()) * sides / resolution_mm), 1).astype(int)
    if sizes.min() < FEWEST_VOXELS:
        raise GeometryError(
            f"Along one axis {name} has {sizes.min()} voxels of {resolution_mm:g} mm, and "
            f"registration needs {FEWEST_VOXELS}; ask for a finer resolution."
        )
    cubes = np.asarray(image.GetSize()) * sides / sizes
    # Smoothing before a coarser grid, so that fine structures do not become noise.
    sigmas = np.maximum(0.5 * cubes, 1e-3 * sides)
    if (cubes > 1.2 * sides).any() and min(image.GetSize()) >= 4:
        image = sitk.SmoothingRecursiveGaussian(image, sigmas.tolist())
    first = image.TransformContinuousIndexToPhysicalPoint(((cubes / sides - 1.0) / 2.0).tolist())
    resample = sitk.ResampleImageFilter()
    resample.SetSize(sizes.tolist())
    resample.SetOutputSpacing(cubes.tolist())
    resample.SetOutputOrigin(first)
    resample.SetOutputDirection(image.GetDirection())
    resample.SetInterpolator(sitk.sitkLinear)
    return resample.Execute(image)


def _registered(
    fixed: sitk.Image, moving: sitk.Image, options: PropagateOptions, progress: Progress
) -> tuple[sitk.Transform, float]:
    """Return the map from the volume's places to the atlas's, and how alike they became."""
    bends = options.smoothness_mm > 0.0
    affine = _affine(fixed, moving)
    part = progress.part(0.0, 0.3 if bends else 1.0)
    steps = AFFINE_STEPS * len(AFFINE_LEVELS)
    transform = _executed(affine, fixed, moving, steps, part, "Registering, affine")
    if not bends:
        return transform, -float(affine.GetMetricValue())
    field = _field(fixed, transform, options)
    part = progress.part(0.3, 1.0)
    steps = FIELD_STEPS * len(FIELD_LEVELS)
    bent = _executed(field, fixed, moving, steps, part, "Registering, displacement")
    # Applied from the last to the first: a place is displaced, then mapped.
    return sitk.CompositeTransform([transform, bent]), -float(field.GetMetricValue())


def _affine(fixed: sitk.Image, moving: sitk.Image) -> sitk.ImageRegistrationMethod:
    """Return a registration that begins with the centers of mass one upon the other."""
    begun = sitk.CenteredTransformInitializer(
        fixed, moving, sitk.AffineTransform(3), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 1e-3, AFFINE_STEPS, relaxationFactor=0.7)
    method.SetOptimizerScalesFromPhysicalShift()
    _set_levels(method, AFFINE_LEVELS, fixed)
    method.SetInitialTransform(begun, True)
    return method


def _field(
    fixed: sitk.Image, begun: sitk.Transform, options: PropagateOptions
) -> sitk.ImageRegistrationMethod:
    """Return a registration of what the affine map left."""
    still = sitk.TransformToDisplacementField(
        sitk.Transform(3, sitk.sitkIdentity), sitk.sitkVectorFloat64, fixed.GetSize(),
        fixed.GetOrigin(), fixed.GetSpacing(), fixed.GetDirection(),
    )  # fmt: skip
    displacement = sitk.DisplacementFieldTransform(still)
    sigma_voxels = options.smoothness_mm / options.resolution_mm
    displacement.SetSmoothingGaussianOnUpdate(sigma_voxels**2, 0.0)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsANTSNeighborhoodCorrelation(NEIGHBORHOOD_VOXELS)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsGradientDescent(
        1.0, FIELD_STEPS, convergenceMinimumValue=1e-6, convergenceWindowSize=10,
        estimateLearningRate=method.EachIteration,
    )  # fmt: skip
    method.SetOptimizerScalesFromPhysicalShift()
    _set_levels(method, FIELD_LEVELS, fixed)
    method.SetMovingInitialTransform(begun)
    method.SetInitialTransform(displacement, True)
    return method


def _set_levels(
    method: sitk.ImageRegistrationMethod,
    levels: tuple[tuple[int, float], ...],
    fixed: sitk.Image,
) -> None:
    voxels = fixed.GetNumberOfPixels()
    kept = [one for one in levels if one[0] == 1 or voxels / one[0] ** 3 >= FEWEST_OF_LEVEL]
    method.SetShrinkFactorsPerLevel([shrink for shrink, _ in kept])
    method.SetSmoothingSigmasPerLevel([sigma for _, sigma in kept])


def _executed(
    method: sitk.ImageRegistrationMethod,
    fixed: sitk.Image,
    moving: sitk.Image,
    steps: int,
    progress: Progress,
    sentence: str,
) -> sitk.Transform:
    """Run a registration, telling ``progress`` per step and ending early when that raises."""
    raised: list[BaseException] = []
    done = [0]

    def tell() -> None:
        done[0] += 1
        try:  # an exception must not pass through SimpleITK's own code
            progress(min(done[0] / steps, 1.0), sentence)
        except BaseException as error:
            raised.append(error)
            method.StopRegistration()

    progress(0.0, sentence)
    method.AddCommand(sitk.sitkIterationEvent, tell)
    try:
        transform = method.Execute(fixed, moving)
    except RuntimeError as error:
        if raised:
            raise raised[0] from None
        raise SegmentationAIError(
            "The two scans could not be registered: they may share too little; check that both "
            "show the same part of the body."
        ) from error
    finally:
        method.RemoveAllCommands()
    if raised:
        raise raised[0]
    return transform
