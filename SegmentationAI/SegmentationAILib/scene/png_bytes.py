"""Pixels as the bytes of a PNG file: what widgets of every Qt binding take."""

import numpy as np
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy


def png_of_pixels(pixels: NDArray[np.uint8]) -> bytes:
    """Return ``(height, width, 3)`` as PNG; the first row is the top one."""
    height, width, _ = pixels.shape
    image = vtk.vtkImageData()
    image.SetDimensions(width, height, 1)
    # VTK's first row is the bottom one.
    flat = np.ascontiguousarray(pixels[::-1]).reshape(-1, 3)
    image.GetPointData().SetScalars(numpy_to_vtk(flat, deep=True))
    writer = vtk.vtkPNGWriter()
    writer.SetInputData(image)
    writer.WriteToMemoryOn()
    # Fast: the bytes go no farther than to a widget.
    writer.SetCompressionLevel(1)
    writer.Write()
    return bytes(vtk_to_numpy(writer.GetResult()).tobytes())
