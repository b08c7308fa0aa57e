"""``weak-label``: every method through the command line, prompts, masks, files, refusals."""

import json
import subprocess
import sys

import numpy as np
import pytest

from SegmentationAILib.__main__ import main
from SegmentationAILib.commands.weak_label_methods import METHODS
from SegmentationAILib.core.files import read_labelmap, write_labelmap, write_volume
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.volume import Volume

from phantoms import SPHERE_CENTER_RAS, sphere_mask

# Two thirds of the steps, in a quarter of the time: enough for a ball.
QUICK = {"levelset": ["--iterations", "250"]}


def prompts_file(path, *rows):
    path.write_text(json.dumps({"prompts": list(rows)}))
    return path


def scribble(radius_mm, positive=True, offset=(0, 0, 0)):
    center = (SPHERE_CENTER_RAS + np.array(offset)).tolist()
    return {"type": "scribble", "points": [center], "radius_mm": radius_mm, "positive": positive}


def ring(radius_mm):
    """A negative closed line around the ball."""
    angles = np.linspace(0, 2 * np.pi, 60)
    circle = np.stack([np.cos(angles), np.sin(angles), 0 * angles], 1) * radius_mm
    points = (SPHERE_CENTER_RAS + circle).tolist()
    return {"type": "scribble", "points": points, "radius_mm": 2.0, "positive": False}


@pytest.fixture
def a_scan(tmp_path, a_sphere_volume):
    """The ball as a file, with prompts in and around it, and a rough region."""
    write_volume(a_sphere_volume, tmp_path / "scan.nii.gz")
    prompts_file(tmp_path / "prompts.json", scribble(3.0), ring(22.0))
    rough = sphere_mask(a_sphere_volume.grid, radius_mm=19.0).astype(np.uint8)
    write_labelmap(
        Labelmap((rough,), (Label(1, "rough"),), a_sphere_volume.affine), tmp_path / "rough.nrrd"
    )
    return tmp_path


def labeled(folder, method, *words, output="out.seg.nrrd"):
    words = [method, str(folder / "scan.nii.gz"), "--output", str(folder / output), *words]
    assert main(["weak-label", *words]) == 0
    return read_labelmap(folder / output)


def dice(labelmap, volume, value=1):
    truth = sphere_mask(volume.grid)
    found = labelmap.layers[0] == value
    return 2.0 * (found & truth).sum() / (found.sum() + truth.sum())


@pytest.mark.parametrize(
    "method",
    ["levelset", "otsu", "region-growing", "kmeans", "fuzzy-cmeans", "markov", "watershed"],
)
def test_every_method_finds_the_ball_and_says_how(a_scan, a_sphere_volume, method):
    words = QUICK.get(method, [])
    if method in ("otsu", "kmeans", "fuzzy-cmeans", "markov"):
        words = ["--classes", "2"]
    found = labeled(
        a_scan, method, *words, "--prompts", str(a_scan / "prompts.json"),
        "--report", str(a_scan / "report.json"),
    )  # fmt: skip
    assert dice(found, a_sphere_volume) > 0.95
    (label,) = found.labels
    assert label.name == "object"
    assert label.provenance.origin == "weak"
    tags = dict(label.tags)
    assert tags["SegmentationAI.WeakMethod"] == method
    report = json.loads((a_scan / "report.json").read_text())
    assert report["method"] == method
    assert report["seconds"]["label"] == pytest.approx(
        float(tags["SegmentationAI.WeakSeconds"]), abs=1e-3
    )
    assert report["settings"] == json.loads(tags["SegmentationAI.WeakOptions"])
    counted = int((found.layers[0] == 1).sum())
    assert report["labels"] == [
        {"value": 1, "name": "object", "voxels": counted,
         "volume_ml": pytest.approx(counted * found.grid.voxel_volume_ml, abs=1e-3)}
    ]  # fmt: skip


@pytest.mark.parametrize("method", ["kmeans", "watershed"])
def test_superpixels_are_an_option(a_scan, a_sphere_volume, method):
    words = ["--superpixels", "4", "--prompts", str(a_scan / "prompts.json")]
    if method == "kmeans":
        assert dice(labeled(a_scan, method, "--classes", "2", *words), a_sphere_volume) > 0.95
        return
    prompts_file(a_scan / "prompts.json", scribble(15.0), ring(22.0))
    assert dice(labeled(a_scan, method, *words), a_sphere_volume) > 0.9


def test_without_prompts_classes_stay_apart_and_keep_joins_them(a_scan):
    apart = labeled(a_scan, "kmeans", "--classes", "4")
    assert [label.name for label in apart.labels] == [f"class {n} of 4" for n in (2, 3, 4)]
    joined = labeled(a_scan, "kmeans", "--classes", "4", "--keep", "2,4")
    expected = np.isin(apart.layers[0], (1, 3))
    np.testing.assert_array_equal(joined.layers[0] > 0, expected)


def test_labels_lie_within_the_mask_and_within_a_positive_box(a_scan, a_sphere_volume):
    low, high = SPHERE_CENTER_RAS - 10, np.add(SPHERE_CENTER_RAS, (10, 10, 0))
    box = {"type": "box", "corners": [low.tolist(), high.tolist()], "positive": True}
    prompts_file(a_scan / "box.json", box, scribble(2.0, offset=(0, 0, -4)))
    found = labeled(
        a_scan, "region-growing", "--multiplier", "4", "--prompts", str(a_scan / "box.json"),
        "--within", str(a_scan / "rough.nrrd"),
    )  # fmt: skip
    ras = found.grid.ras_from_ijk(np.argwhere(found.layers[0] > 0).astype(float))
    assert len(ras) > 500
    assert (ras >= low - 1e-6).all()
    assert (ras <= high + 1e-6).all()


def test_largest_and_fill_holes_clean_up(a_scan, a_sphere_volume):
    voxels = a_sphere_volume.voxels.copy()
    voxels[0, 3:5, 3:5, 3:5] = 300
    inner = sphere_mask(a_sphere_volume.grid, radius_mm=4.0)
    voxels[0][inner] = -50
    write_volume(Volume(voxels, a_sphere_volume.affine), a_scan / "scan.nii.gz")
    found = labeled(a_scan, "otsu", "--largest", "--fill-holes")
    np.testing.assert_array_equal(found.layers[0] > 0, sphere_mask(a_sphere_volume.grid))


def test_deform_keeps_the_table_and_meets_the_dice(tmp_path, a_sphere_volume):
    truth = sphere_mask(a_sphere_volume.grid).astype(np.uint8)
    table = (Label(1, "spleen", (0.5, 0.25, 0.75)),)
    write_labelmap(Labelmap((truth,), table, a_sphere_volume.affine), tmp_path / "truth.seg.nrrd")
    words = ["deform", str(tmp_path / "truth.seg.nrrd"), "--target-dice", "0.8"]
    assert main(["weak-label", *words, "--output", str(tmp_path / "weak.nii.gz")]) == 0
    weak = read_labelmap(tmp_path / "weak.nii.gz")
    assert dice(weak, a_sphere_volume) == pytest.approx(0.8, abs=0.005)
    assert (weak.labels[0].name, weak.labels[0].color) == ("spleen", (0.5, 0.25, 0.75))
    assert weak.labels[0].provenance.origin == "weak"


def test_propagate_carries_the_atlas_labels(a_scan, a_sphere_volume):
    """The atlas is the same ball, 9 mm away and turned: its table arrives with its voxels."""
    turn = np.array([[0.98, -0.199, 0, 6], [0.199, 0.98, 0, -5], [0, 0, 1, 4], [0, 0, 0, 1.0]])
    moved = turn @ a_sphere_volume.affine
    write_volume(Volume(a_sphere_volume.voxels, moved), a_scan / "atlas.nrrd")
    truth = sphere_mask(a_sphere_volume.grid).astype(np.uint8) * np.uint8(5)
    write_labelmap(Labelmap((truth,), (Label(5, "ball"),), moved), a_scan / "atlas.seg.nrrd")
    found = labeled(
        a_scan, "propagate", "--atlas", str(a_scan / "atlas.nrrd"),
        "--atlas-labels", str(a_scan / "atlas.seg.nrrd"), "--resolution", "3",
    )  # fmt: skip
    assert [(label.value, label.name) for label in found.labels] == [(5, "ball")]
    assert dice(found, a_sphere_volume, 5) > 0.95


def test_network_labels_are_weak_and_name_the_network(a_scan, an_installed_network):
    found = labeled(a_scan, "network", "--network", an_installed_network)
    provenance = found.labels[0].provenance
    assert (provenance.origin, provenance.network) == ("weak", an_installed_network)
    assert len(provenance.weights_sha256) == 64


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["region-growing"], "starts from prompts; give --prompts"),
        (["levelset", "--prompts", "only-negative.json"], "No positive prompt"),
        (["watershed", "--prompts", "outside.json"], "Prompt 1: A scribble at"),
        (["kmeans", "--classes", "40"], "2 to 16"),
        (["kmeans", "--classes", "3", "--keep", "9"], "Class 9 was asked for; there are 3"),
        (["otsu", "--within", "other.nrrd"], "same grid"),
        (["markov", "--beta", "nan"], "not a finite number"),
        (["kmeans", "--seed", "-1"], "whole number"),
        (["otsu", "--report", "nowhere/r.json"], "r.json was not written: its folder is not there"),
        (["otsu", "--report", "scan.nii.gz"], "scan.nii.gz was not written: it is read here"),
        (["magic"], "invalid choice"),
    ],
)
def test_what_cannot_be_done_ends_with_2_and_one_sentence(
    a_scan, capsys, monkeypatch, words, expected
):
    monkeypatch.chdir(a_scan)
    prompts_file(a_scan / "only-negative.json", scribble(3.0, positive=False))
    prompts_file(a_scan / "outside.json", scribble(3.0, offset=(900, 0, 0)))
    other = Labelmap((np.ones((3, 4, 5), np.uint8),), (Label(1, "x"),), np.eye(4))
    write_labelmap(other, a_scan / "other.nrrd")
    method, *rest = words
    command = ["weak-label", method, "scan.nii.gz", "--output", "out.seg.nrrd", *rest]
    try:
        status = main(command)
    except SystemExit as ended:
        status = ended.code
    error = capsys.readouterr().err
    assert status == 2
    assert expected in error
    assert error.splitlines()[-1].startswith("error: ")
    assert not (a_scan / "out.seg.nrrd").exists()


@pytest.mark.parametrize("method", METHODS)
def test_help_of_every_method_loads_neither_torch_nor_itk(method):
    code = (
        "import sys\nfrom SegmentationAILib.__main__ import main\n"
        f"try: main(['weak-label', '{method}', '--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'SimpleITK', 'scipy'} & set(sys.modules), 'too much was loaded'"
    )
    library = next(p for p in map(str, sys.path) if p.endswith("SegmentationAI"))
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": library, "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"weak-label {method} " in done.stdout
