"""Where packages come from: an index behind a proxy, or a folder without any network."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..core.offline import OFFLINE_VARIABLE, check_online, is_offline
from ..resources import resource
from .torch_build import TorchBuild

REQUIREMENTS: Final = "requirements-worker.txt"
# pip knows only the last two; OpenSSL, and so the rest of this program, only the first.
CA_VARIABLES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PIN: Final = re.compile(
    r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*==\s*([A-Za-z0-9.!+_-]+)", re.MULTILINE
)
# What pip must not take from the person's own set-up: all of these lead elsewhere.
_UNWANTED: Final = frozenset(
    f"PIP_{name}"
    for name in (
        "TARGET", "PREFIX", "ROOT", "USER", "SRC", "REQUIRE_VIRTUALENV", "NO_DEPS", "CONSTRAINT",
        "REQUIREMENT", "PYTHON", "DRY_RUN", "REPORT", "NO_BINARY", "PLATFORM", "PYTHON_VERSION",
        "NO_INDEX", "LOG", "QUIET", "VERBOSE", "CACHE_DIR", "NO_CACHE_DIR", "REQUIRE_HASHES",
    )
)  # fmt: skip


@dataclass(frozen=True)
class PackageSource:
    """What is installed and from where.

    Attributes:
        build: Which PyTorch, see `choose_build`.
        requirements: Exact versions, one a line; None for those that ship.
        index: Address of the index of all else; empty for pip's own, which is PyPI unless the
            person's pip is set up otherwise.
        proxy: ``http://[user:password@]host:port``; empty for the system's.
        ca_file: Certificate authorities; None for the system's.
        wheels: A folder of wheels; then no network is used.
    """

    build: TorchBuild
    requirements: Path | None = None
    index: str = ""
    proxy: str = ""
    ca_file: Path | None = None
    wheels: Path | None = None

    def requirements_text(self) -> str:
        """Return the requirements, PyTorch by the full version of its build.

        Asked for by its plain version, pip would fall back to the CPU build on Windows when the
        index of the CUDA builds is out of reach.
        """
        path = resource(REQUIREMENTS) if self.requirements is None else self.requirements
        text = path.read_text(encoding="utf-8")
        if not self.build.is_cuda:
            return text
        return re.sub(r"(?m)^(torch==[0-9.]+)\s*$", rf"\g<1>+{self.build.tag}", text)

    def pins(self) -> dict[str, str]:
        """Return the version of each package that is named, by its normal name."""
        return {
            normal_name(name): version for name, version in _PIN.findall(self.requirements_text())
        }

    def check_reachable(self) -> None:
        """Raise when this wants the network and the program is set to stay off it.

        Raises:
            OfflineError: So it is.
        """
        if self.wheels is None:
            check_online("Setting up the worker's environment")

    def pip_words(self) -> list[str]:
        """Return pip's options for this source."""
        if self.wheels is not None:
            return ["--no-index", "--find-links", str(self.wheels)]
        words = ["--index-url", self.index] if self.index else []
        words += ["--extra-index-url", self.build.index] if self.build.index else []
        words += ["--proxy", self.proxy] if self.proxy else []
        ca_file = self.trusted_file()
        return words + (["--cert", str(ca_file)] if ca_file else [])

    def pip_variables(self) -> Mapping[str, str]:
        """Return the variables for pip; what the person's own pip is set up with is kept.

        The system's proxy needs none: pip finds it where the system keeps it, as this does.
        """
        if self.wheels is not None or is_offline():
            return {OFFLINE_VARIABLE: "1", "PIP_CONFIG_FILE": os.devnull}
        ca_file = self.trusted_file()
        # The variable is stronger than --cert in requests, which pip is built on.
        return {"REQUESTS_CA_BUNDLE": str(ca_file)} if ca_file else {}

    def trusted_file(self) -> Path | None:
        """Return the CA file that holds here, None for pip's own choice."""
        if self.ca_file is not None:
            return self.ca_file
        named = (os.environ.get(variable) for variable in CA_VARIABLES)
        return next((Path(name) for name in named if name), None)


def normal_name(name: str) -> str:
    """Return a package's name in its one normal form (PEP 503).

    Examples:
        >>> normal_name("SimpleITK"), normal_name("fill_voids")
        ('simpleitk', 'fill-voids')
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def without_unwanted(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those that would send pip's work elsewhere."""
    return {name: value for name, value in variables.items() if name.upper() not in _UNWANTED}
