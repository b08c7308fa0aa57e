"""How to start this interpreter once more, isolated and yet with the packages of this process.

Isolated means: neither ``PYTHONPATH`` nor the working directory nor the user's own packages take
part, or a ``numpy.py`` beside a scan would be imported. Two facts of Slicer stand against a bare
``-I``: its interpreter finds its standard library by ``PYTHONHOME`` alone, which ``-I`` ignores
(``-P -s`` without the other variables is as strict), and the packages of the worker may lie in a
folder made by ``pip --target``, which no interpreter searches by itself.
"""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Final

# Run in the child: folders given as arguments come after the standard library, which they must not
# hide, and before packages that the interpreter has of its own, such as Slicer's.
PUT_FOLDERS: Final = (
    "import sys\n"
    "at = [n for n, p in enumerate(sys.path) if p.endswith('-packages')] + [len(sys.path)]\n"
    "sys.path[at[0]:at[0]] = sys.argv[1:]\n"
)


def child_words() -> list[str]:
    """Return the words that start this interpreter in isolation; a script or ``-c`` follows."""
    return [sys.executable, *(("-P", "-s") if "PYTHONHOME" in os.environ else ("-I",))]


def child_environment(**variables: str) -> dict[str, str]:
    """Return this process's variables, of Python's only ``PYTHONHOME``, and ``variables``."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name == "PYTHONHOME" or not name.startswith("PYTHON")
    }
    return {**kept, **variables}


def package_folders(*packages: str) -> list[str]:
    """Return the folders that hold packages, each once; those that are not installed have none."""
    specs = [importlib.util.find_spec(name) for name in packages]
    origins = [Path(spec.origin) for spec in specs if spec is not None and spec.origin]
    return list(dict.fromkeys(str(origin.parents[1]) for origin in origins))
