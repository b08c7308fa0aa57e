"""Case 45: bundles whose configuration would run code. Each hostile one has a harmless twin."""

import json
import sys

import monai_bundles as book
import pytest

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks.expected_shapes import check_architecture
from SegmentationAILib.networks.formats.format import files_in
from SegmentationAILib.networks.formats.monai_config import read_config
from SegmentationAILib.networks.formats.monai_expressions import is_known_expression
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.store import NetworkStore

HARMLESS_LOGGING = (
    "[loggers]\nkeys=root\n[handlers]\nkeys=consoleHandler\n[formatters]\nkeys=fullFormatter\n"
    "[logger_root]\nlevel=INFO\nhandlers=consoleHandler\n[handler_consoleHandler]\n"
    "class=StreamHandler\nlevel=INFO\nformatter=fullFormatter\nargs=(sys.stdout,)\n"
    "[formatter_fullFormatter]\nformat=%(asctime)s - %(message)s\n"
)
# What is put where, and the harmless twin of the same kind.
HOSTILE = {
    "an expression": ("extra", "$open('{marker}', 'w')", "$@bundle_root + '/eval'"),
    "an import": ("imports", ["$import antigravity"], ["$import numpy"]),
    "an import hidden in a call": ("extra", "$__import__('antigravity')", "$numpy.float32"),
    "another function": (
        "extra", {"_target_": "os.system", "command": "touch {marker}"}, {"command": "none"},
    ),
    "a component of its own": (
        "extra", {"_target_": "scripts.evil.Run"}, {"_target_": "StatsHandler"},
    ),
    "a mode": ("extra", {"_target_": "StatsHandler", "_mode_": "callable"}, {"mode": "callable"}),
    "a requirement": (
        "extra", {"_target_": "StatsHandler", "_requires_": "$open('{marker}', 'w')"},
        {"_target_": "StatsHandler", "iteration_log": False},
    ),
    "another file": ("extra", "%../../secrets.json::key", "100 % of it"),
    "an include by a key": ("+imports", "$import os", None),
    "a lambda": ("extra", "$lambda x: open('{marker}', 'w')", "lambda"),
    "a device that is none": (
        "device", "$torch.device(open('{marker}', 'w').name)", "$torch.device('cpu')",
    ),
}  # fmt: skip
LOGGING = {
    "a handler's class": HARMLESS_LOGGING.replace("StreamHandler", "FileHandler"),
    "a handler's arguments": HARMLESS_LOGGING.replace("(sys.stdout,)", "(open('{marker}', 'w'),)"),
    "a formatter's class": HARMLESS_LOGGING + "class=antigravity.Formatter\n",
}


def filled(value, marker):
    return json.loads(json.dumps(value).replace("{marker}", str(marker)))


@pytest.fixture
def refused(tmp_path):
    """Install a bundle that is refused; return the sentence, having checked that nothing ran."""
    store = NetworkStore(tmp_path / "home")

    def install_it(folder, name="net"):
        modules = set(sys.modules)
        with pytest.raises(WeightsError) as raised:
            install(store, InstallRequest(str(folder), name), check_architecture)
        assert not {m for m in set(sys.modules) - modules if m.split(".")[0] != "yaml"}
        assert not (tmp_path / "marker").exists()
        assert store.folder.is_dir() is False or not any(store.folder.glob("net*"))
        return str(raised.value)

    return install_it


def with_twin(name):
    """Return the configuration with the harmless twin in it."""
    key, _, harmless = HOSTILE[name]
    return {**book.configuration(), **({} if harmless is None else {key: harmless})}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_would_run_code_is_refused_and_its_twin_is_not(name, refused, tmp_path):
    key, hostile, _ = HOSTILE[name]
    config = {**book.configuration(), key: filled(hostile, tmp_path / "marker")}
    folder = book.bundle(tmp_path / "bundle", config)
    assert "configs/inference.json of bundle" in refused(folder)
    (folder / "configs" / "inference.json").write_text(json.dumps(with_twin(name)))
    assert read_config(files_in(folder)).root == with_twin(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_a_twin_is_installed_whole(name, tmp_path):
    folder = book.bundle(tmp_path / "bundle", with_twin(name))
    store = NetworkStore(tmp_path / "home")
    assert install(store, InstallRequest(str(folder), "twin"), check_architecture).card.labels


@pytest.mark.parametrize("name", LOGGING)
def test_a_logging_configuration_that_would_run_code_is_refused(name, refused, tmp_path):
    folder = book.bundle(tmp_path / "bundle", book.configuration())
    logging = folder / "configs" / "logging.conf"
    logging.write_text(LOGGING[name].replace("{marker}", str(tmp_path / "marker")))
    assert "logging.conf" in refused(folder)


def test_monais_own_logging_configuration_is_accepted(tmp_path):
    folder = book.bundle(tmp_path / "bundle", book.configuration())
    (folder / "configs" / "logging.conf").write_text(HARMLESS_LOGGING)
    store = NetworkStore(tmp_path / "home")
    assert install(store, InstallRequest(str(folder), "twin"), check_architecture).card.labels


def test_torchscript_is_named_and_never_opened(refused, tmp_path):
    folder = book.bundle(tmp_path / "bundle", book.configuration())
    (folder / "models" / "model.pt").rename(folder / "models" / "model.ts")
    assert "model.ts is a program" in refused(folder)


@pytest.mark.parametrize(
    "text",
    [
        "$import os; import antigravity",
        "$import os.path as p, antigravity",
        "$torch.device('cuda:0' if open('x') else 'cpu')",
        "$@network.to(open('x'))",
        "$@network.eval()",
        "$@a(@b)(@c)",
        "$@bundle_root + open('x').name",
        "$@bundle_root + f'{open(1)}'",
        "$[{'image': i} for i in open('x')]",
        "$[{'image': open(i)} for i in @datalist]",
        "$list(sorted(glob.glob(@d + '/*', recursive=print())))",
        "$monai.utils.set_determinism(seed=open('x'))",
        "$not os.path.exists(@ckpt_path) or print()",
        "$(x := @a)",
        "$REF.run",
    ],
)
def test_shapes_near_the_known_ones_are_not_taken_for_them(text):
    assert not is_known_expression(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &x 1\nb: *x\n", "anchor"),
        ("a: !!python/object/apply:os.getpid []\n", "tag"),
        ("a: 1\na: 2\n", "twice"),
        ("a: 2020-01-01\n", "plain values"),
        ("a: [" * 200, "nested"),
        ("a: [\n", "not valid YAML"),
    ],
)
def test_yaml_of_other_than_plain_values_is_refused(text, reason, refused, tmp_path):
    folder = book.bundle(tmp_path / "bundle", book.configuration())
    (folder / "configs" / "inference.json").unlink()
    (folder / "configs" / "inference.yaml").write_text(text)
    assert reason in refused(folder)


def test_plain_yaml_is_accepted(tmp_path):
    yaml = pytest.importorskip("yaml")
    folder = book.bundle(tmp_path / "bundle", book.configuration())
    (folder / "configs" / "inference.json").unlink()
    text = yaml.safe_dump(book.configuration(), sort_keys=False)
    (folder / "configs" / "inference.yaml").write_text(text)
    store = NetworkStore(tmp_path / "home")
    card = install(store, InstallRequest(str(folder), "twin"), check_architecture).card
    assert [label.name for label in card.labels] == ["liver", "spleen"]
