"""What only the application can show; a person runs it.

    Slicer --no-splash --python-script Testing/run_in_slicer.py [NETWORK]

It looks whether Slicer has found the module, opens its panel in the real widgets, and, when the ID
of an installed network is given, segments a made-up volume with it and undoes that. It ends Slicer
with status 0 when all was as it should be, and prints what was not otherwise.
"""

import sys
import traceback

import slicer

MODULE = "SegmentationAI"
STEPS = (
    "Segment", "Queue", "Correct", "Refine", "Relabel", "Measure", "Compare", "Export",
    "Train", "Networks", "Settings",
)  # fmt: skip


def check_discovery() -> str:
    """Slicer has found the module, and has read its texts."""
    module = getattr(slicer.modules, MODULE.lower(), None)
    assert module is not None, "Slicer lists no module SegmentationAI; is the extension installed?"
    assert "torch" not in sys.modules, "torch was imported when Slicer started"
    return f"found in {module.path}"


def check_panel() -> str:
    """The panel comes up with all steps, and nothing but the first is open."""
    slicer.util.selectModule(MODULE)
    slicer.app.processEvents()
    panel = slicer.util.getModuleWidget(MODULE).panel
    is_open = [not getattr(panel, step.lower()).section.collapsed for step in STEPS]
    assert is_open == [True, *[False] * (len(STEPS) - 1)], f"open: {is_open}"
    for step in (*STEPS[1:], STEPS[0]):
        panel.open(step)
        slicer.app.processEvents()
    return "all steps open and close"


def check_self_test() -> str:
    """The module's own test passes."""
    slicer.selfTests[MODULE]()
    return "passed"


def check_run(network_id: str) -> str:
    """A network that is installed answers on a made-up volume."""
    from SegmentationAI import SegmentationAILogic, SegmentationAITest

    slicer.mrmlScene.Clear()
    volume = SegmentationAITest.a_ball()
    node = SegmentationAILogic().segment(volume, network_id)
    reference = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
    assert reference is volume, "the result does not refer to its volume"
    return f"{node.GetSegmentation().GetNumberOfSegments()} segments"


def main() -> int:
    """Run the checks; return the number of those that did not hold."""
    checks = {"discovery": check_discovery, "panel": check_panel, "self-test": check_self_test}
    if len(sys.argv) > 1:
        checks["run"] = lambda: check_run(sys.argv[1])
    failures = 0
    for name, check in checks.items():
        try:
            print(f"{name}: {check()}")
        except Exception:
            failures += 1
            print(f"{name}: NOT AS IT SHOULD BE")
            traceback.print_exc()
    return failures


if __name__ == "__main__":
    slicer.util.exit(main())
