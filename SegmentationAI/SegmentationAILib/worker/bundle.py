"""The environment as one file, for computers without a network: wheels, their list and hashes."""

import hashlib
import json
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ..core.archive import extract
from ..core.atomic import whole_file
from ..core.errors import WeightsError
from ..core.progress import IGNORE, Progress
from ..core.staging import clear_leftovers, staged
from ..resources import OWNER_ONLY, resource
from .environment import BUNDLE, WorkerEnvironment
from .environment_contents import exclusively
from .environment_error import WorkerEnvironmentError, disk_sentences
from .gpu_proof import GpuProof
from .host_python import host_python
from .package_source import REQUIREMENTS, PackageSource
from .pip_run import run_pip
from .torch_build import TorchBuild

CONTENTS: Final = "bundle.json"
WHEELS: Final = "wheels"
LONGEST_CONTENTS: Final = 1 << 20
CHUNK: Final = 1 << 20
_TIME: Final = (1980, 1, 1, 0, 0, 0)
_EXPORT: Final = "Export it on a computer with the same system and the same version of Slicer."


def export_bundle(
    environment: WorkerEnvironment,
    source: PackageSource,
    target: Path,
    progress: Progress = IGNORE,
) -> None:
    """Write everything that `import_bundle` needs into one zip file, which appears whole.

    Args:
        environment: Its folder is used for the downloads.
        source: What to download, from where; for the build of PyTorch of the other computer.
        target: The file.
        progress: Told ten times a second.

    Raises:
        WorkerEnvironmentError: A download failed.
        OfflineError: The program is set to stay off the network.
        SegmentationAIError: ``target`` cannot be written.
    """
    source.check_reachable()
    with _folder_beside(environment) as place:
        wheels = place / WHEELS
        listed = place / REQUIREMENTS
        listed.write_text(source.requirements_text(), encoding="utf-8")
        words = ["download", "--no-cache-dir", "--dest", str(wheels), "--requirement", str(listed)]
        run_pip(host_python(), [*words, *source.pip_words()], source.pip_variables(),
                len(source.pins()), progress.part(0.0, 0.8))  # fmt: skip
        _pack(sorted(wheels.iterdir()), source, target, progress.part(0.8, 1.0))


def import_bundle(
    environment: WorkerEnvironment,
    bundle: Path,
    progress: Progress = IGNORE,
    requirements: Path | None = None,
) -> GpuProof:
    """Make the environment from a bundle, without any network; return what computes in it.

    Args:
        environment: To make.
        bundle: As `export_bundle` wrote it.
        progress: Told ten times a second.
        requirements: Those that the bundle must be for, None for those that ship.

    Raises:
        WorkerEnvironmentError: The bundle is damaged, changed, or for another computer, or the
            environment could not be made.
    """
    wanted = resource(REQUIREMENTS) if requirements is None else requirements
    with _folder_beside(environment) as folder:
        try:
            extract(bundle, folder, progress.part(0.0, 0.2))
        except WeightsError as error:
            raise _refused(str(error)) from error
        contents = _checked_contents(folder, wanted)
        build = TorchBuild(contents["build"], "", "the bundle holds that build")
        # The host's own list, not the bundle's: they are the same, or the bundle was refused.
        source = PackageSource(build, wanted, wheels=folder / WHEELS)
        return environment.make(source, progress.part(0.2, 1.0))


@contextmanager
def _folder_beside(environment: WorkerEnvironment) -> Iterator[Path]:
    """Give an empty folder on the environment's disk, under a lock, so that leftovers can go."""
    place = environment.folder / BUNDLE
    with disk_sentences():
        place.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        with exclusively(place):
            clear_leftovers(place)
            with staged(place) as folder:
                yield folder


def _pack(wheels: list[Path], source: PackageSource, target: Path, progress: Progress) -> None:
    requirements = resource(REQUIREMENTS) if source.requirements is None else source.requirements
    contents = {
        "python": _python(),
        "system": sysconfig.get_platform(),
        "build": source.build.tag,
        "requirements_sha256": _sha256(requirements),
        "wheels": {wheel.name: _sha256(wheel) for wheel in wheels},
    }
    with whole_file(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(zipfile.ZipInfo(CONTENTS, _TIME), json.dumps(contents, indent=1))
        for number, wheel in enumerate(wheels):
            progress(number / len(wheels), f"Packing {wheel.name}")
            entry = zipfile.ZipInfo(f"{WHEELS}/{wheel.name}", _TIME)
            with wheel.open("rb") as plain, archive.open(entry, "w", force_zip64=True) as packed:
                while chunk := plain.read(CHUNK):
                    packed.write(chunk)
                    progress(number / len(wheels), f"Packing {wheel.name}")


def _checked_contents(folder: Path, requirements: Path) -> Any:
    """Return the bundle's own description after everything in it was found true."""
    try:
        described = folder / CONTENTS
        if described.stat().st_size > LONGEST_CONTENTS:
            raise ValueError("too long")
        contents = json.loads(described.read_bytes())
        python, system = str(contents["python"]), str(contents["system"])
        digest, hashes = str(contents["requirements_sha256"]), dict(contents["wheels"])
        contents["build"] = str(contents["build"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _refused("The file is not a bundle of this program.") from error
    here = (_python(), sysconfig.get_platform())
    if (python, system) != here:
        raise _refused(
            f"The bundle is for Python {python[:20]} on {system[:40]}, this is Python {here[0]} on "
            f"{here[1]}."
        )
    if digest != _sha256(requirements):
        raise _refused("The bundle is for another version of this program.")
    found = {path.name: path for path in (folder / WHEELS).glob("*")}
    if found.keys() != hashes.keys():
        raise _refused("The bundle does not hold the packages that it lists.")
    for name, path in found.items():
        if _sha256(path) != hashes[name]:
            raise _refused(f"The bundle's package {name[:80]} was changed (its hash differs).")
    return contents


def _python() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _refused(sentence: str) -> WorkerEnvironmentError:
    return WorkerEnvironmentError("bundle", sentence, _EXPORT)
