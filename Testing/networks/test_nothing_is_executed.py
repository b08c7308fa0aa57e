"""Nothing that a file says is ever run: no call in the package could, and a text search agrees."""

import ast
import re
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[2] / "SegmentationAI" / "SegmentationAILib"
FILES = sorted(LIBRARY.rglob("*.py"))
NEVER_CALLED = {
    "eval", "exec", "compile", "__import__",
    "pickle.load", "pickle.loads", "pickle.Unpickler", "cPickle.loads", "dill.load", "joblib.load",
    "marshal.load", "marshal.loads", "shelve.open", "torch.jit.load", "torch.hub.load",
    "yaml.load", "yaml.unsafe_load", "os.system", "os.popen", "runpy.run_path",
    "pandas.read_pickle", "shutil.unpack_archive",
}  # fmt: skip


def dotted(node):
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed([*parts, node.id])) if isinstance(node, ast.Name) else ""


def faults_in(source):
    faults = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        given = {k.arg: k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)}
        if name in NEVER_CALLED or name.split(".")[-1] in ("extractall", "extract_all"):
            faults.append(name)
        if name == "torch.load" and given.get("weights_only") is not True:
            faults.append("torch.load without weights_only=True")
        if name.endswith(("numpy.load", "np.load")) and given.get("allow_pickle", False):
            faults.append("numpy.load with pickles")
        if given.get("shell"):
            faults.append("a shell")
    return faults


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_no_call_could_run_what_a_file_says(path):
    assert faults_in(path.read_text(encoding="utf-8")) == []


def test_archives_are_unpacked_in_one_place():
    assert len(FILES) > 10
    name = re.compile("extract" + r"all|\.extract\(|unpack_archive|tarfile")
    using = {path.name for path in FILES if name.search(path.read_text(encoding="utf-8"))}
    assert using == set()
    opening = re.compile(r"zipfile\.ZipFile\([^\n]*\)|zipfile\.ZipFile\(")
    readers = {path.name for path in FILES if opening.search(path.read_text(encoding="utf-8"))}
    assert readers == {"archive.py", "bundle.py", "store.py"}  # the last two write


@pytest.mark.parametrize(
    "source",
    [
        "eval('1')", "import pickle\npickle.loads(b'')", "a.extract" + "all('x')",
        "import torch\ntorch.load('a', weights_only=False)", "import torch\ntorch.load('a')",
        "import numpy as np\nnp.load('a', allow_pickle=True)", "import os\nos.system('x')",
        "import subprocess\nsubprocess.run('x', shell=True)",
    ],
)  # fmt: skip
def test_the_rule_finds_each_kind(source):
    assert faults_in(source)


def test_the_rule_lets_data_pass():
    assert not faults_in(
        "import torch\ntorch.load('a', weights_only=True)\nmodel.eval()\nre.compile('a')"
    )
