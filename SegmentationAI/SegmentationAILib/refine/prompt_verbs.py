"""The verbs by which prompts are given, in numbers; each makes a prompt and has it answered."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from ..core.progress import IGNORE, Progress
from ..core.prompts import BoxPrompt, LassoPrompt, PointPrompt, Prompt, checked_point
from .change import Change

Place = Sequence[float]


class PromptVerbs(ABC):
    """Points, boxes and lassos for whoever can answer a prompt."""

    @abstractmethod
    def add(self, prompt: Prompt, progress: Progress = IGNORE) -> Change:
        """Answer a prompt."""

    def add_point(
        self, position_ras: Place, positive: bool = True, progress: Progress = IGNORE
    ) -> Change:
        """Answer a click.

        Args:
            position_ras: RAS mm.
            positive: Whether the place belongs to the segment.
            progress: Of the engine; to cancel, that call raises.

        Raises:
            PromptError: The point lies outside of the volume or is not finite.
        """
        return self.add(PointPrompt(checked_point(position_ras), positive), progress)

    def add_box(
        self,
        first_ras: Place,
        second_ras: Place,
        positive: bool = True,
        progress: Progress = IGNORE,
    ) -> Change:
        """Answer a box along the RAS axes, given by two opposite corners; otherwise `add_point`."""
        corners = (checked_point(first_ras), checked_point(second_ras))
        return self.add(BoxPrompt(corners, positive), progress)

    def add_lasso(
        self, points_ras: Sequence[Place], positive: bool = True, progress: Progress = IGNORE
    ) -> Change:
        """Answer a closed line around an area in a plane; otherwise `add_point`."""
        points = tuple(checked_point(point) for point in points_ras)
        return self.add(LassoPrompt(points, positive), progress)
