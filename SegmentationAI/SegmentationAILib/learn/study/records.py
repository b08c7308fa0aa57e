"""What a study knows: its cases, their label versions, its iterations.

Values as they are in the index; nothing here reads or writes.
"""

from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from ...core.labelmap import Origin

State = Literal["new", "weak", "predicted", "corrected", "accepted", "skipped", "failed"]
STATES: Final = get_args(State)

# What a case with a current version of this origin is called.
STATE_OF_ORIGIN: Final[dict[str, State]] = {
    "drawn": "corrected",
    "weak": "weak",
    "predicted": "predicted",
    "corrected": "corrected",
    "accepted": "accepted",
}
# Origins behind which a person stands: no prediction takes their place.
BY_A_PERSON: Final = ("drawn", "corrected", "accepted")

# Files that can lie beside a version's labels; each is written once, as the labels are.
# ``touched``: where a person changed a voxel, ``.seg.nrrd``. ``doubt``: how undecided the networks
# were, a volume. ``votes``: the labels of each of three networks, a volume of three channels.
Role = Literal["labels", "touched", "doubt", "votes"]
ROLES: Final = get_args(Role)


@dataclass(frozen=True)
class Case:
    """One patient's volume in a study.

    Attributes:
        key: Its number in the index.
        id: Its name: that of the volume's file without the ending.
        volume: Name of the volume in the folder of the volumes.
        volume_sha256: Of the file, empty when it could not be read.
        voxels_sha256: Of the voxels, by which the same patient is known again under another name.
        state: Where it stands.
        reason: Why it failed, one sentence; empty otherwise.
        is_held_out: Whether no network of this study may learn from it.
        seconds_spent: By persons, on all of its versions.
        current: Number of the current version, None when there is none.
    """

    key: int
    id: str
    volume: str
    volume_sha256: str
    voxels_sha256: str
    state: State
    reason: str
    is_held_out: bool
    seconds_spent: float
    current: int | None


@dataclass(frozen=True)
class Making:
    """How a version came to be.

    Attributes:
        origin: Drawn, weak, predicted, corrected or accepted.
        who: Name of the person, or of the method for weak labels; empty for a prediction.
        seconds: That the person spent.
        network: ID of the network, empty when none was used.
        weights_sha256: Of its weights.
        iteration: In which it was made, 0 outside the loop.
    """

    origin: Origin
    who: str = ""
    seconds: float = 0.0
    network: str = ""
    weights_sha256: str = ""
    iteration: int = 0


@dataclass(frozen=True)
class StoredFile:
    """A file of the study that is never changed.

    Attributes:
        name: Path below the study's ``labels`` folder, with ``/``.
        sha256: Of its bytes.
    """

    name: str
    sha256: str


@dataclass(frozen=True)
class LabelVersion:
    """One version of a case's labels; there is no way to change or remove one.

    Attributes:
        case: Key of the case.
        number: 1 for the first version of the case.
        parent: Number of the version it was made from, None for the first.
        making: How it came to be.
        made_at: When it was stored, ISO 8601 in UTC.
        files: By role; ``labels`` is always there.
    """

    case: int
    number: int
    parent: int | None
    making: Making
    made_at: str
    files: dict[Role, StoredFile] = field(default_factory=dict)

    @property
    def state(self) -> State:
        """Return the state of a case that has this version and may be predicted again."""
        origin = self.making.origin
        return "corrected" if origin == "accepted" else STATE_OF_ORIGIN[origin]


@dataclass(frozen=True)
class Iteration:
    """One turn of the loop.

    Attributes:
        number: 1 for the first; never used twice.
        settings: JSON of what was asked for.
        base_sha256: Of the weights it started from.
        weights_sha256: Of the network it made; empty while it runs.
        dice_to_previous: Mean over the cases that were predicted, None while it runs.
        volume_change: Mean relative change of label volumes against the first labels.
        holdout_dice: Of the held-out cases against their locked labels, None without any.
        verdict: Sentence that says whether and why the loop stopped; empty while it runs.
        is_finished: Whether its predictions are complete.
        is_rolled_back: Whether its labels are no longer anybody's current ones.
        made_at: When it was begun, ISO 8601 in UTC.
        seconds: It took, 0 while it runs.
    """

    number: int
    settings: str
    base_sha256: str
    weights_sha256: str
    dice_to_previous: float | None
    volume_change: float | None
    holdout_dice: float | None
    verdict: str
    is_finished: bool
    is_rolled_back: bool
    made_at: str
    seconds: float
