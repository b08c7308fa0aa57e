"""Voxels between numpy ``(I, J, K)`` and VTK, sharing memory wherever the layout allows.

VTK stores the first axis fastest: exactly a Fortran-ordered ``(I, J, K)`` array. Such arrays are
shared in both directions; any other layout is copied once.
"""

import numpy as np
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import create_vtk_array, get_vtk_array_type, vtk_to_numpy

from ..core.volume import Array


def voxels_from_image(image: vtk.vtkImageData) -> Array:
    """Return the voxels of a VTK image as ``(C, I, J, K)``: a view, no copy.

    The view keeps VTK's memory alive and sees changes that are made to it later.

    Args:
        image: Has scalars; its extent may start anywhere, the array starts at its first voxel.
    """
    i, j, k = image.GetDimensions()
    scalars = image.GetPointData().GetScalars()
    kji = vtk_to_numpy(scalars).reshape(k, j, i, scalars.GetNumberOfComponents())
    voxels: Array = kji.transpose(3, 2, 1, 0)
    return voxels


def scalars_from_voxels(voxels: Array) -> vtk.vtkDataArray:
    """Return voxels ``(C, I, J, K)`` as a VTK array with one component per channel.

    One channel in Fortran order, or several with the channel fastest, writable and of a dtype that
    VTK knows are shared: VTK then reads and writes the memory of the numpy array, and keeps it
    alive for as long as the VTK array lives, whatever happens to the Python objects. Everything
    else is copied.

    Args:
        voxels: Any real dtype; bool and half precision are widened, VTK has neither.
    """
    kjic = voxels.transpose(3, 2, 1, 0)
    rows = _vtk_typed(kjic).reshape(-1, voxels.shape[0])
    if not rows.flags.writeable or not rows.flags.c_contiguous:
        rows = rows.copy(order="C")
    array = create_vtk_array(get_vtk_array_type(rows.dtype))
    array.SetNumberOfComponents(rows.shape[1])
    vtk_does_not_free_it = 1
    array.SetVoidArray(rows.reshape(-1), rows.size, vtk_does_not_free_it)
    # The observer owns the memory: it goes when VTK's array goes. `numpy_to_vtk` hangs it on the
    # Python wrapper instead, which keeps a removed volume in memory until the next such call.
    array.AddObserver("DeleteEvent", lambda *_, kept_alive=rows: None)
    return array


def _vtk_typed(voxels: Array) -> NDArray[np.generic]:
    """Return the array in native byte order and a dtype that VTK has."""
    dtype = voxels.dtype.newbyteorder("=")
    if dtype == np.bool_:
        dtype = np.dtype(np.uint8)
    elif dtype == np.float16:
        dtype = np.dtype(np.float32)
    return voxels.astype(dtype, copy=False)
