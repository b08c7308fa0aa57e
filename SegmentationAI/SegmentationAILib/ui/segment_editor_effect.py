"""The Segment Editor effect *Refine*: the panel's corrections, on the segment that is chosen there.

Slicer calls the methods by their names; what they do is done by `effect_controls`, which is
imported when the effect is used for the first time.
"""

from typing import TYPE_CHECKING, Any

import qt
from SegmentEditorEffects import (  # type: ignore[import-not-found,unused-ignore]
    AbstractScriptedSegmentEditorEffect,
)
from slicer.i18n import tr as _

from ..resources import resource
from .effect_registration import EFFECT_NAME, EFFECT_SOURCE, new_effect

if TYPE_CHECKING:
    from .effect_controls import EffectControls


class RefineEffect(AbstractScriptedSegmentEditorEffect):  # type: ignore[misc]
    """What Slicer calls.

    Args:
        scriptedEffect: ``qSlicerSegmentEditorScriptedEffect``, which owns this.
    """

    def __init__(self, scriptedEffect: Any) -> None:  # noqa: N803 - Slicer's name
        scriptedEffect.name = EFFECT_NAME
        scriptedEffect.title = _("Refine")
        scriptedEffect.perSegment = True
        scriptedEffect.requireSegments = True
        AbstractScriptedSegmentEditorEffect.__init__(self, scriptedEffect)
        self._frame: Any = None
        self._controls: EffectControls | None = None

    def clone(self) -> Any:
        """Return another effect of this kind, for another editor."""
        return new_effect(EFFECT_SOURCE)

    def icon(self) -> Any:
        """Return the icon of the effect's button."""
        return qt.QIcon(str(resource("Icons/SegmentationAI.png")))

    def helpText(self) -> str:  # noqa: N802
        """Return what the help box of the editor shows."""
        return str(
            _(
                "<html>Corrects the segment by what is pointed at in the slice views.<br>"
                "<b>Left click</b> adds, <b>Ctrl + left click</b> removes, <b>drag</b> paints a "
                "scribble, <b>B</b> draws a box, <b>L</b> a lasso. <b>Z</b> and <b>Shift + Z</b> "
                "undo and redo, <b>N</b> goes to the next doubtful place, <b>Enter</b> writes what "
                "is shown into the segment, <b>Esc</b> throws it away.</html>"
            )
        )

    def setupOptionsFrame(self) -> None:  # noqa: N802
        """Add an empty frame; it is filled when the effect is chosen."""
        self._frame = qt.QWidget()
        self._frame.setLayout(qt.QVBoxLayout())
        self.scriptedEffect.addOptionsWidget(self._frame)

    def activate(self) -> None:
        """Take clicks from now on."""
        if self._controls is None:
            from .effect_controls import EffectControls

            self._controls = EffectControls(self.scriptedEffect, self._frame.layout())
        self._controls.activate()

    def deactivate(self) -> None:
        """Take no more clicks; what is shown waits."""
        if self._controls is not None:
            self._controls.deactivate()

    def createCursor(self, viewWidget: Any) -> Any:  # noqa: N802, N803
        """Return the cursor of a view: a plus."""
        from .prompt_cursor import prompt_cursor

        return prompt_cursor(adds=True)

    def processInteractionEvents(  # noqa: N802
        self, callerInteractor: Any, eventId: int, viewWidget: Any  # noqa: N803
    ) -> bool:  # fmt: skip
        """Do what an event of a view means; return whether nobody else shall hear of it."""
        if self._controls is None or viewWidget.className() != "qMRMLSliceWidget":
            return False
        return self._controls.handle(callerInteractor, eventId, viewWidget)

    def sourceVolumeNodeChanged(self) -> None:  # noqa: N802
        """Give a correction of another scan up."""
        if self._controls is not None:
            self._controls.chosen()

    def updateGUIFromMRML(self) -> None:  # noqa: N802
        """Give a correction of another segment up."""
        if self._controls is not None:
            self._controls.chosen()

    def setMRMLDefaults(self) -> None:  # noqa: N802
        """Nothing is kept in the editor's node."""

    def updateMRMLFromGUI(self) -> None:  # noqa: N802
        """Nothing is kept in the editor's node."""

    def cleanup(self) -> None:
        """Let go of everything; called before Slicer deletes the effect."""
        if self._controls is not None:
            self._controls.close()
            self._controls = None
