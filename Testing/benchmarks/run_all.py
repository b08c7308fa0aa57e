"""Run every benchmark in a process of its own and write RESULTS.md with the machine named.

Every topic is a section of its own that says where it was measured, so that one that is run again
replaces its own section and no other.
"""

import argparse
import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

TITLE = "# Measured side by side\n\nMade by `make benchmark`; each section names its machine.\n"
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


def sections_of(text: str) -> dict[str, str]:
    """Return the sections ``## topic`` of a results file by topic, headings included."""
    found = {}
    for part in text.split("\n## ")[1:]:
        found[part.partition("\n")[0].strip()] = f"## {part.rstrip()}\n"
    return found


def main() -> int:
    """Run the benchmarks that are named (all by default) and replace their sections."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="topics, such as resampling; all by default")
    names = parser.parse_args().names
    failed = []
    for script in sorted(FOLDER.glob("bench_*.py")):
        topic = script.stem.removeprefix("bench_")
        if names and topic not in names:
            continue
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, str(script)], capture_output=True, text=True, check=False, cwd=FOLDER
        )
        print(f"{topic}: {time.monotonic() - started:.0f} s, exit {done.returncode}", flush=True)
        if done.returncode:
            failed.append(topic)
            print(done.stderr[-2000:])
            continue
        # What libraries print by themselves comes before the first table.
        table = done.stdout[done.stdout.find("### ") :].rstrip()
        results = FOLDER / "RESULTS.md"
        sections = sections_of(results.read_text(encoding="utf-8"))
        sections[topic] = f"## {topic}\n\n{machine()}\n\n{table}\n"
        body = "\n".join(sections[name] for name in sorted(sections))
        results.write_text(f"{TITLE}\n{body}", encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
