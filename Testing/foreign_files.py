"""Foreign volume files made by hand, byte by byte, from the formats' own documents.

Nothing here calls the code under test or another reader, so a test knows what a file says.
"""

import gzip
import struct
import zlib

import numpy as np

IDENTITY = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0)
NIFTI_CODES = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64, "i1": 256, "u2": 512}


def some_voxels(shape=(5, 4, 3), dtype="i2", seed=3) -> np.ndarray:
    """Random voxels ``(I, J, K)``, no two axes alike."""
    return np.random.default_rng(seed).integers(0, 100, shape).astype(dtype)


def nifti_bytes(
    voxels=None,
    *,
    order="<",
    dim=None,
    datatype=None,
    pixdim=(1.0,) * 8,
    vox_offset=352.0,
    slope=1.0,
    inter=0.0,
    units=2,
    qform_code=0,
    sform_code=1,
    quatern=(0.0, 0.0, 0.0),
    qoffset=(0.0, 0.0, 0.0),
    srow=IDENTITY,
    magic=b"n+1\0",
    data=None,
) -> bytes:
    """A NIfTI-1 file; every field may be given a value that no writer would give it."""
    voxels = some_voxels() if voxels is None else voxels
    code = NIFTI_CODES[voxels.dtype.str[1:]] if datatype is None else datatype
    if dim is None:
        dim = (voxels.ndim, *voxels.shape, *(1,) * (7 - voxels.ndim))
    header = bytearray(352)
    struct.pack_into(order + "i", header, 0, 348)
    struct.pack_into(order + "8h", header, 40, *dim)
    struct.pack_into(order + "hh", header, 70, code, 8 * voxels.dtype.itemsize)
    struct.pack_into(order + "8f", header, 76, *pixdim)
    struct.pack_into(order + "fff", header, 108, vox_offset, slope, inter)
    header[123] = units
    struct.pack_into(order + "hh", header, 252, qform_code, sform_code)
    struct.pack_into(order + "18f", header, 256, *quatern, *qoffset, *srow)
    header[344:348] = magic
    if data is None:
        data = voxels.astype(voxels.dtype.newbyteorder(order)).tobytes(order="F")
    return bytes(header) + data


def nifti2_bytes(voxels, order="<", srow=IDENTITY, dim=None) -> bytes:
    """A NIfTI-2 file."""
    header = bytearray(544)
    code = NIFTI_CODES[voxels.dtype.str[1:]]
    if dim is None:
        dim = (3, *voxels.shape, 1, 1, 1, 1)
    struct.pack_into(
        order + "i8shh", header, 0, 540, b"n+2\0\r\n\x1a\n", code, 8 * voxels.dtype.itemsize
    )
    struct.pack_into(order + "8q", header, 16, *dim)
    struct.pack_into(order + "8d", header, 104, *(1.0,) * 8)
    struct.pack_into(order + "qdd", header, 168, 544, 1.0, 0.0)
    struct.pack_into(order + "ii", header, 344, 0, 1)
    struct.pack_into(order + "12d", header, 400, *srow)
    struct.pack_into(order + "i", header, 500, 2)
    return bytes(header) + voxels.astype(voxels.dtype.newbyteorder(order)).tobytes(order="F")


def metaimage_bytes(voxels=None, *, compressed=False, big=False, data=None, **changes) -> bytes:
    """A MetaImage file; ``changes`` set header lines, None takes one out."""
    voxels = some_voxels() if voxels is None else voxels
    element = {"u1": "MET_UCHAR", "i2": "MET_SHORT", "u2": "MET_USHORT", "f4": "MET_FLOAT"}
    if data is None:
        data = voxels.astype(voxels.dtype.newbyteorder(">" if big else "<")).tobytes(order="F")
        data = zlib.compress(data) if compressed else data
    lines = {
        "ObjectType": "Image",
        "NDims": voxels.ndim,
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": big,
        "CompressedData": compressed,
        "CompressedDataSize": len(data) if compressed else None,
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": "0 0 0",
        "CenterOfRotation": "0 0 0",
        "ElementSpacing": "1 1 1",
        "DimSize": " ".join(str(n) for n in voxels.shape),
        "ElementType": element[voxels.dtype.str[1:]],
        **changes,
        "ElementDataFile": changes.get("ElementDataFile", "LOCAL"),
    }
    text = "".join(f"{key} = {value}\n" for key, value in lines.items() if value is not None)
    return text.encode("utf-8") + data


def nrrd_bytes(voxels=None, *, compressed=False, components=0, data=None, **changes) -> bytes:
    """An NRRD file in LPS; ``changes`` set header lines (``space_origin=...``), None takes one out.

    With ``components`` each voxel is repeated as often along a vector axis that comes first.
    """
    voxels = some_voxels() if voxels is None else voxels
    types = {"u1": "unsigned char", "i2": "short", "u2": "unsigned short", "f4": "float"}
    stored = np.stack([voxels] * components) if components else voxels
    if data is None:
        data = stored.astype(stored.dtype.newbyteorder("<")).tobytes(order="F")
        data = gzip.compress(data, mtime=0) if compressed else data
    vector = ("none ", "vector ") if components else ("", "")
    lines = {
        "type": types[voxels.dtype.str[1:]],
        "dimension": stored.ndim,
        "space": "left-posterior-superior",
        "sizes": " ".join(str(n) for n in stored.shape),
        "space_directions": vector[0] + "(1,0,0) (0,1,0) (0,0,1)",
        "kinds": vector[1] + "domain domain domain",
        "endian": "little",
        "encoding": "gzip" if compressed else "raw",
        "space_origin": "(0,0,0)",
        **changes,
    }
    text = "".join(
        f"{key.replace('_', ' ')}: {value}\n" for key, value in lines.items() if value is not None
    )
    return f"NRRD0004\n{text}\n".encode() + data


def mgh_bytes(
    voxels=None,
    *,
    sizes=None,
    frames=1,
    code=None,
    version=1,
    is_placed=1,
    spacing=(1.0, 1.0, 1.0),
    directions=(-1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0),
    center=(0.0, 0.0, 0.0),
    tail=b"",
) -> bytes:
    """An MGH file, uncompressed; directions are those of the three axes, one after the other."""
    voxels = some_voxels() if voxels is None else voxels
    code = {"u1": 0, "i4": 1, "f4": 3, "i2": 4}[voxels.dtype.str[1:]] if code is None else code
    header = struct.pack(
        ">7ih15f",
        version,
        *(voxels.shape if sizes is None else sizes),
        frames,
        code,
        0,
        is_placed,
        *spacing,
        *directions,
        *center,
    ).ljust(284, b"\0")
    return header + voxels.astype(voxels.dtype.newbyteorder(">")).tobytes(order="F") + tail


def gzipped(content: bytes) -> bytes:
    """One gzip member."""
    return gzip.compress(content, mtime=0)
