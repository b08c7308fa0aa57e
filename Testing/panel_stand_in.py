"""A logic that answers from memory, to test the panel alone.

It does not check nodes, does not segment, measure, export, download or delete anything, and ends a
run only when the test says so. What the panel does with the real logic is tested beside this.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.scene.panel_facts import (
    Accepted,
    KeptPart,
    NetworkFacts,
    Outcome,
    SegmentFacts,
    Table,
)

T1 = NetworkFacts(
    "t1", "Brain structures, MR", "Finds brain structures.", "MR", ("Thalamus", "Caudate"),
    (("t1", "T1-weighted MR"),), "MIT", "free", "installed", 785768, True, 38.2, 1_200_000_000,
)  # fmt: skip
FOUR = NetworkFacts(
    "four", "Lesions, T1 and FLAIR", "Finds lesions.", "MR", ("Lesion",),
    (("t1", "T1-weighted MR"), ("flair", "FLAIR")), "CC-BY-4.0", "research-only", "available",
    23928, True, limits=("Adults alone.",),
)  # fmt: skip
CT = NetworkFacts(
    "ct", "Organs, CT", "Finds organs.", "CT", ("Liver",), (("ct", "CT"),), "unstated",
    "unstated", "available", 5_000_000, False, fits=False,
)  # fmt: skip


class StandInLogic:
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.result: Any = None
        self.listed = (T1, FOUR, CT)
        self.is_undoable = False
        self.on_progress = self.on_end = self.on_table = None

    def unsaved_work(self):
        return ""

    def describe_volume(self, volume):
        return "MR, head, 1.0 × 1.0 × 1.0 mm"

    def networks(self, volume):
        return self.listed

    def start(self, request, on_progress, on_end):
        self.asked.append(request)
        self.on_progress, self.on_end = on_progress, on_end

    def cancel(self):
        self.on_end(Outcome("Cancelled; the scene is as it was.", was_cancelled=True))

    def accept(self, on_accepted):
        self.is_undoable = True
        on_accepted(Accepted(self.result, "2 structures in 38 s on CPU."))

    def discard(self):
        self.asked.append("discard")

    def segments(self, node):
        return (
            SegmentFacts("a", "Thalamus", (0.0, 0.5, 0.1), False, "not started", "predicted by t1"),
            SegmentFacts("b", "Caudate", (0.5, 0.7, 0.9), True, "completed", "drawn by hand"),
        )

    def set_locked(self, node, segment_id, is_locked):
        self.asked.append(("lock", segment_id, is_locked))

    def set_status(self, node, segment_id, status):
        self.asked.append(("status", segment_id, status))

    def undo(self):
        if not self.is_undoable:
            raise SegmentationAIError("There is nothing to take back.")
        self.is_undoable = False

    def redo(self):
        self.is_undoable = True

    def can_undo(self):
        return self.is_undoable

    def can_redo(self):
        return not self.is_undoable

    def follow(self, node, volume, on_table):
        self.on_table = on_table
        headings = ("Segment", "Volume, ml", "Surface, cm²", "Mean")
        on_table(Table(headings, () if node is None else (("Thalamus", "6.51", "23.4", "112"),)))

    def write_csv(self, path: Path):
        path.write_text("Segment\n", encoding="utf-8")
        return f"Wrote {path.name}."

    def formats(self):
        return (
            ("seg.nrrd", "Slicer segmentation (.seg.nrrd)", "Everything survives."),
            ("nii.gz", "NIfTI", "Keeps labels, not names: names go into a file beside it."),
        )

    def export(self, node, volume, format_key, folder):
        self.asked.append(("export", format_key, folder))
        raise SegmentationAIError("Two segments overlap; export as .seg.nrrd.") from OSError("x")

    def install(self, network_id, on_progress, on_end):
        on_progress(0.5, "Downloading", None)
        self.listed = (T1, replace(FOUR, state="installed"), CT)
        on_end(Outcome("Lesions, T1 and FLAIR is installed."))

    def remove(self, network_id):
        self.asked.append(("remove", network_id))
        return "Removed."

    def badge(self):
        return "CPU only, because this computer has no GPU."

    def is_set_up(self):
        return "set up" in self.asked

    def set_up(self, on_progress, on_end):
        self.asked.append("set up")
        on_progress(0.2, "Downloading", None)
        on_end(Outcome("CPU only, because there is no NVIDIA driver."))

    def data_folder(self):
        return Path("data")

    def kept(self):
        return (
            KeptPart("networks", "Networks", 785768, True),
            KeptPart("journal", "Journal", 10, False),
        )

    def delete(self, key):
        self.asked.append(("delete", key))
        return "Deleted."
