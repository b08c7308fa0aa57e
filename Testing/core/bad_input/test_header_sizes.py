"""Cases 7 to 9: sizes that a header claims and no file can have."""

import time

import numpy as np
import pytest
from foreign_files import metaimage_bytes, mgh_bytes, nifti2_bytes, nifti_bytes, some_voxels


def with_dim(*dim) -> bytes:
    return nifti_bytes(some_voxels(), dim=(*dim, *(1,) * (8 - len(dim))))


def test_case_7_thirty_thousand_cubed_in_a_small_file(read, refuse):
    """Case 7: refused before anything is allocated. Twin: the sizes that the file has."""
    start = time.monotonic()
    assert "claims 54000000000000 bytes" in refuse(with_dim(3, 30000, 30000, 30000))
    sizes = "30000 30000 30000"
    assert "claims 54000000000000" in refuse(metaimage_bytes(DimSize=sizes), "scan.mha")
    assert "claims 54000000000000" in refuse(mgh_bytes(sizes=(30000,) * 3), "scan.mgz")
    assert time.monotonic() - start < 2
    assert np.array_equal(read(with_dim(3, 5, 4, 3)).voxels[0], some_voxels())


@pytest.mark.parametrize(
    "dim",
    [(3, -5, 4, 3), (3, 0, 4, 3), (3, 5, 4, 0), (9, 5, 4, 3), (0, 5, 4, 3), (-3, 5, 4, 3),
     (4, 5, 4, 3, 0), (7, 5, 2, 1, 2, 1, 1, 3), (5, 5, 1, 1, 2, 6)],
)  # fmt: skip
def test_case_8_negative_zero_and_nine_dimensional_sizes(refuse, dim):
    """Case 8: each is refused by its numbers."""
    assert any(word in refuse(with_dim(*dim)) for word in ("claims sizes", "axes"))


def test_case_8_sizes_beyond_the_claimed_axes_are_of_no_account(read):
    """Case 8, twin: the standard leaves unused sizes open, and singleton axes are sizes."""
    assert np.array_equal(read(with_dim(3, 5, 4, 3, 0, -7, 99)).voxels[0], some_voxels())
    assert np.array_equal(read(with_dim(7, 5, 4, 3, 1, 1, 1, 1)).voxels[0], some_voxels())


@pytest.mark.parametrize(
    "sizes",
    [(65536, 65536, 1), (2**21, 2**21, 2**22), (2**32, 2**32, 1), (2**40, 2**20, 2**10),
     (2**62, 2, 1)],
)  # fmt: skip
def test_case_9_products_that_overflow_32_and_64_bits(read, refuse, sizes):
    """Case 9: products are of Python integers; wrapped ones would be 0 or small.

    Twin: the same header with the sizes that the file has.
    """
    assert "claims" in refuse(nifti2_bytes(some_voxels(), dim=(3, *sizes, 1, 1, 1, 1)))
    text = " ".join(str(n) for n in sizes)
    refuse(metaimage_bytes(DimSize=text), "scan.mha")
    volume = read(nifti2_bytes(some_voxels(), dim=(3, 5, 4, 3, 1, 1, 1, 1)))
    assert np.array_equal(volume.voxels[0], some_voxels())
