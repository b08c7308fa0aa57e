"""Imports point one way: core, networks, refine and learn, worker; beside them scene, ui and web.

Each package may import from the ones listed for it and from itself, never back.
"""

import ast
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[1] / "SegmentationAI" / "SegmentationAILib"
NUMPY_ONLY_CORE = {
    "errors",
    "progress",
    "volume",
    "labelmap",
    "terminology",
    "segment_tags",
    "prompts",
    "prompt_file",
    "prompt_voxels",
    "journal",
    "mask_history",
    "process_lock",
    "archive",
    "atomic",
    "folder_lock",
    "offline",
    "staging",
}
# The host's side of the worker: what Slicer loads, with numpy and nothing else.
HOST_WORKER = {
    "protocol",
    "frame",
    "wire_volumes",
    "wire_refine",
    "wire_train",
    "wire_study",
    "exchange",
    "address",
    "call",
    "conversation",
    "dialogue",
    "process",
    "client",
}
ALLOWED = {
    "core": {"resources"},
    "networks": {"core", "resources"},
    "refine": {"core", "networks", "resources"},
    "learn": {"core", "networks", "refine", "resources"},
    "worker": {"core", "networks", "refine", "learn", "resources"},
    "scene": {"core", "worker", "resources"},
    "ui": {"core", "worker", "scene", "resources"},
    "web": {"core", "worker", "scene", "resources"},
    "commands": {"core", "networks", "refine", "learn", "worker", "scene", "web", "resources"},
    "resources": set(),
    "__main__": {"core", "commands", "resources"},
}
HOST = ("scene", "ui", "web")
# Files of the worker's room that the host runs, and those it starts with a bare interpreter.
ENVIRONMENT = {
    "bundle",
    "environment",
    "environment_contents",
    "environment_error",
    "environment_probe",
    "environment_record",
    "gpu_proof",
    "host_python",
    "machine_memory",
    "nvidia_driver",
    "package_source",
    "pip_child",
    "pip_failure",
    "pip_run",
    "preflight",
    "tokens",
    "torch_build",
}
WORKER_ONLY = {
    "torch",
    "monai",
    "openvino",
    "nncf",
    "nibabel",
    "cc3d",
    "edt",
    "isal",
    "zlib_ng",
    "safetensors",
}
CORE_NEVER = {"slicer", "qt", "ctk", "vtk", "vtkmodules", "trame_slicer"}
FILES = sorted(LIBRARY.rglob("*.py"))


def imported_modules(path: Path) -> set[str]:
    """Absolute dotted names that ``path`` imports anywhere, also inside functions."""
    package = ["SegmentationAILib", *path.relative_to(LIBRARY).parent.parts]
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names |= {f"{module}.{alias.name}" for alias in node.names} | {module}
    return names


def room_of(path: Path) -> str:
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def rooms_imported(path: Path) -> set[str]:
    own = (name.split(".") for name in imported_modules(path))
    rooms = {parts[1] for parts in own if parts[0] == "SegmentationAILib" and len(parts) > 1}
    return rooms & set(ALLOWED)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(LIBRARY)))
def test_imports_never_point_back(path):
    room = room_of(path)
    if room == "__init__":
        return
    assert room in ALLOWED, f"{room} is not a room of the architecture"
    assert rooms_imported(path) <= ALLOWED[room] | {room}


@pytest.mark.parametrize(
    "path", [p for p in FILES if room_of(p) in HOST], ids=lambda p: str(p.relative_to(LIBRARY))
)
def test_the_host_side_imports_no_tensors_and_only_the_numpy_core(path):
    names = imported_modules(path)
    assert not {n.split(".")[0] for n in names} & WORKER_ONLY
    core = {n.split(".")[2] for n in names if n.startswith("SegmentationAILib.core.")}
    assert core <= NUMPY_ONLY_CORE
    worker = {n.split(".")[2] for n in names if n.startswith("SegmentationAILib.worker.")}
    assert worker <= {"client"} | ENVIRONMENT - {"environment_probe", "pip_child"}


@pytest.mark.parametrize(
    "path", [p for p in FILES if room_of(p) in ("core", "networks", "learn", "refine", "worker")],
    ids=lambda p: str(p.relative_to(LIBRARY)),
)  # fmt: skip
def test_everything_below_the_scene_is_free_of_slicer_and_qt(path):
    assert not {n.split(".")[0] for n in imported_modules(path)} & CORE_NEVER


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.parent.name == "core" and p.stem in NUMPY_ONLY_CORE],
    ids=lambda p: p.stem,
)  # fmt: skip
def test_the_first_files_of_core_need_numpy_alone(path):
    foreign = {n.split(".")[0] for n in imported_modules(path)} - {"SegmentationAILib", "numpy"}
    import sys

    assert foreign <= set(sys.stdlib_module_names)


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.parent.name == "worker" and p.stem in ENVIRONMENT],
    ids=lambda p: p.stem,
)  # fmt: skip
def test_the_workers_environment_is_made_with_the_standard_library_alone(path):
    import sys

    names = imported_modules(path)
    bare = {"environment_probe": {"torch"}, "pip_child": {"pip"}}.get(path.stem, set())
    foreign = {name.split(".")[0] for name in names} - {"SegmentationAILib"} - bare
    assert foreign <= set(sys.stdlib_module_names)
    core = {n.split(".")[2] for n in names if n.startswith("SegmentationAILib.core.")}
    assert core <= NUMPY_ONLY_CORE
    assert rooms_imported(path) <= {"core", "worker", "resources"}


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.parent.name == "worker" and p.stem in HOST_WORKER],
    ids=lambda p: p.stem,
)  # fmt: skip
def test_the_hosts_side_of_the_worker_needs_numpy_alone(path):
    import sys

    names = imported_modules(path)
    foreign = {n.split(".")[0] for n in names} - {"SegmentationAILib", "numpy"}
    assert foreign <= set(sys.stdlib_module_names)
    own = [n.split(".")[1:] for n in names if n.startswith("SegmentationAILib.")]
    assert {n[0] for n in own if n} <= {"core", "worker", "resources"}
    assert {n[1] for n in own if n[0] == "core" and len(n) > 1} <= NUMPY_ONLY_CORE
    assert {n[1] for n in own if n[0] == "worker" and len(n) > 1} <= HOST_WORKER


def test_the_rule_finds_an_import_that_points_back(tmp_path, monkeypatch):
    """The twin of the tests above: a file that breaks the rule is seen."""
    monkeypatch.setattr(f"{__name__}.LIBRARY", tmp_path)
    bad = tmp_path / "core" / "bad.py"
    bad.parent.mkdir()
    bad.write_text("def f():\n    from ..scene import logic\n")
    assert rooms_imported(bad) == {"scene"}
