"""Run every benchmark in a process of its own and write RESULTS.md with the machine named."""

import argparse
import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

FOLDER = Path(__file__).resolve().parent
PEERS = (
    "torch", "monai", "nnunetv2", "TotalSegmentator", "SimpleITK", "nibabel", "scipy",
    "scikit-image",
    "connected-components-3d", "edt", "openvino", "slicer-core", "vtk", "isal", "zlib-ng",
)  # fmt: skip


def machine() -> str:
    """Return processor, cores, memory, system and package versions as markdown."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        name = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), name)
        flags = next((x.split(":")[1].split() for x in lines if x.startswith("flags")), [])
        name += "".join(f", {f}" for f in ("avx512f", "avx512_bf16", "amx_bf16") if f in flags)
    memory = psutil.virtual_memory().total / 2**30
    packages = ", ".join(f"{peer} {_version(peer)}" for peer in PEERS)
    return (
        f"Machine: {name}; {psutil.cpu_count()} cores; {memory:.0f} GiB; {platform.system()}; "
        f"Python {platform.python_version()}.\n\nPackages: {packages}."
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def main() -> int:
    """Run the benchmarks that are named (all by default) and replace their part of the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="topics, such as resampling; all by default")
    names = parser.parse_args().names
    scripts = sorted(FOLDER.glob("bench_*.py"))
    if names:
        scripts = [s for s in scripts if s.stem.removeprefix("bench_") in names]
    parts = FOLDER / ".parts"
    parts.mkdir(exist_ok=True)
    failed = []
    for script in scripts:
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, str(script)], capture_output=True, text=True, check=False, cwd=FOLDER
        )
        print(f"{script.stem}: {time.monotonic() - started:.0f} s, exit {done.returncode}")
        if done.returncode:
            failed.append(script.stem)
            print(done.stderr[-2000:])
        else:
            (parts / f"{script.stem}.md").write_text(done.stdout, encoding="utf-8")
    sections = [p.read_text(encoding="utf-8") for p in sorted(parts.glob("bench_*.md"))]
    header = f"# Measured side by side\n\nMade by `make benchmark`. {machine()}\n\n"
    (FOLDER / "RESULTS.md").write_text(header + "\n".join(sections), encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
