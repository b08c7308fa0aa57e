"""A look at this computer before anything is downloaded: what will work, and what will not."""

import configparser
import os
import shutil
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from ..core.offline import is_offline
from .machine_memory import total_memory_bytes
from .nvidia_driver import NvidiaDriver
from .package_source import PackageSource

GIB: Final = 1 << 30
# Measured for the CPU build on Linux: 1.6 GiB of packages, and while it is made pip's downloads
# beside them. Estimated for the CUDA build, which brings NVIDIA's libraries.
CPU_BYTES: Final = 3 * GIB
CUDA_BYTES: Final = 12 * GIB
LEAST_MEMORY: Final = 4 * GIB
ENOUGH_MEMORY: Final = 8 * GIB
OLDEST_PYTHON: Final = (3, 11)
NEWEST_PYTHON: Final = (3, 12)
NETWORK_SECONDS: Final = 8
PROXY_WANTS_PASSWORD: Final = 407


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: What it is about.
        state: ``stop`` when the set-up would fail.
        sentence: For the person.
    """

    subject: Literal["python", "disk", "memory", "gpu", "network"]
    state: Literal["ok", "warn", "stop"]
    sentence: str


@dataclass(frozen=True)
class Machine:
    """What is looked at; a test hands over another machine.

    Attributes:
        version: Of Python.
        free_bytes: Of the disk that holds a folder.
        memory_bytes: Of this computer, 0 when it is not known.
    """

    version: tuple[int, int] = sys.version_info[:2]
    free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free
    memory_bytes: Callable[[], int] = total_memory_bytes


def preflight(
    folder: Path,
    source: PackageSource,
    driver: NvidiaDriver | None,
    machine: Machine | None = None,
) -> list[Finding]:
    """Return what was found; the network is asked only when the source needs it.

    Args:
        folder: Of the environment, there or not.
        source: What would be installed.
        driver: As `read_driver` returns it.
        machine: None for this one.
    """
    seen = Machine() if machine is None else machine
    return [
        _python(seen.version),
        _disk(folder, source, seen),
        _memory(seen.memory_bytes()),
        _gpu(source, driver),
        *_network(source),
    ]


def _python(version: tuple[int, int]) -> Finding:
    said = f"Python {version[0]}.{version[1]}"
    if version < OLDEST_PYTHON:
        return Finding("python", "stop", f"{said} is too old; a newer Slicer has 3.11 or newer.")
    if version > NEWEST_PYTHON:
        return Finding("python", "warn", f"{said} is newer than what was tested (3.11 and 3.12).")
    return Finding("python", "ok", f"{said} fits.")


def _disk(folder: Path, source: PackageSource, machine: Machine) -> Finding:
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    needed = CUDA_BYTES if source.build.is_cuda else CPU_BYTES
    free = machine.free_bytes(there)
    said = f"{free / GIB:.1f} GB are free on the disk"
    if free < needed:
        return Finding("disk", "stop", f"Only {said}; {needed / GIB:.0f} GB are needed.")
    if free < needed + 2 * GIB:
        return Finding("disk", "warn", f"{said}; the set-up leaves little of it.")
    return Finding("disk", "ok", f"{said}; {needed / GIB:.0f} GB are needed.")


def _memory(total: int) -> Finding:
    if total == 0:
        return Finding("memory", "warn", "This computer does not say how much memory it has.")
    said = f"{total / GIB:.0f} GB of memory"
    if total < LEAST_MEMORY:
        return Finding("memory", "warn", f"Only {said}; even small networks may not fit.")
    if total < ENOUGH_MEMORY:
        return Finding("memory", "warn", f"{said}; large networks will not fit.")
    return Finding("memory", "ok", f"{said}.")


def _gpu(source: PackageSource, driver: NvidiaDriver | None) -> Finding:
    build = source.build
    if build.is_cuda and driver is not None and driver.gpus:
        name = driver.gpus[0].name
        return Finding("gpu", "ok", f"{name} with {build.tag}, because {build.reason}.")
    if sys.platform == "darwin":
        return Finding("gpu", "ok", "Whether the Apple GPU works is tried out at the end.")
    if build.tag != "cpu":
        return Finding("gpu", "warn", f"The build of PyTorch is the index's, as {build.reason}.")
    return Finding("gpu", "warn", f"CPU only, because {build.reason}.")


def _network(source: PackageSource) -> list[Finding]:
    if source.wheels is not None:
        return [Finding("network", "ok", "No network is needed.")]
    if is_offline():
        sentence = "The program is set to stay off the network; import an offline bundle."
        return [Finding("network", "stop", sentence)]
    usual, pytorch = source.index or configured_index(), source.build.index
    addresses = [address for address in dict.fromkeys([usual, pytorch]) if address]
    with ThreadPoolExecutor(2) as both:
        found = list(both.map(lambda address: _reach(address, source), addresses))
    has_other = bool(pytorch) and pytorch != usual
    if has_other and not source.build.is_cuda and found[-1].state == "stop":
        # The usual index has a build that runs on the CPU too.
        found[-1] = replace(found[-1], state="warn")
    return found


def configured_index() -> str:
    """Return the index that pip's variable or files name, empty where pip takes its own.

    Its own is not asked beforehand: pip knows the address, and says so itself when it is silent.
    """
    named = os.environ.get("PIP_INDEX_URL", "")
    for path in _pip_files() if not named else ():
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        named = named or parser.get("global", "index-url", fallback="")
    return named


def _pip_files() -> list[Path]:
    name = "pip.ini" if os.name == "nt" else "pip.conf"
    roots = [Path(sys.prefix), Path.home() / ".config" / "pip", Path.home() / ".pip", Path("/etc")]
    if os.name == "nt":
        roots = [Path(sys.prefix)]
        roots += [
            Path(os.environ[v]) / "pip" for v in ("APPDATA", "PROGRAMDATA") if v in os.environ
        ]
    if sys.platform == "darwin":
        roots.append(Path.home() / "Library" / "Application Support" / "pip")
    own = os.environ.get("PIP_CONFIG_FILE")
    return ([Path(own)] if own else []) + [root / name for root in roots]


def _reach(address: str, source: PackageSource) -> Finding:
    """Return whether an index answers, through the proxy and the authorities that pip will use."""
    host = urllib.parse.urlsplit(address).hostname or address
    try:
        proxies = {"http": source.proxy, "https": source.proxy} if source.proxy else None
        context = ssl.create_default_context(cafile=source.trusted_file())
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler(proxies), urllib.request.HTTPSHandler(context=context)
        )
        opener.open(address.rstrip("/") + "/pip/", timeout=NETWORK_SECONDS).close()
    except urllib.error.HTTPError as error:
        if error.code == PROXY_WANTS_PASSWORD:
            return _no(f"The proxy on the way to {host} asks for a user name and password (407).")
        # Any answer of the index itself proves the way; an index of PyTorch alone has no pip.
    except (OSError, ValueError) as error:
        return _no(_why(host, error))
    return Finding("network", "ok", f"{host} answers.")


def _why(host: str, error: Exception) -> str:
    said = str(getattr(error, "reason", "") or error) or type(error).__name__
    if PROXY_WANTS_PASSWORD in _numbers(said):
        return f"The proxy on the way to {host} asks for a user name and password (407)."
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return f"The certificate of {host} is not trusted; name your CA file in the settings."
    proxies = urllib.request.getproxies()
    through = (
        f" through the proxy {_without_password(proxies['https'])}" if "https" in proxies else ""
    )
    return f"{host} does not answer{through} ({said[:120]}); check the network and proxy settings."


def _numbers(text: str) -> set[int]:
    return {int(word) for word in text.replace(":", " ").split() if word.isdigit()}


def _without_password(address: str) -> str:
    return address.rsplit("@", 1)[-1].rsplit("//", 1)[-1]


def _no(sentence: str) -> Finding:
    return Finding("network", "stop", sentence)
