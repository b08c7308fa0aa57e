"""Prepared cases on the disk: made once for the same files and the same preparing part of a plan.

An entry's name is the hash of everything that decides its content: the bytes of the case's files,
grid, intensity rules, channels and labels of the plan, and the version of the preparing code.
Change one, and another entry is made; no clock and no file date is trusted. Entries hold patients'
voxels: the folder is its owner's alone, and no entry is named after a patient.
"""

import hashlib
import json
import logging
import math
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..core.memory_budget import free_memory_bytes
from ..core.progress import IGNORE, Progress
from ..resources import OWNER_ONLY, data_folder
from .cached_case import DamagedEntryError, read_entry, write_entry
from .case_reader import read_case, sha256_of_files
from .dataset import CaseFiles, Dataset
from .plan import TrainingPlan
from .plan_file import plan_to_json
from .prepare_case import prepared_case
from .training_case import PreparedCase

FOLDER: Final = "training-cache"
ENDING: Final = ".safetensors"
# Of the memory that is free: beyond it, cases stay on the disk and are read where patches lie.
SHARE_OF_MEMORY: Final = 0.25
# Raised whenever the same files and plan would be prepared otherwise than before.
VERSION: Final = 1
_PREPARING: Final = (
    "labels", "spacing_mm", "orientation", "intensity", "channels", "conventions",
)  # fmt: skip

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CacheEntry:
    """One prepared case on the disk.

    Attributes:
        key: Its name.
        size_bytes: Of its file.
    """

    key: str
    size_bytes: int


class CaseCache:
    """The prepared cases below a data folder.

    Args:
        home: Data folder, None for the person's own.
    """

    def __init__(self, home: Path | None = None) -> None:
        self.folder = (home or data_folder()) / FOLDER

    def prepared(
        self,
        dataset: Dataset,
        files: CaseFiles,
        plan: TrainingPlan,
        *,
        mapped: bool = False,
        progress: Progress = IGNORE,
    ) -> PreparedCase:
        """Return a case on the plan's grid, from the cache or prepared now and kept.

        Args:
            dataset: That the case is of.
            files: The case.
            plan: Whose grid is wanted.
            mapped: Leave the voxels on the disk and read what is asked for; they are read-only.
            progress: Told once per channel that is prepared.

        Raises:
            SegmentationAIError: The case cannot be read or prepared (see `prepared_case`), or the
                disk is full.
            Cancelled: Raised by ``progress``.
        """
        path = self._path(self.key(files, plan))
        if path.exists():
            try:
                return read_entry(path, files.id, mapped=mapped)
            except DamagedEntryError as error:
                logger.info("a prepared case is made again: %s", error)
        raw = read_case(dataset, files)
        case = prepared_case(files.id, raw.volume, raw.labelmap, plan, progress)
        self._keep(case, path)
        return read_entry(path, files.id, mapped=True) if mapped else case

    def prepare_all(
        self,
        dataset: Dataset,
        cases: Sequence[CaseFiles],
        plan: TrainingPlan,
        *,
        mapped: bool | None = None,
        progress: Progress = IGNORE,
    ) -> Iterator[PreparedCase]:
        """Yield cases in order; what a run that was stopped had prepared is not prepared again.

        Args:
            dataset: That the cases are of.
            cases: Which.
            plan: Whose grid is wanted.
            mapped: See `prepared`; None leaves those on the disk that would fill the memory.
            progress: Told once per case.

        Raises:
            SegmentationAIError: As `prepared`; check the data set first (see `dataset_checks`).
            Cancelled: Raised by ``progress``.
        """
        left = SHARE_OF_MEMORY * free_memory_bytes() if mapped is None else math.inf
        for number, files in enumerate(cases):
            part = progress.part(number / len(cases), (number + 1) / len(cases))
            part(0.0, f"Preparing case {number + 1} of {len(cases)}")
            case = self.prepared(dataset, files, plan, mapped=bool(mapped) or left <= 0)
            left -= case.array.nbytes + case.channels.nbytes
            yield case
        progress(1.0, "Cases prepared")

    def key(self, files: CaseFiles, plan: TrainingPlan) -> str:
        """Return the name under which a case on the plan's grid is kept.

        Raises:
            FileFormatError: A file of the case cannot be read.
        """
        network = plan_to_json(plan)["network"]
        labels = [row["value"] for row in network["labels"]]
        rules = {name: network.get(name) for name in _PREPARING}
        facts = [VERSION, sha256_of_files(files.files), {**rules, "labels": labels}]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def entries(self) -> tuple[CacheEntry, ...]:
        """Return what is kept, with sizes, the largest first."""
        found = [CacheEntry(p.stem, p.stat().st_size) for p in self.folder.glob(f"*/*{ENDING}")]
        return tuple(sorted(found, key=lambda entry: (-entry.size_bytes, entry.key)))

    @property
    def size_bytes(self) -> int:
        """Bytes of everything that is kept."""
        return sum(entry.size_bytes for entry in self.entries())

    def clear(self) -> int:
        """Delete everything that is kept, and what killed runs left; return how many bytes went."""
        freed = 0
        for path in [*self.folder.glob("*/*")]:
            freed += path.stat().st_size
            path.unlink(missing_ok=True)
        return freed

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}{ENDING}"

    def _keep(self, case: PreparedCase, path: Path) -> None:
        self.folder.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        path.parent.mkdir(mode=OWNER_ONLY, exist_ok=True)
        # Not flushed to the disk: a power cut can leave a torn entry, which its checksum betrays
        # and the next run makes again; 200 small cases would wait 2 s for the disk otherwise.
        beside = path.with_name(f".{secrets.token_hex(6)}")
        try:
            write_entry(case, beside)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
