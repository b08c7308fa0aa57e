"""Which engines the panel offers for the network that is chosen."""

from dataclasses import replace

from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.panel_facts import NetworkFacts
from SegmentationAILib.scene.panel_refine import PanelRefine
from SegmentationAILib.scene.ticker import PlainTicker
from SegmentationAILib.scene.worker_setup import WorkerSetup

BRAIN = NetworkFacts(
    "brain", "Brain", "Finds brains.", "MR", ("Brain",), (("t1", "T1"),), "MIT", "free",
    "installed", 0, False,
)  # fmt: skip


def engines(*networks, chosen="brain"):
    scene = headless_slicer().scene
    refine = PanelRefine(scene, None, WorkerSetup(worker=None), PlainTicker(), lambda _: networks)
    return [(one.key, one.network) for one in refine.engines(chosen)]


def test_a_network_can_be_the_start_and_be_adapted():
    assert engines(BRAIN) == [("geodesic", ""), ("auto", "brain"), ("adapt", "brain")]


def test_one_that_cannot_be_trained_is_a_start_and_is_not_adapted():
    is_onnx = replace(BRAIN, can_be_adapted=False)
    assert engines(is_onnx) == [("geodesic", ""), ("auto", "brain")]


def test_one_that_is_not_there_or_answers_prompts_is_not_adapted():
    assert engines(replace(BRAIN, state="available")) == [("geodesic", "")]
    clicked = replace(BRAIN, is_promptable=True)
    assert engines(clicked) == [("click", "brain"), ("geodesic", "")]
