"""The cache of prepared cases: the same voxels, made once, never torn, its owner's alone."""

import os
import stat
from dataclasses import replace

import numpy as np
import pytest
from learn.test_prepare_case import sphere_plan
from training_sets import sphere_case, write_spheres

from SegmentationAILib.core.errors import Cancelled, FileFormatError, SegmentationAIError
from SegmentationAILib.core.files import write_volume
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.learn import case_cache
from SegmentationAILib.learn.case_cache import CaseCache
from SegmentationAILib.learn.dataset import read_dataset
from SegmentationAILib.learn.patch_sampler import PatchSampler
from SegmentationAILib.networks.card import Intensity
from SegmentationAILib.scene.kept_data import delete_part, kept_parts


@pytest.fixture
def a_set(tmp_path):
    return read_dataset(write_spheres(tmp_path / "set", 3))


@pytest.fixture
def a_cache(tmp_path, monkeypatch):
    """A cache that counts in ``made`` how many cases were prepared rather than read."""
    cache = CaseCache(tmp_path / "home")
    cache.made = []
    original = case_cache.prepared_case

    def counted(case_id, *arguments):
        cache.made.append(case_id)
        return original(case_id, *arguments)

    monkeypatch.setattr(case_cache, "prepared_case", counted)
    return cache


def all_of(cache, dataset, plan, **options):
    return list(cache.prepare_all(dataset, dataset.cases, plan, **options))


@pytest.mark.parametrize("mapped", [False, True])
def test_a_case_from_the_cache_equals_the_one_that_was_prepared(a_set, a_cache, mapped):
    plan = sphere_plan()
    first = all_of(a_cache, a_set, plan)
    again = all_of(a_cache, a_set, plan, mapped=mapped)
    assert a_cache.made == ["case_1", "case_2", "case_3"]
    for one, other in zip(first, again, strict=True):
        assert (one.id, one.padding) == (other.id, other.padding)
        assert one.array.tobytes() == other.array.tobytes()
        assert one.channels.tobytes() == other.channels.tobytes()
        assert isinstance(other.array, np.memmap) == mapped


def test_what_would_fill_the_memory_stays_on_the_disk(a_set, a_cache, monkeypatch):
    plan = sphere_plan()
    whole = all_of(a_cache, a_set, plan)
    assert not any(isinstance(case.array, np.memmap) for case in whole)
    bytes_of_one = whole[0].array.nbytes + whole[0].channels.nbytes
    monkeypatch.setattr(case_cache, "free_memory_bytes", lambda: int(4 * 1.5 * bytes_of_one))
    part = all_of(a_cache, a_set, plan)
    assert [isinstance(case.array, np.memmap) for case in part] == [False, False, True]
    assert part[2].array.tobytes() == whole[2].array.tobytes()
    wanted = replace(plan, patch_size=(8, 8, 8), batch_size=3)
    patches = [PatchSampler(cases, wanted).batch(4, (8, 8, 8), 3) for cases in (whole, part)]
    assert np.array_equal(patches[0].patches.numpy(), patches[1].patches.numpy())


def test_what_changes_the_voxels_makes_another_entry_and_what_does_not_does_not(a_set, a_cache):
    plan = sphere_plan()
    all_of(a_cache, a_set, plan)
    other_training = replace(plan, epochs=3, learning_rate=1e-2, seed=5, patch_size=(8, 8, 8))
    all_of(a_cache, a_set, other_training)
    assert len(a_cache.made) == 3
    for changed in (
        replace(plan, spacing_mm=(1.0, 1.2, 1.9)),
        replace(plan, orientation="RAS"),
        replace(plan, intensity=Intensity("minmax")),
        replace(plan, labels=plan.labels[::-1]),
        replace(plan, conventions="nnunet"),
    ):
        a_cache.made.clear()
        all_of(a_cache, a_set, changed)
        assert len(a_cache.made) == 3


def test_a_file_that_changed_is_prepared_again_whatever_its_date_says(a_set, a_cache):
    plan = sphere_plan()
    all_of(a_cache, a_set, plan)
    (changed,) = a_set.cases[0].volumes
    times = changed.stat()
    write_volume(sphere_case(9)[0], changed)
    os.utime(changed, ns=(times.st_atime_ns, times.st_mtime_ns))
    a_cache.made.clear()
    all_of(a_cache, a_set, plan)
    assert a_cache.made == ["case_1"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-7],
        lambda data: b"",
        lambda data: data[:2000] + bytes([data[2000] ^ 1]) + data[2001:],
        lambda data: b"\xff" * 100,
    ],
    ids=["torn", "empty", "one bit", "nonsense"],
)
@pytest.mark.parametrize("mapped", [False, True])
def test_a_damaged_entry_is_made_again(a_set, a_cache, damage, mapped):
    plan, files = sphere_plan(), a_set.cases[0]
    good = a_cache.prepared(a_set, files, plan)
    (path,) = a_cache.folder.glob("*/*")
    path.write_bytes(damage(path.read_bytes()))
    again = a_cache.prepared(a_set, files, plan, mapped=mapped)
    assert again.array.tobytes() == good.array.tobytes()
    assert len(a_cache.made) == 2
    a_cache.prepared(a_set, files, plan, mapped=mapped)
    assert len(a_cache.made) == 2


def test_a_run_that_was_stopped_goes_on_where_it_was(a_set, a_cache):
    def cancel(fraction, sentence):
        if sentence.startswith("Preparing case 3"):
            raise Cancelled

    with pytest.raises(Cancelled):
        all_of(a_cache, a_set, sphere_plan(), progress=Progress(cancel))
    all_of(a_cache, a_set, sphere_plan())
    assert a_cache.made == ["case_1", "case_2", "case_3"]


def test_entries_are_private_nameless_listed_and_deletable(a_set, a_cache):
    all_of(a_cache, a_set, sphere_plan())
    paths = [a_cache.folder, *a_cache.folder.rglob("*")]
    for path in paths:
        assert stat.S_IMODE(path.stat().st_mode) in (0o600, 0o700)
        assert "case" not in path.name
    assert len(a_cache.entries()) == 3
    assert a_cache.size_bytes == sum(p.stat().st_size for p in paths if p.is_file())
    assert a_cache.clear() > 3 * 22 * 18 * 12 * 4
    assert a_cache.entries() == ()


def test_the_settings_list_and_delete_what_is_kept(a_set, a_cache):
    all_of(a_cache, a_set, sphere_plan())
    home = a_cache.folder.parent
    (part,) = kept_parts(home)
    assert (part.title, part.size_bytes) == ("Prepared training cases", a_cache.size_bytes)
    delete_part(home, part.key)
    assert kept_parts(home) == ()
    assert a_cache.entries() == ()


def test_a_full_disk_is_told_in_a_sentence_and_leaves_nothing(a_set, a_cache, monkeypatch):
    def full(arrays):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("SegmentationAILib.learn.cached_case.save", full)
    with pytest.raises(SegmentationAIError, match="no space left for prepared cases"):
        a_cache.prepared(a_set, a_set.cases[0], sphere_plan())
    assert not [path for path in a_cache.folder.rglob("*") if path.is_file()]


def test_a_missing_file_is_named(a_set, a_cache):
    a_set.cases[0].label.unlink()
    with pytest.raises(FileFormatError, match=r"case_1\.nii\.gz cannot be read"):
        a_cache.prepared(a_set, a_set.cases[0], sphere_plan())
