"""The module as Slicer meets it: what it says, registers, imports and ships."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from slicer_adapter.segment_editor_effects import segment_editor_effects

from SegmentationAILib.resources import resource

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "SegmentationAI" / "SegmentationAI.py"
# What Slicer brings; the rest of what is imported when it starts has to be the module's own.
SLICERS_OWN = {"slicer", "slicer_core", "vtk", "vtkmodules", "numpy", "qt", "ctk"}
COUNT = """
import sys, types
sys.path[:0] = ["SegmentationAI", "Testing"]
from slicer_adapter.application import running_slicer
with running_slicer():
    import slicer.util
    before = set(sys.modules)
    import SegmentationAI
    print(*sorted(set(sys.modules) - before))
"""


def test_what_slicer_loads_at_start_imports_nothing_heavy():
    """Everything new in the process is the module's own or the standard library."""
    found = subprocess.run(
        [sys.executable, "-c", COUNT], cwd=ROOT, capture_output=True, text=True, check=True
    )
    new = {name.split(".")[0] for name in found.stdout.split()}
    foreign = new - SLICERS_OWN - set(sys.stdlib_module_names)
    assert foreign == {"SegmentationAI", "SegmentationAILib"}
    assert "SegmentationAILib.resources" in found.stdout


def test_the_file_that_slicer_loads_has_no_behavior_of_its_own():
    tree = ast.parse(MODULE.read_text(encoding="utf-8"))
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    assert classes == [f"SegmentationAI{end}" for end in ("", "Widget", "Logic", "Test")]
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.While)]
    assert loops == []
    assert sorted(path.name for path in MODULE.parent.glob("*.py")) == [MODULE.name]


def test_the_module_says_what_it_is_and_registers_samples_when_slicer_has_started(
    a_slicer, a_sample_data_module
):
    from SegmentationAI import SegmentationAI

    parent = SimpleNamespace(path=str(MODULE))
    SegmentationAI(parent)
    assert (parent.title, parent.categories) == ("SegmentationAI", ["Segmentation"])
    assert "research" in parent.helpText
    assert a_sample_data_module == []
    with segment_editor_effects(None) as factory:
        a_slicer.app.emit("startupCompleted()")
    assert [effect.name for effect in factory.registered] == ["SegmentationAI Refine"]
    listed = json.loads(resource("sample-data.json").read_text(encoding="utf-8"))["volumes"]
    assert [sample["name"] for sample in a_sample_data_module] == [v["name"] for v in listed]
    for sample, volume in zip(a_sample_data_module, listed, strict=True):
        assert sample["checksum"] == f"SHA256:{volume['sha256']}"
        assert re.fullmatch(r"SHA256:[0-9a-f]{64}", sample["checksum"])
        assert sample["uri"].startswith("https://")


def test_every_section_ships_and_every_string_of_the_panel_translates():
    listed = (ROOT / "Resources" / "CMakeLists.txt").read_text(encoding="utf-8")
    assert '"UI/*"' in listed
    library = (ROOT / "SegmentationAI" / "CMakeLists.txt").read_text(encoding="utf-8")
    assert '"SegmentationAILib/*.py"' in library
    for path in (MODULE.parent / "SegmentationAILib" / "ui").glob("*.py"):
        shown = re.findall(
            r"\.(?:text|toolTip) = (f?\"[^\"]*[a-z]{3}[^\"]*\")", path.read_text(encoding="utf-8")
        )
        assert shown == [], f"{path.name} shows {shown} untranslated"


def test_every_sentence_of_the_panels_logic_translates():
    """What is raised, and what an outcome says, comes from the translation or another sentence."""
    scene = MODULE.parent / "SegmentationAILib" / "scene"
    names = ["prepared_runs", "call_watch", "compare", "computer_settings", "table_file",
             "volume_change", "worker_setup"]  # fmt: skip
    files = [*scene.glob("panel_*.py"), *(scene / f"{name}.py" for name in names)]
    assert len(files) > len(names) + 5
    kinds = {"SegmentationAIError", "Outcome", "Accepted", "Comparison"}
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in kinds:
                plain = [
                    one
                    for one in node.args
                    if isinstance(one, ast.JoinedStr)
                    or (isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value)
                ]
                assert plain == [], f"{path.name}, line {node.lineno}: not translated"


def test_the_research_notice_is_said_once(a_slicer, opened, a_home):
    from panel_stand_in import StandInLogic

    first = opened(StandInLogic())
    assert "for research" in first.find("sentenceLabel").text
    assert (a_home / "research-notice-shown").exists()
    second = opened(StandInLogic())
    assert second.find("sentenceLabel").text == ""
