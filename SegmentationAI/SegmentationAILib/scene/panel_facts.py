"""Facts that pass between the scene and a panel: what is asked for, and what is shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import slicer

from ..core.labelmap import Status


@dataclass(frozen=True)
class NetworkFacts:
    """One network as the panel shows it.

    Attributes:
        id: Its name in commands and folders; shown in tooltips alone.
        title: One line.
        task: What it finds, one sentence.
        modality: ``MR``, ``CT`` or another DICOM modality.
        structures: Names of its labels, in order.
        roles: Role and title of each input channel, the first is the scan itself.
        license_id: SPDX ID or "unstated".
        use: ``free``, ``research-only``, ``key-needed`` or ``unstated``.
        state: ``shipped``, ``installed`` or ``available`` (it has to be downloaded).
        size_bytes: Of the weights, 0 when unknown.
        can_be_installed: Whether an address is known.
        expected_seconds: On this computer and this scan, None when nothing is known yet.
        expected_bytes: Peak memory, None when nothing is known yet.
        fits: Whether it is made for scans such as the chosen one.
        limits: Sentences about what it cannot do.
        spacing: mm of the grid that it works on, None for any.
        license_text: Terms in a sentence or in full.
        source: Web page of the origin.
        paper: DOI, empty when there is none.
        has_update: Whether the catalogue lists other weights than those installed.
        is_promptable: Whether it answers prompts, and segments nothing by itself.
        can_be_adapted: Whether it has weights that can be trained to a scan.
    """

    id: str
    title: str
    task: str
    modality: str
    structures: tuple[str, ...]
    roles: tuple[tuple[str, str], ...]
    license_id: str
    use: str
    state: str
    size_bytes: int
    can_be_installed: bool
    expected_seconds: float | None = None
    expected_bytes: int | None = None
    fits: bool = True
    limits: tuple[str, ...] = ()
    spacing: tuple[float, float, float] | None = None
    license_text: str = ""
    source: str = ""
    paper: str = ""
    has_update: bool = False
    is_promptable: bool = False
    can_be_adapted: bool = True


@dataclass(frozen=True, eq=False)
class Request:
    """What the person asks for when clicking *Segment*.

    Attributes:
        volume: The scan.
        network_id: Which network.
        others: Further scans by role.
        roi: A box, None for the whole scan.
        structures: Names of the wanted labels, None for all.
        into: Segmentation that gets the result, None for a new one.
        replaces_work: Whether segments that a person corrected are replaced; locked ones never.
    """

    volume: slicer.vtkMRMLScalarVolumeNode
    network_id: str
    others: Mapping[str, slicer.vtkMRMLScalarVolumeNode] = field(default_factory=dict)
    roi: slicer.vtkMRMLMarkupsROINode | None = None
    structures: tuple[str, ...] | None = None
    into: slicer.vtkMRMLSegmentationNode | None = None
    replaces_work: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        sentence: One sentence for the person.
        has_preview: Whether a result waits for *Accept* or *Discard*.
        was_cancelled: Whether the person ended it.
        details: What stands behind the sentence, empty when there is nothing more.
        is_success: Whether what was asked for was done.
    """

    sentence: str
    has_preview: bool = False
    was_cancelled: bool = False
    details: str = ""
    is_success: bool = True


@dataclass(frozen=True, eq=False)
class Accepted:
    """What became of an accepted preview.

    Attributes:
        node: The segmentation that has the result, None when it could not be written.
        sentence: What was done, or why not.
        details: Notes on how it was done, one a line.
    """

    node: slicer.vtkMRMLSegmentationNode | None
    sentence: str
    details: str = ""


@dataclass(frozen=True)
class SegmentFacts:
    """One segment as *Correct* shows it."""

    id: str
    name: str
    color: tuple[float, float, float]
    is_locked: bool
    status: Status
    origin: str


@dataclass(frozen=True)
class KeptPart:
    """One part of the data folder: its size, and whether it can be deleted from the panel."""

    key: str
    title: str
    size_bytes: int
    can_be_deleted: bool


@dataclass(frozen=True)
class Table:
    """Rows of text under headings that name the units."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class QueuedFacts:
    """One network on one scan as *Queue* shows it.

    Attributes:
        id: Of this entry.
        scan: Name of the scan.
        network: Title of the network.
        state: ``waiting``, ``running``, ``done``, ``failed`` or ``canceled``.
        sentence: What is being done, or how it ended.
    """

    id: int
    scan: str
    network: str
    state: str
    sentence: str


@dataclass(frozen=True)
class Comparison:
    """Two segmentations compared.

    Attributes:
        table: One row per structure.
        places: Where each row's structure differs most, RAS mm; None where it does not.
        sentence: What was found, or what is missing and why.
    """

    table: Table
    places: tuple[tuple[float, float, float] | None, ...]
    sentence: str = ""
