"""The label table beside one-layer files: complete, strict, inert; case 49 among others."""

import json
import os

import numpy as np
import pytest

from SegmentationAILib.core.errors import FileFormatError
from SegmentationAILib.core.files import read_labelmap, write_labelmap
from SegmentationAILib.core.formats.label_sidecar import read_sidecar, sidecar_path, sidecar_text
from SegmentationAILib.core.labelmap import Label, Labelmap, Provenance
from SegmentationAILib.core.shown_text import shown_names, shown_text
from SegmentationAILib.core.terminology import ANATOMICAL_STRUCTURE, Code, Terminology

KIDNEY = Terminology(
    ANATOMICAL_STRUCTURE,
    Code("SCT", "64033007", "Kidney"),
    Code("SCT", "7771000", "Left"),
    region=Code("SCT", "1", "Somewhere ~ ^ odd"),
    category_context="my own list",
)
LABELS = (
    Label(
        7, "left kidney", (0.25, 1 / 3, 1.0), KIDNEY, 0, "K", "flagged",
        Provenance("corrected", "torso", "ab" * 32, 2, "2026-02-03T04:05:06Z"), (("Mine", "a|b"),),
    ),
    Label(300, "肝 <b>", (0.0, 0.5, 1.0)),
)  # fmt: skip
HOSTILE_NAMES = [
    "<script>alert(1)</script>",
    "line\nbreak\r\ttab\0null",
    "liver" * 2000,
    "liver",
    "liver",
    "\u202egpj.exe",
    "",
    "\ud800",
]


def a_table(path, **changes):
    table = json.loads(sidecar_text(LABELS)) | changes
    path.write_text(json.dumps(table), encoding="utf-8")
    return path


def test_a_table_survives_to_the_last_digit(tmp_path):
    path = tmp_path / "x.labels.json"
    path.write_text(sidecar_text(LABELS), encoding="utf-8")
    assert read_sidecar(path) == LABELS


def test_the_table_lies_beside_the_file_under_its_name(tmp_path):
    for name, ending in (("liver.nii.gz", ".nii.gz"), ("a.b.mha", ".mha"), ("X.NRRD", ".nrrd")):
        found = sidecar_path(tmp_path / name, ending)
        assert found == tmp_path / f"{name[: -len(ending)]}.labels.json"


def test_names_alone_as_other_programs_write_them_are_read(tmp_path):
    path = tmp_path / "x.labels.json"
    path.write_text('{"0": "background", "1": "spleen", "12": "liver"}')
    assert [(row.value, row.name) for row in read_sidecar(path)] == [(1, "spleen"), (12, "liver")]


def row_with(**changes):
    return [{"value": 7, "name": "x", **changes}]


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "another"},
        {"version": 2},
        {"version": "1"},
        {"extra": 1},
        {"endings": ".nii"},
        {"endings": [1]},
        {"endings": ["/../x.nii"]},
        {"labels": {}},
        {"labels": [7]},
        {"labels": row_with(value=0)},
        {"labels": row_with(value=-1)},
        {"labels": row_with(value=1.0)},
        {"labels": row_with(value="7")},
        {"labels": row_with(value=True)},
        {"labels": row_with(value=2**32)},
        {"labels": row_with(name=None)},
        {"labels": row_with(name=["x"])},
        {"labels": row_with(name="x" * 70_000)},
        {"labels": row_with(color=None)},
        {"labels": row_with(color=3)},
        {"labels": row_with(color="red")},
        {"labels": row_with(color=[0, 0])},
        {"labels": row_with(color=[0, 0, 2])},
        {"labels": row_with(color=[0, 0, "0"])},
        {"labels": row_with(color=[0, 0, True])},
        {"labels": row_with(status="done")},
        {"labels": row_with(status=["flagged"])},
        {"labels": row_with(tags=["x"])},
        {"labels": row_with(tags={"x": 1})},
        {"labels": row_with(terminology="liver")},
        {"labels": row_with(terminology={"category": {}})},
        {"labels": row_with(terminology={"category": {}, "type": {"scheme": 1}})},
        {"labels": row_with(terminology={"category": {}, "type": {"other": ""}})},
        {"labels": row_with(provenance={"origin": "invented"})},
        {"labels": row_with(provenance={"origin": "weak", "iteration": -1})},
        {"labels": row_with(provenance={"origin": "weak", "iteration": True})},
        {"labels": row_with(provenance={"origin": "weak", "__class__": "x"})},
        {"labels": row_with(layer=1)},
        {"labels": [*row_with(), *row_with()]},
    ],
    ids=lambda changes: json.dumps(changes)[:60],
)
def test_a_table_of_another_form_is_refused_by_name(tmp_path, changes):
    path = a_table(tmp_path / "x.labels.json", **changes)
    with pytest.raises(FileFormatError, match=r"x\.labels\.json was refused"):
        read_sidecar(path)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"1": "a", "1": "b"}',
        b'{"1": "a", "01": "b"}',
        b'{"x": "a"}',
        b'{"-1": "a"}',
        b'{"99999999999999999999": "a"}',
        '{"²": "a"}'.encode(),
        b'{"1": NaN}',
        b'{"1": 1}',
        b"[" * 100_000,
        b" " * (17 << 20),
    ],
    ids=lambda text: repr(text[:20]),
)
def test_what_is_no_table_is_refused_by_name(tmp_path, text):
    path = tmp_path / "x.labels.json"
    path.write_bytes(text)
    with pytest.raises(FileFormatError, match=r"x\.labels\.json"):
        read_sidecar(path)


def test_a_folder_a_pipe_and_a_dangling_link_are_refused_and_not_waited_for(tmp_path):
    labelmap = Labelmap((np.ones((3, 4, 5), np.uint8),), (Label(1, "x"),), np.eye(4))
    write_labelmap(labelmap, tmp_path / "x.nii")
    table = tmp_path / "x.labels.json"
    for make in (table.mkdir, lambda: os.mkfifo(table), lambda: table.symlink_to("nowhere")):
        if table.is_dir():
            table.rmdir()
        else:
            table.unlink()
        make()
        with pytest.raises(FileFormatError, match=r"x\.labels\.json"):
            read_labelmap(tmp_path / "x.nii")


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha", ".seg.nrrd"])
def test_case_49_hostile_names_are_kept_as_text_and_shown_escaped_and_unique(tmp_path, ending):
    layer = np.arange(60, dtype=np.uint8).reshape(3, 4, 5) % 9
    labels = [Label(value + 1, name) for value, name in enumerate(HOSTILE_NAMES[:-1])]
    write_labelmap(Labelmap((layer,), tuple(labels), np.eye(4)), tmp_path / f"x{ending}")
    names = [row.name for row in read_labelmap(tmp_path / f"x{ending}").labels]
    shown = shown_names(names)
    assert len(set(shown)) == len(names) == 8
    for text in shown:
        assert text.isprintable()
        assert len(text) <= 140
        assert not set(text) & set("<>\u202e")
    assert shown[0] == "‹script›alert(1)‹/script›"
    assert shown[4] == "liver (2)"


def test_case_49_the_harmless_twin_is_shown_as_it_is():
    names = ["liver", "left kidney", "Körper & Co", "肝臓", "T2-FLAIR (3)"]
    assert list(shown_names(names)) == names


def test_a_name_made_unique_does_not_take_the_name_of_another():
    assert shown_names(["a", "a", "a (2)"]) == ("a", "a (3)", "a (2)")


def test_half_a_surrogate_pair_from_a_file_harms_nothing(tmp_path):
    path = tmp_path / "x.labels.json"
    path.write_text('{"1": "\\ud800"}')
    (row,) = read_sidecar(path)
    assert row.name.encode("utf-8") == b"?"
    assert shown_text("\ud800") == "\\ud800"
