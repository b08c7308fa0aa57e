"""What makes the first labels of a study where no files bring them."""

from collections.abc import Callable
from dataclasses import dataclass

from ...core.labelmap import Labelmap
from ...core.progress import Progress
from ...core.volume import Volume


@dataclass(frozen=True)
class WeakMethod:
    """How the first labels of all cases are made, one scan at a time.

    Attributes:
        name: What the versions say of who made them.
        label: Returns the labels of a volume, in one layer on its grid.
        network: ID of the network that makes them, empty without one.
        weights_sha256: Of its weights.
    """

    name: str
    label: Callable[[Volume, Progress], Labelmap]
    network: str = ""
    weights_sha256: str = ""
