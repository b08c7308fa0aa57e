"""Opening and reading a study: nothing that its files say is trusted blindly."""

import sqlite3

import pytest
from study_files import made_study, truth

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.learn.study.records import Making
from SegmentationAILib.learn.study.study import open_study
from SegmentationAILib.learn.study.versions import NewVersion, add_version, read_version


@pytest.fixture
def the_study(tmp_path):
    return made_study(tmp_path, 2)


def change(study, statement, *values):
    """Change the index as another program would, its triggers taken out and put back."""
    connection = sqlite3.connect(study.index)
    with connection:
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement, values)
        for _, sql in triggers:
            connection.execute(sql)
    connection.close()


def test_a_folder_without_an_index_is_no_study(tmp_path):
    with pytest.raises(SegmentationAIError, match="is not a study"):
        open_study(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_another_program_is_refused(the_study):
    the_study.index.unlink()
    sqlite3.connect(the_study.index).execute("CREATE TABLE bookmarks (url TEXT)").close()
    with pytest.raises(SegmentationAIError, match="made by another program"):
        open_study(the_study.folder)


def test_an_index_that_is_no_database_is_refused(the_study):
    the_study.index.write_bytes(b"<html>" * 1000)
    with pytest.raises(SegmentationAIError, match="damaged"):
        open_study(the_study.folder)


def test_an_index_with_a_flipped_page_is_refused_or_reads_the_same(the_study):
    content = bytearray(the_study.index.read_bytes())
    for position in range(4096, len(content), 4096):
        bad = content.copy()
        bad[position : position + 64] = b"\xff" * 64
        the_study.index.write_bytes(bad)
        with pytest.raises(SegmentationAIError, match=r"damaged|other tables"):
            open_study(the_study.folder)


@pytest.mark.parametrize("statement", [
    "CREATE TRIGGER theirs AFTER INSERT ON versions BEGIN DELETE FROM facts; END",
    "CREATE VIEW theirs AS SELECT * FROM cases",
    "DROP TRIGGER versions_delete",
])  # fmt: skip
def test_an_index_with_other_definitions_is_refused(the_study, statement):
    connection = sqlite3.connect(the_study.index)
    connection.execute(statement)
    connection.close()
    with pytest.raises(SegmentationAIError, match="other tables"):
        open_study(the_study.folder)


def test_a_newer_format_is_refused_by_its_number(the_study):
    connection = sqlite3.connect(the_study.index)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(SegmentationAIError, match="format 9"):
        open_study(the_study.folder)


@pytest.mark.parametrize("statement", [
    "UPDATE versions SET number = 7", "DELETE FROM versions", "DELETE FROM files",
    "UPDATE files SET sha256 = ''",
])  # fmt: skip
def test_the_database_itself_refuses_to_change_a_version(the_study, statement):
    connection = sqlite3.connect(the_study.index)
    with pytest.raises(sqlite3.IntegrityError, match="kept as they are"):
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize("name", ["../../secret.seg.nrrd", "/etc/passwd", "0001/x.seg.nrrd"])
def test_a_label_file_outside_the_study_is_not_opened(the_study, name):
    change(the_study, "UPDATE files SET name = ? WHERE case_key = 1", name)
    with pytest.raises(SegmentationAIError, match="cannot be one of its own"):
        read_version(the_study, the_study.current_version("case 0"))


@pytest.mark.parametrize("name", ["../x.nii.gz", "/etc/passwd", "..", "a/b.nii"])
def test_a_volume_outside_its_folder_is_not_opened(the_study, name):
    change(the_study, "UPDATE cases SET volume = ? WHERE key = 1", name)
    with pytest.raises(SegmentationAIError, match="leads out of its folder"):
        the_study.volume_path(the_study.case("case 0"))


def test_a_label_file_that_was_changed_is_not_read(the_study):
    version = the_study.current_version("case 0")
    path = the_study.file(version)
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    with pytest.raises(SegmentationAIError, match="changed by something else"):
        read_version(the_study, version)


def test_a_state_that_cannot_be_is_refused(the_study):
    change(the_study, "UPDATE cases SET state = 'perfect' WHERE key = 1")
    with pytest.raises(SegmentationAIError, match="perfect"):
        the_study.cases()


def test_text_that_looks_like_sql_is_text(the_study):
    name = "Anna'); DROP TABLE cases; --"
    add_version(the_study, "case 0", NewVersion(truth(0), Making("accepted", name)), 1)
    assert open_study(the_study.folder).current_version("case 0").making.who == name
    with pytest.raises(SegmentationAIError, match="There is no case"):
        the_study.case("case 0' OR '1'='1")


def test_files_that_the_index_does_not_know_are_set_aside_and_kept(the_study):
    labels = the_study.folder / "labels" / "0001"
    (labels / "0002-labels-0123456789abcdef.seg.nrrd").write_bytes(b"a kill came in between")
    (labels / ".segmentationai-0123.seg.nrrd").write_bytes(b"half a file")
    again = open_study(the_study.folder)
    assert again.set_aside == 1
    assert len(list(labels.iterdir())) == 1
    (kept,) = (the_study.folder / "orphans").iterdir()
    assert kept.read_bytes() == b"a kill came in between"
    assert open_study(the_study.folder).set_aside == 0
