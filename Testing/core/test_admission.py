"""The checks that are shared by all formats."""

import os
import socket
import subprocess
import sys

import numpy as np
import psutil
import pytest

from SegmentationAILib.core import admission, memory_budget
from SegmentationAILib.core.admission import (
    check_available,
    check_sizes,
    check_spacing,
    checked_affine,
    is_sheared,
    non_finite_note,
    open_regular,
    shown_name,
)
from SegmentationAILib.core.errors import FileFormatError, GeometryError, MemoryBudgetError

from phantoms import oblique_affine


def test_a_regular_file_is_opened_at_its_beginning(tmp_path):
    path = tmp_path / "a volume; rm -ü.nii"
    path.write_bytes(b"content")
    with open_regular(path) as file:
        assert file.read() == b"content"


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "is not there"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.mkdir(), "is a folder"),
        (os.mkfifo, "is a pipe"),
        (make_socket, "cannot be opened"),
        (lambda path: path.symlink_to(path), "leads to itself"),
        (lambda path: path.symlink_to("/dev/zero"), "a device"),
    ],
)
def test_what_is_no_file_with_content_is_refused_by_name(tmp_path, make, sentence):
    path = tmp_path / "scan.nii"
    make(path)
    with pytest.raises(FileFormatError, match=rf"^scan\.nii .*{sentence}"):
        open_regular(path)


def test_a_name_in_a_message_is_printable_and_short(tmp_path):
    assert shown_name(tmp_path / "a\n\x1b[31m\u202ename.nii") == "a??[31m?name.nii"
    assert len(shown_name(tmp_path / ("x" * 300 + ".nii"))) < 90


def test_sizes_are_multiplied_without_overflow(monkeypatch):
    monkeypatch.setattr(admission, "memory_budget_bytes", lambda: 1000)
    assert check_sizes((10, 10, 5, 1), 2, "a") == 1000
    with pytest.raises(MemoryBudgetError, match="10 x 10 x 5 x 1 voxels"):
        check_sizes((10, 10, 5, 1), 3, "a")
    for sizes in ((2**32, 2**32, 1), (2**21, 2**21, 2**22), (65536, 65536, 65536, 65536)):
        with pytest.raises(MemoryBudgetError):
            check_sizes(sizes, 1, "a")


@pytest.mark.parametrize("sizes", [(), (0, 1, 1), (5, -1, 3), (1, 1, 1, 1, 1)])
def test_empty_negative_and_too_many_axes_are_refused(sizes):
    with pytest.raises(FileFormatError, match="claims sizes"):
        check_sizes(sizes, 1, "a")


def test_claims_beyond_what_the_file_can_give_are_refused():
    check_available(10, 10, "a")
    with pytest.raises(FileFormatError, match="claims 11 bytes of voxels and can hold 10"):
        check_available(11, 10, "a")


@pytest.mark.parametrize("spacing", [0.0, -1.0, 1e-12, 1e12, np.nan, np.inf])
def test_a_spacing_that_no_scan_has_is_refused(spacing):
    check_spacing((4e-6, 0.5, 50.0), "a")
    with pytest.raises(GeometryError, match="voxel spacing"):
        check_spacing((1.0, spacing, 1.0), "a")


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        ((np.nan, 0, 0), "not finite"),
        ((np.inf, 0, 0), "not finite"),
        ((0, 0, 0), "voxel spacing"),
        ((1e200, 1e200, 0), "voxel spacing"),
        ((1, 1e-9, 0), "singular"),
    ],
)
def test_an_affine_that_places_nothing_is_refused(column, sentence):
    affine = np.eye(4)
    affine[:3, 0] = (1, 0, 0)
    affine[:3, 1] = column
    with pytest.raises(GeometryError, match=sentence):
        checked_affine(affine, "a")


def test_a_good_affine_passes_unchanged():
    assert np.array_equal(checked_affine(oblique_affine(), "a"), oblique_affine())


def test_rounding_is_no_shear_and_half_a_degree_is():
    affine = oblique_affine()
    assert not is_sheared(affine)
    rounded = affine.copy()
    rounded[:3, :3] *= 1 + 1e-6 * np.arange(9).reshape(3, 3)
    assert not is_sheared(rounded)
    tilted = affine.copy()
    tilted[:3, 2] += np.tan(np.radians(0.5)) * 2.5 * affine[:3, 1] / 1.3
    assert is_sheared(tilted)


def test_non_finite_voxels_are_counted():
    voxels = np.zeros((2, 30, 40, 50), np.float32, order="F")
    assert non_finite_note(voxels) == ()
    voxels[0, 3, 4, 5], voxels[1, 2, 2, 2], voxels[1, 0, 0, 0] = np.nan, np.inf, -np.inf
    assert non_finite_note(voxels) == ("3 of 120000 voxels are not finite (NaN or infinite).",)
    assert non_finite_note(np.full((1, 9, 9, 9), 1.7e308)) == ()
    assert non_finite_note(np.zeros((1, 2, 2, 2), np.int16)) == ()


def test_the_budget_is_half_of_the_least_that_is_free(monkeypatch, tmp_path):
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("900000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 100000\n")
    monkeypatch.setattr(memory_budget, "CGROUP", tmp_path)
    assert memory_budget.memory_budget_bytes() == 100_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_budget.memory_budget_bytes() > 10_000_000


def test_what_the_machine_has_free_is_read_from_the_system_or_else_asked_for(monkeypatch, tmp_path):
    monkeypatch.setattr(memory_budget, "CGROUP", tmp_path)
    monkeypatch.setattr(memory_budget, "_free_under_limit", lambda: None)
    monkeypatch.setattr(memory_budget, "MEMORY", tmp_path / "meminfo")
    asked = psutil.virtual_memory().available
    assert memory_budget.free_memory_bytes() == pytest.approx(asked, rel=0.3)
    said = b"MemTotal:       24688888 kB\nMemFree:         1 kB\nMemAvailable:       4096 kB\n"
    (tmp_path / "meminfo").write_bytes(said)
    assert memory_budget.free_memory_bytes() == 4 << 20


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on the address space there")
def test_the_budget_respects_the_limit_of_the_process():
    code = (
        "import resource; from SegmentationAILib.core.memory_budget import free_memory_bytes as f;"
        "resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30)); print(f())"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    free = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, env=environment
    )
    assert 0 < int(free.stdout) < 2 << 30
