"""What Slicer loads of the worker needs numpy alone and loads at once."""

import subprocess
import sys

PROGRAM = """
import sys, time
import numpy
started = time.process_time()
import SegmentationAILib.worker.client
seconds = time.process_time() - started
foreign = {name.partition(".")[0] for name in sys.modules} & set(sys.argv[1:])
print(sorted(foreign), seconds)
"""
WORKER_ONLY = (
    "torch",
    "fastapi",
    "uvicorn",
    "starlette",
    "psutil",
    "openvino",
    "scipy",
    "pydantic",
)


def test_the_client_imports_no_package_of_the_workers_in_a_moment():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *WORKER_ONLY], capture_output=True, text=True, check=True
    )
    foreign, seconds = done.stdout.rsplit(maxsplit=1)
    assert foreign == "[]"
    assert float(seconds) < 0.3, "the module may take 0.3 s to load, all together"
