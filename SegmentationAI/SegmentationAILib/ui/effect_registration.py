"""Makes Slicer offer the effect *Refine*; imports nothing but what Slicer has loaded already."""

import importlib
from pathlib import Path
from typing import Any, Final

EFFECT_SOURCE: Final = Path(__file__).with_name("SegmentationAIRefine") / "RefineEffect.py"
EFFECT_NAME: Final = "SegmentationAI Refine"


def register_effect() -> None:
    """Add the effect to all Segment Editors that are made from now on."""
    new_effect(EFFECT_SOURCE).self().register()


def new_effect(source: Path) -> Any:
    """Return a new effect of the Segment Editor.

    Raises:
        RuntimeError: Slicer could not load the file; its error log says why.
    """
    effects = importlib.import_module("qSlicerSegmentationsEditorEffectsPythonQt")
    effect = effects.qSlicerSegmentEditorScriptedEffect(None)
    # Slicer looks for the folder's name between slashes on all systems.
    if not effect.setPythonSource(source.as_posix()):
        raise RuntimeError(f"Slicer could not load the effect of {source.name}.")
    return effect
