"""What is kept of how an environment was made; that it is there means that the rest is."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from ..core.atomic import whole_file
from .environment_contents import site_folder
from .environment_error import WorkerEnvironmentError
from .gpu_proof import GpuProof

RECORD: Final = "environment.json"
VENV: Final = "python"
PACKAGES: Final = "packages"
SET_UP_AGAIN: Final = "Set it up again in the settings."


@dataclass(frozen=True)
class EnvironmentRecord:
    """How an environment was made.

    Attributes:
        form: A virtual environment, or a folder beside the host's interpreter.
        version: Of Python.
        requirements_sha256: Of the list of packages, before PyTorch's build was put in.
        build: Tag of PyTorch's build.
        why_cpu: Why that is the CPU build; empty when it is not.
        pins: Version of each package.
        proof: What computed in it.
    """

    form: Literal["venv", "target"]
    version: tuple[int, int]
    requirements_sha256: str
    build: str
    why_cpu: str
    pins: dict[str, str]
    proof: GpuProof

    def packages(self, folder: Path) -> Path:
        """Return where the packages lie when the environment lies in ``folder``."""
        if self.form == "target":
            return folder / PACKAGES
        return site_folder(folder / VENV, self.version)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a list of packages, as hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_record(folder: Path, record: EnvironmentRecord) -> None:
    """Write the record, whole or not at all.

    The packages' files are not forced to the disk one by one: 30 000 of them take minutes. What a
    power cut takes of them is found by their sizes when the environment is tried out.
    """
    with whole_file(folder / RECORD) as temporary:
        temporary.write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")


def read_record(folder: Path) -> EnvironmentRecord:
    """Return the record of an environment.

    Raises:
        WorkerEnvironmentError: It is not there, or is none.
    """
    try:
        facts: Any = json.loads((folder / RECORD).read_bytes())
        facts["version"] = (int(facts["version"][0]), int(facts["version"][1]))
        return EnvironmentRecord(**{**facts, "proof": GpuProof(**facts["proof"])})
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise broken("The worker's environment is damaged.") from error


def broken(
    sentence: str, kind: Literal["absent", "not-working"] = "not-working"
) -> WorkerEnvironmentError:
    """Return the error for an environment that cannot be used."""
    return WorkerEnvironmentError(kind, sentence, SET_UP_AGAIN)
