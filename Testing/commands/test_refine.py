"""``refine``: prompts of a file in, a segmentation out; the other segments survive."""

import json

import numpy as np
import pytest
from threshold_network import threshold_network_folder

from SegmentationAILib.__main__ import main
from SegmentationAILib.core.files import read_labelmap, write_labelmap, write_volume
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.networks.store import NetworkStore

from phantoms import SPHERE_CENTER_RAS, sphere_mask

CENTER = list(SPHERE_CENTER_RAS)


@pytest.fixture
def a_case(tmp_path, a_sphere_volume, a_home):
    write_volume(a_sphere_volume, tmp_path / "x.nrrd")
    (tmp_path / "p.json").write_text(
        json.dumps({"prompts": [{"type": "point", "position": CENTER, "positive": True}]})
    )
    return tmp_path


def refine(folder, *words):
    return main(
        ["refine", str(folder / "x.nrrd"), "--prompts", str(folder / "p.json"), *map(str, words)]
    )


def dice(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def test_a_click_draws_a_new_segment_and_the_report_says_so(a_case, a_sphere_volume, capsys):
    output, report = a_case / "y.seg.nrrd", a_case / "r.json"
    assert refine(a_case, "--output", output, "--segment", "Ball", "--report", report) == 0
    labelmap = read_labelmap(output)
    (row,) = labelmap.labels
    mask = labelmap.mask(row)
    assert (row.name, row.provenance.origin) == ("Ball", "corrected")
    assert dice(mask, sphere_mask(a_sphere_volume.grid)) > 0.97
    facts = json.loads(report.read_text())
    assert facts["engine"] in ("geodesic", "click")
    assert facts["segment"]["voxels"] == mask.sum()
    (answer,) = facts["prompts"]
    places = np.argwhere(mask)
    assert answer["start_ijk"] == places.min(axis=0).tolist()
    assert answer["stop_ijk"] == (places.max(axis=0) + 1).tolist()
    assert answer["added"] == mask.sum()
    assert set(facts["seconds"]) == {"read", "answer", "write", "total"}
    assert "Ball" in capsys.readouterr().out


def test_the_other_segments_of_a_file_survive_voxel_for_voxel(a_case, a_sphere_volume):
    grid = a_sphere_volume.grid
    truth = sphere_mask(grid)
    layer, over = np.zeros(grid.shape, np.uint8), np.zeros(grid.shape, np.uint8)
    layer[sphere_mask(grid, radius_mm=7.0)] = 3
    half = truth & (np.arange(grid.shape[0])[:, None, None] < 20)
    layer[half & (layer == 0)] = 9
    over[40:44] = 5
    rows = (Label(3, "Ball"), Label(9, "Half"), Label(5, "Other", layer=1))
    write_labelmap(Labelmap((layer, over), rows, grid.affine), a_case / "s.seg.nrrd")
    output = a_case / "y.seg.nrrd"
    words = ("--segmentation", a_case / "s.seg.nrrd", "--segment", "Ball", "--engine", "geodesic")
    assert refine(a_case, "--output", output, *words) == 0
    after = {row.name: read_labelmap(output).mask(row) for row in read_labelmap(output).labels}
    assert np.array_equal(after["Half"], layer == 9)
    assert np.array_equal(after["Other"], over == 5)
    assert not (after["Ball"] & (after["Half"] | after["Other"])).any()
    assert after["Ball"].sum() > (layer == 3).sum()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--engine", "magic"], "no engine"),
        (["--engine", "auto"], "networks list"),
        (["--network", "brain-any-contrast", "--engine", "geodesic"], "without a network"),
        (["--channel", "T2"], "ROLE=PATH"),
        (["--segmentation", "p.json"], "p.json"),
        (["--report", "nowhere/r.json"], "r.json was not written: its folder is not there"),
        (["--report", "p.json"], "p.json was not written: it is read here"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_writes_nothing(a_case, capsys, words, found):
    words = [a_case / word if word.endswith(".json") else word for word in words]
    before = sorted(a_case.rglob("*"))
    assert refine(a_case, "--output", a_case / "y.seg.nrrd", *words) == 2
    *progress, error = capsys.readouterr().err.splitlines()
    assert found in error
    assert error.startswith("error: ")
    assert all("%" in line for line in progress)
    assert sorted(a_case.rglob("*")) == before


@pytest.mark.parametrize(
    "text", ['{"prompts": [{"type": "point", "position": [900, 0, 0]}]}', "{", '{"prompts": 1}']
)
def test_prompts_that_cannot_be_meant_are_one_line(a_case, capsys, text):
    (a_case / "p.json").write_text(text)
    assert refine(a_case, "--output", a_case / "y.seg.nrrd") == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: ")
    assert not (a_case / "y.seg.nrrd").exists()


def test_a_segmentation_on_another_grid_is_refused(a_case, a_sphere_volume, capsys):
    moved = a_sphere_volume.affine.copy()
    moved[1, 3] += 2
    other = Labelmap((np.ones(a_sphere_volume.grid.shape, np.uint8),), (Label(1, "a"),), moved)
    write_labelmap(other, a_case / "s.seg.nrrd")
    words = ("--output", a_case / "y.seg.nrrd", "--segmentation", a_case / "s.seg.nrrd")
    assert refine(a_case, *words) == 2
    assert "same grid" in capsys.readouterr().err


def test_adapt_answers_all_prompts_at_once_and_keeps_the_network_that_it_made(
    a_case, a_sphere_volume, tmp_path
):
    folder = threshold_network_folder(tmp_path / "net")
    assert main(["networks", "install", str(folder)]) == 0
    output, report = a_case / "y.seg.nrrd", a_case / "r.json"
    words = ("--engine", "adapt", "--network", "net", "--structure", "Sphere", "--device", "cpu")
    kept = ("--keep-network", "mine", "--report", report)
    assert refine(a_case, "--output", output, *words, *kept) == 0
    labelmap = read_labelmap(output)
    assert dice(labelmap.mask(labelmap.labels[0]), sphere_mask(a_sphere_volume.grid)) > 0.95
    assert len(json.loads(report.read_text())["prompts"]) == 1
    made = labelmap.labels[0].provenance
    assert (made.origin, made.network) == ("corrected", "net")
    assert made.weights_sha256 == NetworkStore().find("net").card.sha256
    assert NetworkStore().find("mine").card.training.parents[0].id == "net"
    # No prompt at all: the network teaches itself.
    (a_case / "p.json").write_text('{"prompts": []}')
    alone = a_case / "z.seg.nrrd"
    assert refine(a_case, "--output", alone, *words) == 0
    labelmap = read_labelmap(alone)
    assert dice(labelmap.mask(labelmap.labels[0]), sphere_mask(a_sphere_volume.grid)) > 0.95


def test_a_network_that_cannot_be_kept_is_refused_before_anything_is_computed(a_case, capsys):
    output = a_case / "y.seg.nrrd"
    for words, sentence in (
        (("--keep-network", "mine"), "keeps what --engine adapt makes"),
        (("--engine", "adapt", "--keep-network", "a/b"), "cannot be the ID of a network"),
        (("--engine", "adapt", "--keep-network", "subcortical"), "There is a network subcortical"),
    ):
        assert refine(a_case, "--output", output, *words) == 2
        assert sentence in capsys.readouterr().err
        assert not output.exists()
