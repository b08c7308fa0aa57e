"""What goes wrong between here and a package index: one sentence and one thing to do."""

import pytest
from loopback_server import CERTIFICATE, loopback_server
from tiny_wheels import CPU, Index, names_in, requirements, tiny_set

from SegmentationAILib.worker.environment import WorkerEnvironment
from SegmentationAILib.worker.environment_error import WorkerEnvironmentError
from SegmentationAILib.worker.package_source import CA_VARIABLES, PackageSource
from SegmentationAILib.worker.pip_failure import failure_of


@pytest.fixture(autouse=True)
def a_bare_network(monkeypatch):
    for name in (*CA_VARIABLES, "PIP_CERT", "http_proxy", "https_proxy", "HTTPS_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


def failure(tmp_path, index, **options) -> WorkerEnvironmentError:
    environment = WorkerEnvironment(tmp_path / "environment")
    with pytest.raises(WorkerEnvironmentError) as caught:
        environment.make(PackageSource(CPU, requirements(tmp_path), index, **options))
    assert names_in(environment) <= {"cache"}
    return caught.value


def test_an_index_that_is_not_there(tmp_path):
    error = failure(tmp_path, "http://127.0.0.1:9/simple")
    assert error.kind == "network"
    assert "offline bundle" in error.fix


def test_a_certificate_that_is_not_trusted_until_its_ca_file_is_named(tmp_path):
    tiny_set(tmp_path / "wheels")
    with loopback_server(Index(tmp_path / "wheels"), encrypted=True) as server:
        error = failure(tmp_path, f"{server.url}/simple")
        assert error.kind == "certificate"
        assert "CA file" in error.fix
        source = PackageSource(
            CPU, requirements(tmp_path), f"{server.url}/simple", ca_file=CERTIFICATE
        )
        assert WorkerEnvironment(tmp_path / "environment").make(source).kind == "cpu"


def test_a_proxy_that_wants_a_password_and_its_name_is_not_repeated(tmp_path):
    with loopback_server(lambda request: request.send(b"", 407)) as proxy:
        url = proxy.url.replace("http://", "http://user:secret@")
        error = failure(tmp_path, "https://pypi.example.org/simple", proxy=url)
        assert proxy.log[0][:2] == ("CONNECT", "pypi.example.org:443")
    assert error.kind == "proxy"
    assert "407" in error.sentence
    assert "secret" not in f"{error} {error.details}"


@pytest.mark.slow
def test_the_systems_proxy_is_asked(tmp_path, monkeypatch):
    with loopback_server(lambda request: request.send(b"", 502)) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        assert failure(tmp_path, "https://pypi.example.org/simple").kind == "proxy"
        assert proxy.log[0][:2] == ("CONNECT", "pypi.example.org:443")


def test_a_package_that_was_changed_on_its_way(tmp_path):
    tiny_set(tmp_path / "wheels")
    index = Index(tmp_path / "wheels")
    index.changes = b"!"
    with loopback_server(index) as server:
        error = failure(tmp_path, f"{server.url}/simple")
    assert error.kind == "hash"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
         "disk"),
        ("ERROR: Could not install packages due to an OSError: [WinError 5] Access is denied: 'C:'",
         "permission"),
        ("ProtocolError: ('Connection broken: IncompleteRead(1 bytes read)', ...)", "interrupted"),
        ("ERROR: HTTP error 403 while getting https://x\n403 Client Error: Forbidden", "access"),
        ("socket.gaierror: [Errno 11001] getaddrinfo failed\n"
         "ERROR: No matching distribution found for torch==2.13.0", "network"),
        ("ERROR: No matching distribution found for torch==2.13.0+cu130", "no-match"),
        ("ERROR: ResolutionImpossible: for help visit https://pip.pypa.io", "conflict"),
        ("no pip here", "no-pip"),
        ("Downloading net-407-py3-none-any.whl (407 kB)\nERROR: something new", "unknown"),
    ],
)  # fmt: skip
def test_what_pip_says_is_told_in_one_sentence(said, kind):
    error = failure_of(said, 1)
    assert error.kind == kind
    assert "\n" not in str(error)
    assert error.fix.endswith(".")


def test_the_name_of_what_is_missing_and_an_unknown_reason_are_kept():
    missing = failure_of("ERROR: No matching distribution found for torch==2.13.0+cu130", 1)
    assert missing.sentence.endswith(": torch==2.13.0+cu130.")
    assert "something new" in failure_of("WARNING: a\nERROR: something new\n", 1).sentence


def test_a_pip_ended_from_outside_is_not_blamed_on_the_network():
    assert failure_of("Collecting torch\n", -9).kind == "interrupted"
