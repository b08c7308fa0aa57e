"""The first file of a worker process: makes the library importable, and nothing beside it.

Run as a script in Python's isolated mode (``-I``), by path: no folder of scripts, no working
directory and no ``PYTHONPATH`` is searched, so that a ``numpy.py`` beside a volume is never taken.
The folder of the library is not put on the path either: inside Slicer it holds other modules too.
"""

import importlib.util
import sys
from pathlib import Path


def main() -> None:
    """Put the folders given as arguments first on the path and start the worker."""
    sys.path[:0] = sys.argv[1:]
    package = Path(__file__).resolve().parents[1]
    spec = importlib.util.spec_from_file_location(
        package.name, package / "__init__.py", submodule_search_locations=[str(package)]
    )
    if spec is None or spec.loader is None:
        raise SystemExit(f"{package.name} is missing from this installation")
    library = importlib.util.module_from_spec(spec)
    sys.modules[package.name] = library
    spec.loader.exec_module(library)
    importlib.import_module(f"{package.name}.worker.child").main()


if __name__ == "__main__":
    main()
