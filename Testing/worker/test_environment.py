"""The worker's environment with tiny wheels: made, refused, broken on purpose, used, deleted."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from tiny_wheels import CPU, names_in, requirements, run_in, source_of, tiny_set, torch_code, wheel

from SegmentationAILib.core.errors import Cancelled
from SegmentationAILib.core.offline import OFFLINE_VARIABLE, OfflineError
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.worker import environment as environment_module
from SegmentationAILib.worker.environment import WorkerEnvironment
from SegmentationAILib.worker.environment_error import WorkerEnvironmentError
from SegmentationAILib.worker.package_source import PackageSource

WHERE = "import tiny_net, tiny_part, torch; print(tiny_part.__file__, torch.__version__)"


@pytest.fixture
def the_wheels(tmp_path):
    tiny_set(tmp_path / "wheels")
    return tmp_path / "wheels"


@pytest.fixture
def an_environment(tmp_path):
    return WorkerEnvironment(tmp_path / "Größe 1" / "environment")


@pytest.fixture(scope="module")
def one_made_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    tiny_set(folder / "wheels")
    environment = WorkerEnvironment(folder / "environment")
    environment.make(source_of(folder / "wheels"))
    return environment


@pytest.fixture
def a_made_one(an_environment, one_made_once):
    """A copy: an environment does not mind where it lies, or it could not be renamed."""
    shutil.copytree(one_made_once.folder, an_environment.folder, symlinks=True)
    return an_environment


def state(environment, wheels):
    path = wheels.parent / "requirements.txt"
    return environment.state(path if path.exists() else requirements(wheels.parent)).kind


def failure(call, *arguments) -> WorkerEnvironmentError:
    with pytest.raises(WorkerEnvironmentError) as caught:
        call(*arguments)
    return caught.value


def test_a_made_environment_loads_its_own_packages_and_says_what_computes(
    an_environment, the_wheels
):
    seen = []
    source = source_of(the_wheels)
    proof = an_environment.make(source, Progress(lambda f, s: seen.append((f, s))))
    file, version = run_in(an_environment.python(), WHERE).split(" 2.0")
    assert Path(file).is_relative_to(an_environment.where().resolve())
    assert version == "+cpu"
    assert proof.badge == "CPU only, because there is no NVIDIA driver."
    assert an_environment.state(source.requirements).sentence == proof.badge
    assert state(an_environment, the_wheels) == "ready"
    assert names_in(an_environment) == {"ready"}
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert any("tiny" in sentence for _, sentence in seen)


def test_the_hosts_own_packages_are_as_they_were(an_environment, the_wheels):
    own = Path(sysconfig.get_path("purelib"))
    before = {entry.name: entry.stat().st_mtime_ns for entry in own.iterdir()}
    an_environment.make(source_of(the_wheels))
    an_environment.delete()
    assert {entry.name: entry.stat().st_mtime_ns for entry in own.iterdir()} == before


def test_the_hosts_packages_are_not_seen_from_inside(a_made_one):
    code = "import importlib.util as u; print([u.find_spec(n) for n in ('numpy', 'pip')])"
    assert run_in(a_made_one.python(), code) == "[None, None]"


def test_settings_of_the_persons_own_pip_do_not_lead_elsewhere(
    an_environment, the_wheels, tmp_path, monkeypatch
):
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "elsewhere"))
    an_environment.make(source_of(the_wheels))
    assert not (tmp_path / "elsewhere").exists()
    assert state(an_environment, the_wheels) == "ready"


def test_a_package_that_is_nowhere_leaves_nothing_and_the_next_try_works(
    an_environment, the_wheels
):
    part = next(the_wheels.glob("tiny_part*"))
    part.rename(the_wheels / "hidden")
    error = failure(an_environment.make, source_of(the_wheels))
    assert error.kind == "no-match"
    assert "tiny-part" in error.sentence
    assert names_in(an_environment) <= {"cache"}
    assert state(an_environment, the_wheels) == "absent"
    assert failure(an_environment.python).kind == "absent"
    (the_wheels / "hidden").rename(part)
    an_environment.make(source_of(the_wheels))
    assert state(an_environment, the_wheels) == "ready"


def test_a_damaged_wheel_is_named_as_such(an_environment, the_wheels):
    next(the_wheels.glob("tiny_part*")).write_bytes(b"PK\x03\x04 cut off")
    assert failure(an_environment.make, source_of(the_wheels)).kind == "damaged"
    assert names_in(an_environment) <= {"cache"}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise ImportError('no libgomp')", "no libgomp"),
        ("import os; os._exit(7)", "exit status 7"),
    ],
)
def test_a_package_that_does_not_load_fails_the_whole(an_environment, the_wheels, code, expected):
    wheel(the_wheels, "tiny_part", "1.1", {"tiny_part.py": code + "\n"})
    error = failure(an_environment.make, source_of(the_wheels))
    assert error.kind == "not-working"
    assert expected in error.sentence
    assert names_in(an_environment) <= {"cache"}


@pytest.mark.slow
def test_wrong_numbers_from_a_kernel_fail_the_whole(an_environment, the_wheels):
    wheel(the_wheels, "torch", "2.0", {"torch/__init__.py": torch_code("2.0", convolved=5831)})
    error = failure(an_environment.make, source_of(the_wheels))
    assert error.kind == "not-working"
    assert "5831" in error.sentence


def test_a_failed_update_keeps_the_environment_that_was_there(a_made_one, the_wheels):
    newer = source_of(the_wheels, CPU, "torch==2.0", "tiny-net==9")
    assert failure(a_made_one.make, newer).kind == "no-match"
    assert run_in(a_made_one.python(), WHERE)
    assert state(a_made_one, the_wheels) == "outdated"


@pytest.mark.parametrize("word", ["Python of the worker's", "Installing", "Trying out"])
def test_cancel_leaves_everything_as_it_was(an_environment, the_wheels, word):
    def cancel(_: float, sentence: str) -> None:
        if word in sentence:
            raise Cancelled

    with pytest.raises(Cancelled):
        an_environment.make(source_of(the_wheels), Progress(cancel))
    assert names_in(an_environment) <= {"cache"}
    assert state(an_environment, the_wheels) == "absent"


def test_without_a_venv_the_packages_go_into_a_folder(an_environment, the_wheels, monkeypatch):
    monkeypatch.setattr(environment_module, "make_venv", lambda *_: False)
    an_environment.make(source_of(the_wheels))
    python = an_environment.python()
    assert python.paths == (an_environment.where() / "packages",)
    file = run_in(python, WHERE).split(" 2.0")[0]
    assert Path(file).parent == an_environment.where() / "packages"
    assert an_environment.prove().kind == "cpu"


def break_a_file(environment):
    next(environment.where().rglob("tiny_part.py")).unlink()


def cut_a_file(environment):
    next(environment.where().rglob("tiny_part.py")).write_text("VALUE")


def lose_the_record(environment):
    (environment.where() / "environment.json").unlink()


def spoil_the_record(environment):
    (environment.where() / "environment.json").write_text('{"form": 1}')


def lose_the_interpreter(environment):
    environment.python().executable.unlink()


@pytest.mark.parametrize("hurt", [break_a_file, cut_a_file])
def test_a_file_that_was_changed_is_found_when_it_is_tried_out(a_made_one, hurt):
    hurt(a_made_one)
    error = failure(a_made_one.prove)
    assert error.kind == "not-working"
    assert "tiny_part.py" in error.sentence


@pytest.mark.parametrize("hurt", [lose_the_record, spoil_the_record, lose_the_interpreter])
def test_an_environment_broken_on_purpose_is_not_used(a_made_one, the_wheels, hurt):
    hurt(a_made_one)
    assert state(a_made_one, the_wheels) == "broken"
    assert failure(a_made_one.python).kind == "not-working"


def test_a_broken_environment_can_be_made_again(a_made_one, the_wheels):
    lose_the_record(a_made_one)
    a_made_one.make(source_of(the_wheels))
    assert state(a_made_one, the_wheels) == "ready"


def test_its_size_is_the_sum_of_its_files_and_nothing_once_deleted(a_made_one):
    files = [path for path in a_made_one.folder.rglob("*") if not path.is_dir()]
    assert a_made_one.size() == sum(path.lstat().st_size for path in files)
    a_made_one.delete()
    assert a_made_one.size() == 0
    assert names_in(a_made_one) == set()
    a_made_one.delete()


def test_deleting_what_was_never_made_is_no_error(an_environment):
    an_environment.delete()
    assert not an_environment.folder.exists()


USER = """
import sys, time
from pathlib import Path
from SegmentationAILib.worker.environment import WorkerEnvironment
with WorkerEnvironment(Path(sys.argv[1])).in_use() as python:
    print("running", flush=True)
    time.sleep(60)
"""


def test_it_is_neither_deleted_nor_made_again_while_a_worker_runs(a_made_one, the_wheels):
    user = subprocess.Popen(
        [sys.executable, "-c", USER, str(a_made_one.folder)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert user.stdout.readline() == b"running\n"
        for call in (a_made_one.delete, lambda: a_made_one.make(source_of(the_wheels))):
            error = failure(call)
            assert error.kind == "in-use"
            assert "running" in error.sentence
        assert state(a_made_one, the_wheels) == "ready"
        user.send_signal(signal.SIGKILL)
        user.wait()
        a_made_one.delete()
        assert state(a_made_one, the_wheels) == "absent"
    finally:
        user.kill()
        user.wait()
        user.stdout.close()


def test_two_at_once_do_not_disturb_each_other(a_made_one, the_wheels, monkeypatch):
    monkeypatch.setattr("SegmentationAILib.worker.environment_contents.SECONDS_FOR_LOCK", 0.1)
    kinds = []

    def meanwhile(fraction: float, _: str) -> None:
        if not kinds and fraction > 0:
            kinds.append(failure(a_made_one.delete).kind)

    a_made_one.make(source_of(the_wheels), Progress(meanwhile))
    assert kinds == ["busy"]
    assert state(a_made_one, the_wheels) == "ready"


def test_with_the_switch_set_an_index_is_not_asked(an_environment, tmp_path, monkeypatch):
    monkeypatch.setenv(OFFLINE_VARIABLE, "1")
    source = PackageSource(CPU, requirements(tmp_path), index="https://pypi.example.org/simple")
    with pytest.raises(OfflineError, match="offline bundle"):
        an_environment.make(source)
    assert not an_environment.folder.exists()


@pytest.mark.parametrize(("number", "kind"), [(13, "permission"), (28, "disk")])
def test_what_the_disk_refuses_is_said(an_environment, the_wheels, monkeypatch, number, kind):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(environment_module, "write_record", refuse)
    assert failure(an_environment.make, source_of(the_wheels)).kind == kind
    assert names_in(an_environment) <= {"cache"}
