"""A logic that answers from memory, to test the panel alone.

It does not check nodes, does not segment, measure, export, download or delete anything, and ends a
run only when the test says so. What the panel does with the real logic is tested beside this.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from panel_stand_in_study import NoStudy

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.scene.computer_settings import ComputerSettings
from SegmentationAILib.scene.panel_facts import (
    Accepted,
    Comparison,
    KeptPart,
    NetworkFacts,
    Outcome,
    QueuedFacts,
    SegmentFacts,
    Table,
)
from SegmentationAILib.scene.panel_refine import EngineFacts
from SegmentationAILib.scene.refine_facts import CorrectionFacts
from SegmentationAILib.scene.training_facts import BaseFacts, TrainingFacts

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


class StandInLogic(NoStudy):
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.result: Any = None
        self.listed = (T1, FOUR, CT)
        self.is_undoable = False
        self.scans_of = {}
        self.waits, self.followed, self.on_segments = True, None, lambda: None
        self.listed_segments = (
            SegmentFacts("a", "Thalamus", (0.0, 0.5, 0.1), False, "not started", "predicted by t1"),
            SegmentFacts("b", "Caudate", (0.5, 0.7, 0.9), True, "completed", "drawn by hand"),
        )
        self.question = ""
        self.facts, self.on_facts, self.drawn = CorrectionFacts(), lambda facts: None, ()
        self.trained, self.on_training = TrainingFacts(), lambda facts: None
        self.training_picture, self.collected = b"", ()
        self.kept_settings = ComputerSettings()
        self.listed_scans = self.entries = ()
        self.on_queue = lambda: None
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

    def has_preview(self):
        return self.waits

    def segments(self, node):
        return self.listed_segments

    def scan_of(self, node):
        return self.scans_of.get(node)

    def follow_segments(self, node, on_change):
        self.followed, self.on_segments = node, on_change

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

    def follow(self, node, volume, on_table, before=None):
        self.on_table = on_table
        headings = ("Segment", "Volume, ml", "Surface, cm²", "Mean")
        on_table(Table(headings, () if node is None else (("Thalamus", "6.51", "23.4", "112"),)))

    def write_csv(self, path: Path):
        path.write_text("Segment\n", encoding="utf-8")
        return f"Wrote {path.name}."

    def before_accepting(self, save_state):
        self.save_state = save_state

    def formats(self):
        return (
            ("seg.nrrd", "Slicer segmentation (.seg.nrrd)", "Everything survives."),
            ("nii.gz", "NIfTI", "Keeps labels, not names: names go into a file beside it."),
        )

    def export(self, node, volume, format_key, folder):
        self.asked.append(("export", format_key, folder))
        raise SegmentationAIError("Two segments overlap; export as .seg.nrrd.") from OSError("x")

    def install(self, source, on_progress, on_end, network_id="", sha256=""):
        self.asked += [("install", source, network_id, sha256)] if "://" in source else []
        on_progress(0.5, "Downloading", None)
        self.listed = (T1, replace(FOUR, state="installed"), CT)
        on_end(Outcome("Lesions, T1 and FLAIR is installed."))

    def remove(self, network_id):
        self.asked.append(("remove", network_id))
        return "Removed."

    def badge(self):
        return "CPU only, because this computer has no GPU."

    def update(self, network_id, on_progress, on_end):
        self.asked.append(("update", network_id))
        self.listed = (replace(T1, has_update=False), FOUR, CT)
        on_end(Outcome("Brain structures, MR is up to date."))

    def consent(self):
        return self.question

    def set_up_question(self):
        return "An environment of up to 3 GB is set up; Slicer stays untouched. Set it up?"

    def cancel_set_up(self):
        self.on_end(Outcome("Canceled.", is_success=False))

    def look(self, on_table):
        row = ("disk", "stops", "Only 1.0 GB are free on the disk; 3 GB are needed.")
        on_table(Table(("What", "How", "Found"), (row,)), Outcome("This computer was looked at."))

    def export_bundle(self, path, on_progress, on_end):
        self.asked.append(("export bundle", path))
        self.on_end = on_end

    def import_bundle(self, path, on_progress, on_end):
        self.asked.append(("import bundle", path))
        on_end(Outcome("CPU only, because there is no NVIDIA driver."))

    def settings(self):
        return self.kept_settings

    def change_settings(self, settings):
        self.kept_settings = settings
        return "Kept."

    def is_offline(self):
        return self.kept_settings.is_offline

    def server(self):
        return self.kept_settings.server

    def ask_server(self, on_end):
        self.asked.append("ask server")
        self.on_end = on_end

    def made_by(self, node):
        return "'Result': 2 segments by 't1', weights 100d5fd11ef9."

    def scans(self):
        return self.listed_scans

    def watch_queue(self, on_change):
        self.on_queue = on_change

    def queued(self):
        return self.entries

    def enqueue(self, volumes, networks):
        self.asked.append(("enqueue", tuple(volumes), tuple(n.id for n in networks)))
        self.entries = (
            QueuedFacts(1, "Scan", "Brain structures, MR", "running", "35%, Patch 7 of 20"),
            QueuedFacts(2, "Scan", "Organs, CT", "waiting", ""),
            QueuedFacts(3, "Other", "Organs, CT", "failed", "The memory ran out."),
        )
        self.on_queue()
        return len(volumes) * len(networks)

    def cancel_queued(self, entry_id):
        self.asked.append(("cancel", entry_id))

    def cancel_all_queued(self):
        self.asked.append("cancel all")

    def repeat_queued(self, entry_id):
        self.asked.append(("repeat", entry_id))

    def clear_queue(self):
        self.entries = tuple(e for e in self.entries if e.state in ("running", "waiting"))
        self.on_queue()

    def compare(self, first, second, volume, on_progress, on_end):
        self.asked.append(("compare", first, second, volume))
        table = Table(("Segment", "Dice"), (("Thalamus", "0.912"), ("Caudate", "1.000")))
        on_end(Comparison(table, ((1.0, 2.0, 3.0), None)), Outcome("Compared."))

    def show_differences(self):
        self.asked.append("differences")
        return "Shown."

    def jump_to(self, place):
        self.asked.append(("jump", place))

    def write_comparison(self, path):
        path.write_text("Segment\n", encoding="utf-8")
        return f"Wrote {path.name}."

    def engines(self, chosen_network):
        return (EngineFacts("geodesic", "", "By intensity and distance", "Needs no network."),)

    def add_segment(self, node, volume):
        self.asked.append(("new segment", node))
        return node or self.result, "a"

    def correct(self, asked, on_facts):
        self.asked.append(asked)
        self.on_facts, self.facts = on_facts, CorrectionFacts(is_open=True)
        on_facts(self.facts)

    def correction(self):
        return self.facts

    def prompt(self, prompt, is_finished=True):
        self.asked.append((prompt, is_finished))

    def show_drawing(self, points, is_closed, positive):
        self.drawn = (tuple(points), is_closed, positive)

    def set_refine_rules(self, mode, run_mode):
        self.asked.append((mode, run_mode))

    def apply_prompts(self):
        self.asked.append("apply")

    def remove_prompt(self, index):
        self.asked.append(("remove prompt", index))

    def undo_prompt(self):
        self.asked.append("undo prompt")

    def redo_prompt(self):
        self.asked.append("redo prompt")

    def next_doubt(self):
        self.asked.append("doubt")

    def agree(self):
        self.asked.append("agree")

    def accept_correction(self, on_accepted, save_state=lambda: None):
        save_state()
        self.facts = CorrectionFacts()
        self.on_facts(self.facts)
        on_accepted(Accepted(self.result, "'Thalamus' was corrected."))

    def keep_network(self, network_id, on_kept):
        self.asked.append(("keep network", network_id))
        on_kept(f"The adapted network is kept as '{network_id}'.")

    def discard_correction(self):
        if self.facts.is_open:
            self.asked.append("discard correction")
            self.facts = CorrectionFacts()
            self.on_facts(self.facts)

    def watch_training(self, on_facts):
        self.on_training = on_facts

    def training(self):
        return self.trained

    def training_cases(self):
        return self.collected

    def training_kind(self):
        return "CT"

    def training_starts(self):
        return (
            BaseFacts("", "", "Nothing: a network of random weights", "The plan chooses."),
            BaseFacts("t1", "", "Brain structures, MR", "Finds brain structures."),
        )

    def plan_training(self, asked):
        self.asked.append(asked)

    def forget_plan(self):
        self.asked.append("forget plan")

    def start_training(self, *, anew=False):
        self.asked.append(("start training", anew))

    def pause_training(self):
        self.asked.append("pause")

    def cancel_training(self):
        self.asked.append("cancel training")

    def show_training_case(self, case_id, on_picture):
        self.asked.append(("show case", case_id))
        on_picture(self.training_picture)

    def keep_training(self, *, replaces):
        self.asked.append(("keep", replaces))

    def drop_training(self):
        self.asked.append("drop")

    def go_back_training(self):
        self.asked.append("go back")

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
