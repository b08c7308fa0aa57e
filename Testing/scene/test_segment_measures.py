import math

import numpy as np
import pytest

from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.measure_follower import HEADINGS, MeasureFollower
from SegmentationAILib.scene.segment_measures import measured
from SegmentationAILib.scene.segmentation_node import node_from_labelmap
from SegmentationAILib.scene.ticker import PlainTicker
from SegmentationAILib.scene.volume_change import remember_accepted
from SegmentationAILib.scene.volume_node import node_from_volume

from phantoms import oblique_affine

SHAPE = (12, 10, 8)


@pytest.fixture
def a_labelmap():
    """Two overlapping boxes of 60 and 24 voxels of 0.9 x 1.3 x 2.5 mm."""
    first, second = np.zeros((2, *SHAPE), np.uint16)
    first[2:7, 2:6, 2:5] = 300
    second[6:9, 4:8, 3:5] = 1
    labels = (Label(300, "Big", segment_id="a"), Label(1, "Small", layer=1, segment_id="b"),
              Label(9, "Empty", segment_id="c"))  # fmt: skip
    return Labelmap((first, second), labels, oblique_affine())


@pytest.fixture
def intensities():
    """The number of the plane along k, with one voxel of the big box that is not a number."""
    values = np.broadcast_to(np.arange(8, dtype=np.float32), SHAPE).copy()
    values[2, 2, 2] = np.nan
    return values


def test_volume_mean_and_deviation_are_those_of_the_voxels(a_labelmap, intensities):
    big, small, empty = measured(a_labelmap, intensities, {})
    assert math.isclose(big.volume_ml, 60 * 0.9 * 1.3 * 2.5 / 1000)
    assert math.isclose(big.mean, (19 * 2 + 20 * 3 + 20 * 4) / 59)
    planes = [2.0] * 19 + [3.0] * 20 + [4.0] * 20
    assert math.isclose(big.deviation, np.std(planes), rel_tol=1e-6)
    assert (small.mean, small.deviation) == (3.5, 0.5)
    assert (empty.volume_ml, empty.mean, empty.surface_cm2) == (0.0, None, None)


def test_the_surface_is_the_area_that_was_measured(a_labelmap, intensities):
    big, small, _empty = measured(a_labelmap, intensities, {"a": 7.5})
    assert (big.surface_cm2, small.surface_cm2) == (7.5, None)


def test_changes_are_against_the_accepted_volumes_or_another_time_point(a_labelmap, intensities):
    scene, ticker, tables = headless_slicer().scene, PlainTicker(), []
    volume = node_from_volume(Volume(intensities[None], a_labelmap.affine), scene, "Scan")
    node = node_from_labelmap(a_labelmap, scene, volume, "Result")
    voxel = a_labelmap.grid.voxel_volume_ml
    remember_accepted(node, {"a": 50 * voxel, "b": 24 * voxel * (1 + 1e-12)}, ("a", "b"))
    follower = MeasureFollower(ticker)
    follower.follow(node, volume, tables.append)
    ticker.run_until(lambda: tables)
    change = {row[0]: row[4:6] for row in tables[-1].rows}
    assert float(change["Big"][0]) == pytest.approx(10 * voxel, rel=0.01)
    assert change["Big"][1] == "+20.0"
    assert (change["Small"], change["Empty"]) == (("+0", "+0.0"), ("–", "–"))

    earlier = node_from_labelmap(
        Labelmap(a_labelmap.layers[1:], (Label(1, "Big", segment_id="x"),), a_labelmap.affine),
        scene, volume, "Earlier",
    )  # fmt: skip
    follower.follow(node, volume, tables.append, earlier)
    ticker.run_until(lambda: tables[-1].rows and tables[-1].rows[0][5] != "+20.0")
    assert tables[-1].rows[0][5] == f"{100 * 36 / 24:+.1f}"
    follower.follow(None, None, tables.append)


def test_the_table_follows_edits_and_stops_when_told(a_labelmap, intensities, tmp_path):
    scene, ticker, tables = headless_slicer().scene, PlainTicker(), []
    volume = node_from_volume(Volume(intensities[None], a_labelmap.affine), scene, "Scan")
    node = node_from_labelmap(a_labelmap, scene, volume, "Result")
    follower = MeasureFollower(ticker)
    follower.follow(node, volume, tables.append)
    ticker.run_until(lambda: tables)
    assert [row[0] for row in tables[-1].rows] == ["Big", "Small", "Empty"]
    node.GetSegmentation().GetSegment("b").SetName("Renamed")
    ticker.run_until(lambda: tables[-1].rows[1][0] == "Renamed")
    path = tmp_path / "measures.csv"
    assert follower.write_csv(path) == "Wrote 3 rows to measures.csv."
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == ",".join(f'"{h}"' if "," in h else h for h in HEADINGS)
    assert lines[2].startswith("Renamed,")
    follower.follow(None, None, tables.append)
    count = len(tables)
    node.GetSegmentation().RemoveSegment("b")
    ticker.turn()
    assert (len(tables), tables[-1].rows) == (count, ())
