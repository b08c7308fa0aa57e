import pytest

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.scene.kept_data import delete_part, kept_parts, remove_network


@pytest.fixture
def a_full_home(a_home):
    for name, size in (("networks/one/weights.safetensors", 1000), ("journal/a.journal", 30)):
        path = a_home / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x" * size)
    (a_home / "networks" / "link").symlink_to(a_home / "journal" / "a.journal")
    return a_home


def test_sizes_are_those_of_the_files_and_links_count_nothing(a_full_home):
    assert [(p.key, p.size_bytes, p.can_be_deleted) for p in kept_parts(a_full_home)] == [
        ("networks", 1000, True),
        ("journal", 30, False),
    ]


def test_a_part_goes_whole_and_the_rest_stays(a_full_home):
    delete_part(a_full_home, "networks")
    assert [path.name for path in a_full_home.iterdir()] == ["journal"]


@pytest.mark.parametrize("key", ["journal", "..", "", "environment"])
def test_work_and_strange_names_are_never_deleted(a_full_home, key):
    with pytest.raises(SegmentationAIError, match="cannot be deleted here"):
        delete_part(a_full_home, key)
    assert (a_full_home / "journal" / "a.journal").exists()


def test_one_network_is_removed_and_its_neighbor_stays(a_full_home):
    (a_full_home / "networks" / "two").mkdir()
    remove_network(a_full_home, "one")
    assert not (a_full_home / "networks" / "one").exists()
    assert (a_full_home / "networks" / "two").exists()
    for name in ("one", "..", ".", ""):
        with pytest.raises(SegmentationAIError, match="is not installed"):
            remove_network(a_full_home, name)
