"""Clicks and seconds to a Dice: our engines and Slicer's Grow from seeds, on what nobody learned.

    python Testing/benchmarks/bench_clicks.py [--weights click.safetensors] [--groups "torso MR"]

Every course is kept in `.parts/clicks.jsonl`, so that an interrupted run goes on where it was; a
course belongs to the weights that it was made with. Prints how long the rest will take, writes the
tables into `Documentation/refine-evidence.md` and `RESULTS.md`, and a picture of every failure.
"""

import argparse
import hashlib
import json
import sys
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from click_contestants import GrowFromSeeds, GrowSettings, OurSession, session_with_weights
from click_pictures import save_failure
from click_protocol import Contestant, Course, dice_at, run
from click_tables import evidence
from click_targets import NAMES, Target, targets
from run_all import machine, sections_of

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
PARTS = FOLDER / ".parts" / "clicks.jsonl"
PAGE = ROOT / "Documentation" / "refine-evidence.md"
PICTURES = ROOT / "Documentation" / "refine-evidence"
WEIGHTS = ROOT / "Resources" / "weights" / "click.safetensors"
GROW = "Grow from seeds"
# What Grow from seeds is tuned over, group by group, by its Dice after 5 clicks on up to this many
# targets of the group: its best, found with the answers at hand.
TUNED_ON, TUNING_CLICKS = 3, 5
BALLS_MM = (1.5, 4.0)
MARGINS_MM = (6.0, 15.0, 35.0, 70.0)
# A target below this Dice after all clicks is shown.
FAILED = 0.85


@dataclass(frozen=True)
class Key:
    """What a course is of: an engine with its weights or settings, and a target."""

    engine: str
    version: str
    group: str
    target: str


class Journal:
    """The courses that are done, on disk after each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        rows = [json.loads(line) for line in lines]
        self.courses = {Key(**row["key"]): row for row in rows}

    def add(self, key: Key, course: Course) -> None:
        """Keep a course."""
        row = {"key": asdict(key), "dice": course.dice, "seconds": course.seconds}
        self.courses[key] = row
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def main() -> int:
    """Run what has not been run yet, and write the tables."""
    options = _parser().parse_args()
    journal = Journal(PARTS)
    version = hashlib.sha256(options.weights.read_bytes()).hexdigest()[:12]
    engines: dict[str, tuple[str, Contestant]] = {
        "click": (version, partial(session_with_weights, weights=options.weights)),
        "geodesic": (options.geodesic_version, partial(OurSession, engine="geodesic")),
    }
    chosen = [name for name in (*engines, GROW) if name in options.engines]
    wanted = [t for group in options.groups for t in targets(options.data, group)]
    clock = _Clock(len(wanted) * len(chosen))
    for target in wanted:
        for name in chosen:
            if name == GROW:
                settings = _tuned(journal, target.group, options.data)
                found = (_named(settings), partial(GrowFromSeeds, settings=settings))
            else:
                found = engines[name]
            _once(journal, name, found[0], target, found[1])
            clock.tick(f"{target.group}, {target.name}, {name}")
    tables = evidence(_latest(journal, options, version), options.groups)
    text = f"{tables}\n{machine()}\n"
    PAGE.write_text(_page(PAGE, text), encoding="utf-8")
    _into_results(text)
    sys.stdout.write(text)
    return 0


def _once(
    journal: Journal, name: str, version: str, target: Target, contestant: Contestant
) -> None:
    key = Key(name, version, target.group, target.name)
    if key in journal.courses:
        return
    course = run(contestant, target.volume, target.mask)
    journal.add(key, course)
    if course.dice[-1] < FAILED and name == "click":
        save_failure(PICTURES, target, course)


def _tuned(journal: Journal, group: str, data: Path) -> GrowSettings:
    """Return the settings with which Grow from seeds does best on a group."""
    scores: dict[GrowSettings, float] = {}
    some = [t for t, _ in zip(targets(data, group), range(TUNED_ON), strict=False)]
    for settings in (GrowSettings(ball, margin) for ball in BALLS_MM for margin in MARGINS_MM):
        found = []
        for target in some:
            key = Key(f"{GROW} (tuning)", _named(settings), group, target.name)
            if key not in journal.courses:
                grow = partial(GrowFromSeeds, settings=settings)
                journal.add(key, run(grow, target.volume, target.mask, TUNING_CLICKS))
            found.append(dice_at(journal.courses[key]["dice"], TUNING_CLICKS))
        scores[settings] = float(np.mean(found))
    return max(scores, key=lambda settings: scores[settings])


def _named(settings: GrowSettings) -> str:
    return f"ball {settings.ball_mm:g} mm, padded margin {settings.margin_mm:g} mm"


def _latest(journal: Journal, options: argparse.Namespace, version: str) -> dict[str, dict]:
    """Return by engine and target the courses of this run's versions."""
    found: dict[str, dict] = {}
    for key, row in journal.courses.items():
        versions = {"click": version, "geodesic": options.geodesic_version}
        is_wanted = key.engine in options.engines and key.group in options.groups
        # Courses of before the filter's image was padded are no courses of Grow from seeds.
        is_wanted = is_wanted and (key.engine != GROW or "padded" in key.version)
        if is_wanted and versions.get(key.engine, key.version) == key.version:
            found.setdefault(key.engine, {})[key.group, key.target] = row
    return found


class _Clock:
    """Says what is left, by what was done so far."""

    def __init__(self, count: int) -> None:
        self._count, self._done, self._started = count, 0, time.monotonic()

    def tick(self, name: str) -> None:
        self._done += 1
        spent = time.monotonic() - self._started
        left = spent / self._done * (self._count - self._done) / 60
        sys.stderr.write(f"{self._done}/{self._count} {name}; about {left:.0f} minutes left\n")


def _page(path: Path, tables: str) -> str:
    """Return the page with its tables renewed; what a person wrote before them stays."""
    mark = "<!-- made by Testing/benchmarks/bench_clicks.py -->"
    before = path.read_text(encoding="utf-8").partition(mark)[0] if path.exists() else ""
    return f"{before}{mark}\n\n{tables}"


def _into_results(text: str) -> None:
    path = FOLDER / "RESULTS.md"
    whole = path.read_text(encoding="utf-8")
    section = f"## clicks\n\n{text}"
    old = sections_of(whole).get("clicks")
    whole = whole.replace(old, section) if old else f"{whole.rstrip()}\n\n{section}"
    path.write_text(whole, encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="of the click network")
    parser.add_argument("--groups", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument(
        "--engines", nargs="+", choices=("click", "geodesic", GROW),
        default=["click", "geodesic", GROW],
    )  # fmt: skip
    parser.add_argument("--geodesic-version", default="1", help="raise it to run it anew")
    return parser


if __name__ == "__main__":
    sys.exit(main())
