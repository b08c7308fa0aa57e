"""Make the virtual environment that the command line, the demo and the tests run in.

Runs under any Python 3.11 or 3.12 with the standard library alone. What is installed is pinned in
`Resources/requirements-worker.txt` and `Testing/requirements.txt`; a second run does nothing.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import urllib.request
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ("Resources/requirements-worker.txt", "Testing/requirements.txt")
BENCHMARK_REQUIREMENTS = (*REQUIREMENTS, "Testing/benchmarks/requirements.txt")
# Off-screen rendering of Slicer's views, and Qt without a screen; harmless where they are already.
DEBIAN_LIBRARIES = (
    "libosmesa6",
    "libegl1",
    "libgl1-mesa-dri",
    "libxrender1",
    "libxcursor1",
    "libxkbcommon0",
    "libdbus-1-3",
    "libfontconfig1",
)
PROBE_SECONDS = 4


def main() -> int:
    """Set up the environment that is asked for; print one line per step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--benchmark", action="store_true", help="with the peers, .venv-benchmark")
    benchmark = parser.parse_args().benchmark
    if not (3, 11) <= sys.version_info[:2] <= (3, 12):
        print(f"error: Python 3.11 or 3.12 is needed, this is {sys.version.split()[0]}")
        return 2
    folder = ROOT / (".venv-benchmark" if benchmark else ".venv")
    requirements = [ROOT / name for name in (BENCHMARK_REQUIREMENTS if benchmark else REQUIREMENTS)]
    stamp, wanted = folder / "set-up.sha256", digest([*requirements, ROOT / "pyproject.toml"])
    if stamp.exists() and stamp.read_text() == wanted:
        return 0
    install_debian_libraries()
    print(f"Setting up {folder.name} (a few minutes, about 3 GB)", flush=True)
    if not (folder / "pyvenv.cfg").exists():
        venv.create(folder, with_pip=True)
    install_packages(python_of(folder), requirements)
    stamp.write_text(wanted)
    return 0


def digest(files: list[Path]) -> str:
    """Return one hash of all ``files``, so that a change of a pin sets up again."""
    whole = b"".join(file.read_bytes() for file in files)
    return hashlib.sha256(whole).hexdigest()


def python_of(folder: Path) -> Path:
    """Return the interpreter of a virtual environment on this system."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def install_packages(python: Path, requirements: list[Path]) -> None:
    """Install everything in one transaction of pip, then this project itself, editable."""
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    files = [part for file in requirements for part in ("-r", str(file))]
    subprocess.run([*pip, *torch_options(), *files], check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)], check=True)


def torch_options() -> list[str]:
    """Return pip options that choose PyTorch's CPU build where there is no NVIDIA driver."""
    if shutil.which("nvidia-smi"):
        return []
    index = json.loads((ROOT / "Resources/torch-wheels.json").read_text())["cpu"]
    try:
        urllib.request.urlopen(f"{index}/torch/", timeout=PROBE_SECONDS).close()
    except OSError:
        print("PyTorch's own wheel index does not answer; pip's usual source is used instead")
        return []
    return ["--extra-index-url", index]


def install_debian_libraries() -> None:
    """Install the libraries for off-screen views where the user may; else say how."""
    apt = shutil.which("apt-get")
    if not apt or all(has_debian_package(name) for name in DEBIAN_LIBRARIES):
        return
    if os.geteuid() != 0:
        print(f"For 3D pictures: sudo apt-get install {' '.join(DEBIAN_LIBRARIES)}")
        return
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": False}
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([apt, "update", "-q"], env=environment, **quiet)
    done = subprocess.run([apt, "install", "-y", "-q", *DEBIAN_LIBRARIES], env=environment, **quiet)
    if done.returncode:
        print("The off-screen libraries could not be installed; pictures will be plain slices")


def has_debian_package(name: str) -> bool:
    """Return whether dpkg says that ``name`` is installed."""
    done = subprocess.run(
        ["dpkg-query", "-W", "-f=${Status}", name], capture_output=True, text=True, check=False
    )
    return "install ok installed" in done.stdout


if __name__ == "__main__":
    raise SystemExit(main())
