"""The command line: ``segmentationai SUBCOMMAND``, also ``python -m SegmentationAILib``.

Exit status: 0 on success, 1 when some cases of a batch failed, 2 with one line ``error: ...`` on
standard error, 130 when interrupted. ``--debug`` shows the traceback behind an error.
"""

import argparse
import importlib
import io
import logging
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from .core.errors import Cancelled, SegmentationAIError

COMMANDS = {
    "segment": "segment a volume with a network",
    "batch": "segment every volume of a folder or list",
    "networks": "list, show, install, remove and export networks",
    "refine": "correct or draw one segment with prompts",
    "info": "check a volume and show its geometry",
    "convert": "convert volumes and segmentations between formats",
    "evaluate": "compare a segmentation with a reference",
    "weak-label": "make quick labels to correct or to learn from",
    "relabel": "turn weak labels into trustworthy ones, in a study of cases",
    "rank": "say which cases of a study to correct next",
    "train": "train a network on cases with labels",
    "serve": "serve this machine's networks to others",
    "demo": "segment a head and show it in a Slicer scene",
}
INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """argparse with one line per error instead of the usage text."""

    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"error: {message}; see {self.prog} --help\n")
        raise SystemExit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit status.

    Args:
        arguments: Words after the program's name; None takes them from the command line.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    _say_what_the_stream_cannot()
    if not words or words[0] not in COMMANDS:
        return _overview(words)
    # Only the chosen command is imported, so that --help never waits for torch.
    module = words[0].replace("-", "_")
    command = importlib.import_module(f".commands.{module}", __package__)
    parser = _Parser(
        prog=f"segmentationai {words[0]}",
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    parser.add_argument("--debug", action="store_true", help="show tracebacks and log messages")
    parsed = parser.parse_args(words[1:])
    if parsed.debug:
        logging.basicConfig(level=logging.DEBUG, format="%(name)s: %(message)s")
    try:
        return int(command.run(parsed))
    except (KeyboardInterrupt, Cancelled):
        sys.stderr.write("interrupted; nothing was left half-written\n")
        return INTERRUPTED
    except (SegmentationAIError, OSError) as error:
        return _fail(_sentence(error), debug=parsed.debug)
    except Exception as error:
        sentence = f"unexpected {type(error).__name__}: {error}; --debug shows where"
        return _fail(sentence, debug=parsed.debug)


def _say_what_the_stream_cannot() -> None:
    """Let names that the output's encoding lacks be spelled out, as in error messages.

    On Windows a file or a pipe has the encoding of the region: a segment called 肝 would end a
    command with an error after its results were written.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _overview(words: Sequence[str]) -> int:
    parser = _Parser(
        prog="segmentationai",
        description="AI segmentation of medical volumes. Results are for research and need a "
        "physician's check.",
        epilog="commands:\n"
        + "\n".join(f"  {name:10} {summary}" for name, summary in COMMANDS.items())
        + "\n\n'segmentationai COMMAND --help' shows a command's options, units and examples.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="see below")
    if not words:
        parser.print_help()
        return 2
    parser.parse_args(list(words[:1]))
    return 0


def _sentence(error: Exception) -> str:
    """Return the message in one line; for a system error, what it was about."""
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{where}"
    return " ".join(str(error).split())


def _fail(sentence: str, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    sys.stderr.write(f"error: {sentence}\n")
    return 2


if __name__ == "__main__":
    raise SystemExit(main())
