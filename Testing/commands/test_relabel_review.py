"""``relabel review``: two readers judge blind, without the panel."""

import json

import numpy as np
import pytest
import SimpleITK
from study_files import BASE_SHA256, made_study, scan, shifted, truth

from SegmentationAILib.__main__ import main
from SegmentationAILib.core.files import read_labelmap, read_volume
from SegmentationAILib.learn.study.iterations import Outcome, begin, finish, inputs_of
from SegmentationAILib.learn.study.records import Making
from SegmentationAILib.learn.study.versions import NewVersion, add_version

CASES = 4


@pytest.fixture
def the_study(a_home, tmp_path):
    """The first iteration finds the truth; the weak labels are a voxel off."""
    study = made_study(tmp_path, CASES)
    one = begin(study, "{}", BASE_SHA256)
    for name, version in inputs_of(study, one.number).items():
        making = Making("predicted", network="n", weights_sha256="d" * 64, iteration=1)
        labels = truth(int(name.split()[1]))
        add_version(study, name, NewVersion(labels, making, is_current=False), version.number)
    finish(study, 1, Outcome("d" * 64, 0.9, 0.1, None, "Goes on.", True, 2.0))
    return study


@pytest.fixture
def review(the_study, capsys):
    """Runs a step of a review; returns its exit status, and what was printed on either stream."""

    def do(*words):
        capsys.readouterr()
        status = main(["relabel", "review", str(the_study.folder), *map(str, words)])
        captured = capsys.readouterr()
        return status, captured.out if status == 0 else captured.err

    return do


def pairs_of(folder):
    return sorted(path for path in folder.iterdir() if path.name.startswith("pair-"))


def better(pair):
    """Which side has the truth of the scan that a pair shows, by its voxels."""
    voxels = read_volume(pair / "scan.nrrd").voxels
    number = next(n for n in range(CASES) if np.array_equal(scan(n).voxels, voxels))
    left, right = (read_labelmap(pair / f"{side}.seg.nrrd").layers[0] for side in ("left", "right"))
    true, weak = truth(number).layers[0], shifted(truth(number)).layers[0]
    sides = {"left": (left, right), "right": (right, left)}
    return next(
        side
        for side, (first, second) in sides.items()
        if np.array_equal(first, true) and np.array_equal(second, weak)
    )


def test_two_readers_judge_by_form_and_by_word_and_the_tally_is_theirs(review, tmp_path):
    status, said = review("--between", 1, 0, "--per", "case")
    assert status == 0
    assert said.startswith("Review 1: Iteration 1 against first labels, per case, 4 pairs.")
    for reader in ("Anna", "Bo"):
        words = ["--pairs", tmp_path / reader, "--reader", reader, "--form", "files"]
        assert review(*words)[0] == 0
    anna, bo = (pairs_of(tmp_path / reader) for reader in ("Anna", "Bo"))
    form = tmp_path / "Anna" / "answers.csv"
    heading, *rows = form.read_text().splitlines()
    assert heading.startswith("pair,answer,")
    assert rows == ["1,,", "2,,", "3,,", "4,,"]
    # A spreadsheet's mark, semicolons and capitals.
    lines = [f"{n};{better(pair).upper()};" for n, pair in enumerate(anna, start=1)]
    filled = [f"\ufeff{heading.replace(',', ';')}", *lines]
    form.write_text("\n".join(filled) + "\n", encoding="utf-8")
    for other in ("Bo", "anna"):
        status, said = review("--answers", form, "--reader", other)
        assert status == 2
        assert f"is not the form of {other} in review 1" in said
    said = review("--answers", form, "--reader", "Anna")[1]
    assert said == "Kept of Anna: 4 answers; 0 pairs left.\n"
    worse = {"left": "right", "right": "left"}
    given = [better(bo[0]), better(bo[1]), "tie", worse[better(bo[3])]]
    for number, side in enumerate(given, start=1):
        status, said = review("--answer", number, side, "--reader", "Bo")
        assert status == 0
        assert ("Bo is a new reader of this review; so far: Anna." in said) == (number == 1)
    status, said = review("--report")
    assert status == 2
    assert "key is sealed" in said
    status, said = review("--close")
    assert status == 0
    # Wilson's interval of 4 of 4: 1 / (1 + 1.96^2 / 4) = 51.0 % to 100 %.
    assert "Anna: Iteration 1 was preferred in 4 (100.0%, 95 % interval 51.0% to 100.0%)" in said
    assert "Bo: Iteration 1 was preferred in 2 (50.0%" in said
    report = json.loads(review("--report", "--json")[1])
    bo_tally = next(row for row in report["readers"] if row["reader"] == "Bo")
    assert [bo_tally[name]["count"] for name in ("win", "tie", "loss")] == [2, 1, 1]
    # Anna always says win: chance agrees as often as they do, 2 of 4.
    assert report["agreement"] == {"coefficient": "Cohen's kappa", "value": 0.0, "pairs": 4}
    status, said = review("--answer", 1, "left", "--reader", "Bo")
    assert status == 2
    assert "was closed on" in said


def test_nothing_that_a_reader_gets_names_a_case_or_a_candidate(review, tmp_path):
    review("--between", 0, 1, "--per", "slice", "--most", 5)
    assert review("--pairs", tmp_path / "files", "--form", "files")[0] == 0
    assert review("--pairs", tmp_path / "pictures")[0] == 0
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == ["answers.csv", *(f"pair-{n:03d}.png" for n in range(1, 6))]
    files = [*tmp_path.glob("files/*/*"), *tmp_path.glob("pictures/*")]
    assert len(files) == 15 + 6
    for path in files:
        content = path.read_bytes().lower()
        for word in (b"case", b"weak", b"predicted", b"iteration", b"d" * 64):
            assert word not in content, f"{path.name} says {word}"
    for pair in pairs_of(tmp_path / "files"):
        left, right = (read_labelmap(pair / f"{side}.seg.nrrd") for side in ("left", "right"))
        assert left.labels == right.labels
        assert left.layers[0].dtype == right.layers[0].dtype
        assert left.grid.shape[2] == 1
        assert left.grid.matches(read_volume(pair / "scan.nrrd").grid)


def test_a_slice_lies_where_it_was_cut(review, tmp_path):
    review("--between", 1, 0, "--most", 3)
    review("--pairs", tmp_path / "out", "--form", "files")
    for pair in pairs_of(tmp_path / "out"):
        cut = read_volume(pair / "scan.nrrd")
        homes = [
            (n, k)
            for n in range(CASES)
            for k in range(scan(n).voxels.shape[3])
            if np.array_equal(scan(n).voxels[..., k], cut.voxels[..., 0])
        ]
        ((number, place),) = homes
        expected = scan(number).grid.ras_from_ijk(np.array([[2.0, 3.0, place]]))
        np.testing.assert_allclose(cut.grid.ras_from_ijk(np.array([[2.0, 3, 0]])), expected,
                                   atol=1e-3)  # fmt: skip


def test_readers_with_other_sides_see_the_halves_of_a_picture_exchanged(review, tmp_path):
    """One pair: the order is the same for all; a reader on whose other side it stands exists."""
    review("--between", 1, 0, "--per", "case", "--most", 1)
    halves = {}
    for reader in "ABCDEFGH":
        review("--pairs", tmp_path / reader, "--reader", reader)
        image = SimpleITK.ReadImage(str(tmp_path / reader / "pair-001.png"))
        picture = SimpleITK.GetArrayFromImage(image)
        width = (picture.shape[1] - 4) // 2
        halves[reader] = (picture[:, :width], picture[:, -width:])
    left = {one[0].tobytes() for one in halves.values()}
    assert len(left) == 2, "both sides occur among eight readers"
    for one in halves.values():
        assert {half.tobytes() for half in one} == left


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ("1,left\n", "does not begin with the line pair,answer"),
        ("pair,answer\n1,left\n", "is not the form of Anna in review 1"),
        ("HEADING\n1,left\n2,both\n", "Line 3 of form.csv says '2', 'both'"),
        ("HEADING\n1,left\n5,tie\n", "a pair from 1 to 4"),
        ("HEADING\n1,left,tie\n", "has 3 columns"),
        (b"\xff\xfe\x00", "cannot be read as text"),
    ],
)
def test_a_wrong_form_is_refused_and_nothing_of_it_is_kept(review, tmp_path, form, sentence):
    review("--between", 1, 0, "--per", "case")
    review("--pairs", tmp_path / "Anna", "--reader", "Anna")
    heading = (tmp_path / "Anna" / "answers.csv").read_text().splitlines()[0]
    path = tmp_path / "form.csv"
    path.write_bytes(form if isinstance(form, bytes) else form.replace("HEADING", heading).encode())
    status, said = review("--answers", path, "--reader", "Anna")
    assert status == 2
    assert sentence in said
    path.write_text(f"{heading}\n2,tie\n")
    assert review("--answers", path, "--reader", "Anna")[1].endswith("; 3 pairs left.\n")


def test_what_cannot_be_done_is_one_sentence(review, tmp_path):
    for words, sentence in (
        (["--close"], "no review yet"),
        (["--between", 1, 1], "two iterations that differ"),
        (["--between", 7, 0], "7"),
    ):
        status, said = review(*words)
        assert status == 2
        assert sentence in said
    review("--between", 1, 0)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    for words, sentence in (
        (["--pairs", tmp_path / "full"], "holds something already"),
        (["--close", "--review", 3], "no review 3; there are: 1"),
    ):
        status, said = review(*words)
        assert status == 2
        assert sentence in said
    assert [p.name for p in (tmp_path / "full").iterdir()] == ["notes.txt"]
