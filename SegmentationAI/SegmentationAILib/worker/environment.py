"""The worker's own Python environment: none or a whole one, made on consent, deletable.

Everything lies in one folder: ``ready`` is the environment that is used; ``making`` is the one that
is being made, or was when the process ended, and is never used; ``cache`` keeps what pip has
downloaded until an environment is whole, so that the next try goes on from there. ``making`` gets
its record last and is then renamed, so that a kill at any moment leaves none or a whole one.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from ..core.progress import IGNORE, Progress
from ..core.staging import clear_leftovers, discard
from ..resources import OWNER_ONLY, data_folder, resource
from .environment_contents import (
    bytes_in,
    damage_of,
    exclusively,
    is_used,
    remove,
    remove_scripts,
    used,
)
from .environment_error import WorkerEnvironmentError, disk_sentences
from .environment_record import (
    PACKAGES,
    RECORD,
    SET_UP_AGAIN,
    VENV,
    EnvironmentRecord,
    broken,
    digest_of,
    read_record,
    write_record,
)
from .gpu_proof import GpuProof, prove
from .host_python import PythonFacts, facts_of, host_python, make_venv, python_of_venv
from .package_source import REQUIREMENTS, PackageSource
from .pip_run import run_pip
from .process import WorkerPython

READY: Final = "ready"
MAKING: Final = "making"
CACHE: Final = "cache"
BUNDLE: Final = "bundle"


@dataclass(frozen=True)
class EnvironmentState:
    """Whether there is an environment to use.

    Attributes:
        kind: ``outdated`` was made for another version of this program.
        sentence: For the person.
        proof: What computed in it when it was made; None without one.
    """

    kind: Literal["absent", "ready", "outdated", "broken"]
    sentence: str
    proof: GpuProof | None = None


class WorkerEnvironment:
    """The environment in one folder.

    Args:
        folder: None for ``environment`` in the person's data folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = data_folder() / "environment" if folder is None else folder

    def where(self) -> Path:
        """Return the folder of the environment that is used, there or not."""
        return self.folder / READY

    def state(self, requirements: Path | None = None) -> EnvironmentState:
        """Return whether there is an environment to use; a look at a few files, no process.

        Args:
            requirements: Those it must have been made for, None for those that ship.
        """
        if not self.where().exists():
            return EnvironmentState("absent", "The worker's environment has not been set up yet.")
        try:
            record = read_record(self.where())
            self._python_of(record)
        except WorkerEnvironmentError as error:
            return EnvironmentState("broken", str(error))
        path = resource(REQUIREMENTS) if requirements is None else requirements
        if record.requirements_sha256 != digest_of(path):
            sentence = "The worker's environment was made for another version. " + SET_UP_AGAIN
            return EnvironmentState("outdated", sentence, record.proof)
        return EnvironmentState("ready", record.proof.badge, record.proof)

    def python(self) -> WorkerPython:
        """Return the interpreter to start the worker with.

        Raises:
            WorkerEnvironmentError: There is none, or it has lost its interpreter.
        """
        if not self.where().exists():
            raise broken("The worker's environment has not been set up.", "absent")
        return self._python_of(read_record(self.where()))

    def make(self, source: PackageSource, progress: Progress = IGNORE) -> GpuProof:
        """Make the environment, in place of the one there may be; return what computes in it.

        Args:
            source: What to install, from where.
            progress: Told ten times a second; when it raises, everything stays as it was, and what
                was downloaded is kept.

        Raises:
            WorkerEnvironmentError: With one sentence and one thing to do.
            OfflineError: It needs the network, and the program is set to stay off it.
        """
        source.check_reachable()
        self.folder.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        with self._changing(progress), disk_sentences():
            making = self.folder / MAKING
            finished = self._whole_already(source)
            if finished is not None:
                making.rename(self.where())
                return finished
            remove(making)
            making.mkdir()
            with ExitStack() as on_failure:
                on_failure.callback(remove, making)
                record = self._fill(making, source, progress)
                write_record(making, record)
                on_failure.pop_all()
            if self.where().exists():
                discard(self.where())
            making.rename(self.where())
            remove(self.folder / CACHE)
        progress(1.0, record.proof.badge)
        return record.proof

    def prove(self, progress: Progress = IGNORE) -> GpuProof:
        """Try everything out again, such as after a new driver; return what computes.

        Raises:
            WorkerEnvironmentError: It is not there, or something in it is broken.
        """
        python = self.python()
        record = read_record(self.where())
        packages = record.packages(self.where())
        damage = damage_of(packages)
        if damage:
            raise broken(f"The worker's environment is damaged ({damage}).")
        return prove(python, packages, record.pins, record.why_cpu, progress)

    def size(self) -> int:
        """Return the bytes on the disk, with what is kept for the next try."""
        return bytes_in(self.folder)

    @contextmanager
    def in_use(self) -> Iterator[WorkerPython]:
        """Give the interpreter for the block; meanwhile nothing is made or deleted.

        Raises:
            WorkerEnvironmentError: There is none, or it is being changed.
        """
        with ExitStack() as until_end:
            with exclusively(self.folder):
                python = self.python()
                until_end.enter_context(used(self.folder))
            yield python

    def delete(self) -> None:
        """Delete everything, also what is kept for the next try.

        Raises:
            WorkerEnvironmentError: A worker runs in it, or it is being changed.
        """
        if not self.folder.exists():
            return
        with self._changing(IGNORE), disk_sentences():
            if self.where().exists():
                discard(self.where())
            for name in (MAKING, CACHE, BUNDLE):
                remove(self.folder / name)

    def _whole_already(self, source: PackageSource) -> GpuProof | None:
        """Return the proof of an environment that lacked only its last renaming."""
        making = self.folder / MAKING
        if self.where().exists() or not (making / RECORD).is_file():
            return None
        record = read_record(making)
        is_same = record.pins == source.pins() and record.build == source.build.tag
        return record.proof if is_same else None

    def _fill(self, making: Path, source: PackageSource, progress: Progress) -> EnvironmentRecord:
        progress(0.0, "Making a Python of the worker's own")
        host = host_python()
        facts = facts_of(host)
        assert facts is not None
        is_venv = make_venv(host, making / VENV)
        python = python_of_venv(making / VENV) if is_venv else host
        listed = making / "requirements.txt"
        listed.write_text(source.requirements_text(), encoding="utf-8")
        words = ["install", "--no-user", "--no-compile", "--no-warn-script-location"]
        words += ["--cache-dir", str(self.folder / CACHE), "--requirement", str(listed)]
        words += [] if is_venv else ["--target", str(making / PACKAGES)]
        pins = source.pins()
        run_pip(python, [*words, *source.pip_words()], source.pip_variables(), len(pins),
                progress.part(0.02, 0.9))  # fmt: skip
        if is_venv:
            remove_scripts(making / VENV)
        draft = self._draft(source, facts, is_venv)
        packages = draft.packages(making)
        if not is_venv:
            python = _with_packages(host, packages)
        proof = prove(python, packages, pins, draft.why_cpu, progress.part(0.9, 0.99))
        return replace(draft, proof=proof)

    def _draft(self, source: PackageSource, facts: PythonFacts, is_venv: bool) -> EnvironmentRecord:
        path = resource(REQUIREMENTS) if source.requirements is None else source.requirements
        why_cpu = source.build.reason if source.build.tag == "cpu" else ""
        form: Literal["venv", "target"] = "venv" if is_venv else "target"
        tag, pins = source.build.tag, source.pins()
        return EnvironmentRecord(
            form, facts.version, digest_of(path), tag, why_cpu, pins, GpuProof("cpu")
        )

    def _python_of(self, record: EnvironmentRecord) -> WorkerPython:
        if record.form == "venv":
            python = python_of_venv(self.where() / VENV)
            if not python.executable.is_file():
                raise broken("The Python that the worker's environment was made with is gone.")
            return python
        host = host_python()
        facts = facts_of(host)
        if facts is None or facts.version != record.version:
            raise broken("The worker's environment was made with another version of Python.")
        return _with_packages(host, self.where() / PACKAGES)

    @contextmanager
    def _changing(self, progress: Progress) -> Iterator[None]:
        """Hold the folder's lock, nobody using the environment, leftovers of the dead removed."""
        with exclusively(self.folder, progress):
            if is_used(self.folder):
                raise WorkerEnvironmentError(
                    "in-use",
                    "A worker is running in this environment.",
                    "Stop it in the settings, or close the other Slicer, and try again.",
                )
            clear_leftovers(self.folder)
            yield


def _with_packages(host: WorkerPython, packages: Path) -> WorkerPython:
    return WorkerPython(host.executable, (packages,), host.flags, host.variables)
