"""The offline bundle: out of one folder, into another, and nothing asked of any network."""

import json
import shutil
import zipfile

import pytest
from loopback_server import loopback_server
from tiny_wheels import CPU, Index, names_in, requirements, run_in, source_of, tiny_set

from SegmentationAILib.core.offline import OFFLINE_VARIABLE
from SegmentationAILib.worker.bundle import export_bundle, import_bundle
from SegmentationAILib.worker.environment import WorkerEnvironment
from SegmentationAILib.worker.environment_error import WorkerEnvironmentError
from SegmentationAILib.worker.package_source import PackageSource


@pytest.fixture(scope="module")
def the_exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    tiny_set(folder / "wheels")
    environment = WorkerEnvironment(folder / "environment")
    with loopback_server(Index(folder / "wheels")) as server:
        source = PackageSource(CPU, requirements(folder), f"{server.url}/simple")
        export_bundle(environment, source, folder / "bundle.zip")
    assert names_in(environment) == {"bundle"}
    return folder


@pytest.fixture
def an_environment(tmp_path):
    return WorkerEnvironment(tmp_path / "environment")


def refused(environment, bundle, listed) -> str:
    with pytest.raises(WorkerEnvironmentError) as caught:
        import_bundle(environment, bundle, requirements=listed)
    assert caught.value.kind == "bundle"
    assert names_in(environment) <= {"bundle"}
    return caught.value.sentence


def test_a_bundle_becomes_an_environment_and_nothing_is_asked_of_a_network(
    the_exported, an_environment, monkeypatch
):
    def refuse(*_, **__):
        raise AssertionError("this process opened a socket")

    with loopback_server(lambda request: request.send(b"", 502)) as server:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, server.url)
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{server.url}/more")
        monkeypatch.setenv("PIP_FIND_LINKS", f"{server.url}/links")
        monkeypatch.setenv(OFFLINE_VARIABLE, "1")
        monkeypatch.setattr("socket.socket.connect", refuse)
        monkeypatch.setattr("socket.getaddrinfo", refuse)
        listed = the_exported / "requirements.txt"
        import_bundle(an_environment, the_exported / "bundle.zip", requirements=listed)
        assert server.log == []
    assert (
        run_in(an_environment.python(), "import tiny_net, tiny_part; print(tiny_part.VALUE)") == "1"
    )
    assert an_environment.state(listed).kind == "ready"
    assert names_in(an_environment) == {"ready", "bundle"}
    an_environment.delete()
    assert names_in(an_environment) == set()


def test_pip_cannot_reach_an_index_while_the_switch_is_set(tmp_path, an_environment, monkeypatch):
    """The twin: were pip to try in spite of its options, its sockets refuse."""
    tiny_set(tmp_path / "wheels")
    with loopback_server(Index(tmp_path / "wheels")) as server:
        online = ["--index-url", f"{server.url}/simple"]
        monkeypatch.setattr(PackageSource, "pip_words", lambda _: online)
        with pytest.raises(WorkerEnvironmentError) as caught:
            an_environment.make(source_of(tmp_path / "wheels"))
        assert caught.value.kind == "network"
        assert server.log == []


def changed(the_exported, target, change) -> None:
    """Write a copy of the bundle after ``change`` was applied to its files by name."""
    with zipfile.ZipFile(the_exported / "bundle.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def described(**changes):
    def change(files) -> None:
        files["bundle.json"] = json.dumps({**json.loads(files["bundle.json"]), **changes}).encode()

    return change


def change_a_wheel(files) -> None:
    name = next(name for name in files if "tiny_part" in name)
    files[name] = files[name].replace(b"VALUE = 1", b"VALUE = 2")


def add_a_wheel(files) -> None:
    files["wheels/evil-1-py3-none-any.whl"] = b"PK"


def leave_the_folder(files) -> None:
    files["../evil.py"] = b"1"


def drop_the_description(files) -> None:
    del files["bundle.json"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (change_a_wheel, "was changed"), (add_a_wheel, "does not hold the packages"),
        (leave_the_folder, "leaves the folder"), (drop_the_description, "not a bundle"),
        (described(python="3.8"), "for Python 3.8"), (described(system="win-arm64"), "win-arm64"),
        (described(requirements_sha256="0" * 64), "another version"),
        (described(wheels=7), "not a bundle"),
    ],
)  # fmt: skip
def test_a_bundle_that_is_not_what_was_exported_is_refused(
    the_exported, an_environment, tmp_path, change, words
):
    changed(the_exported, tmp_path / "b.zip", change)
    sentence = refused(an_environment, tmp_path / "b.zip", the_exported / "requirements.txt")
    assert words in sentence
    assert not (tmp_path / "environment" / "evil.py").exists()


def test_a_bundle_cut_off_is_refused(the_exported, an_environment, tmp_path):
    whole = (the_exported / "bundle.zip").read_bytes()
    (tmp_path / "b.zip").write_bytes(whole[: len(whole) // 2])
    refused(an_environment, tmp_path / "b.zip", the_exported / "requirements.txt")


def test_an_export_that_fails_leaves_no_bundle(tmp_path, an_environment):
    tiny_set(tmp_path / "wheels")
    shutil.rmtree(tmp_path / "wheels")
    (tmp_path / "wheels").mkdir()
    with pytest.raises(WorkerEnvironmentError):
        export_bundle(an_environment, source_of(tmp_path / "wheels"), tmp_path / "b.zip")
    assert not (tmp_path / "b.zip").exists()
