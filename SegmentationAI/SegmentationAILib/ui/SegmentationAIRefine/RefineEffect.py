# ruff: noqa: N999 - Slicer takes the names of module and class from those of folder and file.
"""The file of the Segment Editor effect *Refine*, in the form in which Slicer loads effects.

Slicer makes a module named as this folder of it, outside of any package, and takes the class that
is named as this file. It does so when it starts: what the effect needs is imported when it is used.
"""

from SegmentationAILib.ui.segment_editor_effect import RefineEffect

__all__ = ["RefineEffect"]
