"""Runs pip in the interpreter that it shall install for; started by path, ends with its parent.

pip itself is taken from the folder named first, which may lie beside packages of another program:
only pip is made importable, nothing beside it. While the parent lives, standard input stays open;
when it ends in whatever way, this process ends too instead of writing into a folder given up.
"""

import importlib.util
import os
import socket
import sys
import threading
from pathlib import Path


def main() -> int:
    """Run pip with the words after the folder and return its exit status."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if os.environ.get("SEGMENTATIONAI_OFFLINE") == "1":
        _close_the_network()
    folder = Path(sys.argv[1])
    start = folder / "__init__.py"
    if not start.is_file():
        sys.stderr.write("no pip here\n")
        return 1
    spec = importlib.util.spec_from_file_location(
        "pip", start, submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["pip"] = package
    spec.loader.exec_module(package)
    from pip._internal.cli.main import main as run

    return run(sys.argv[2:])


def _end_with_parent() -> None:
    # Past Python's own buffer, whose lock a waiting thread would hold when the interpreter ends.
    while os.read(0, 4096):
        pass
    os._exit(130)


def _close_the_network() -> None:
    """Make every way to another machine fail: the switch is kept, not only obeyed."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("Network is unreachable: the program is set to stay off the network")

    socket.socket.connect = refuse  # type: ignore[method-assign]
    socket.socket.connect_ex = refuse  # type: ignore[method-assign,assignment]
    socket.getaddrinfo = refuse  # type: ignore[assignment]


if __name__ == "__main__":
    sys.exit(main())
