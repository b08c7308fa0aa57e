"""Stand-ins for ``slicer.ScriptedLoadableModule`` and ``slicer.i18n``.

Not checked: reload, developer buttons, module documentation links, and translations.
"""

import types
import unittest
from typing import Any

import slicer

NAMES = (
    "ScriptedLoadableModule",
    "ScriptedLoadableModuleWidget",
    "ScriptedLoadableModuleLogic",
    "ScriptedLoadableModuleTest",
)


class ScriptedLoadableModule:
    """Facts of a module; the parent gets its title, categories and texts."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__


class ScriptedLoadableModuleWidget:
    """The panel's owner: ``parent`` is a widget with a layout."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.parent = parent
        self.layout = parent.layout()

    def setup(self) -> None:
        """Slicer adds its developer section here."""

    def cleanup(self) -> None:
        """Slicer calls it when the module is unloaded."""


class ScriptedLoadableModuleLogic:
    """Owner of the parameter node of a module."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self) -> Any:  # noqa: N802
        """Return the module's one parameter node in the application's scene."""
        scene = slicer.mrmlScene
        found = scene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if found is not None:
            return found
        node = scene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        node.SetSingletonTag(self.moduleName)
        node.SetModuleName(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(self.moduleName)
        return scene.AddNode(node)


class ScriptedLoadableModuleTest(unittest.TestCase):
    """A self-test; Slicer calls `runTest`."""

    def delayDisplay(self, message: str, **_: Any) -> None:  # noqa: N802
        """Slicer shows the message for a moment."""

    def runTest(self) -> None:  # noqa: N802
        """Slicer's entry point."""


def scripted_modules() -> dict[str, types.ModuleType]:
    """Return the stand-in modules by the name they are imported by."""
    module = types.ModuleType("slicer.ScriptedLoadableModule", __doc__)
    module.__all__ = list(NAMES)
    for name in NAMES:
        setattr(module, name, globals()[name])
    words = types.ModuleType("slicer.i18n", __doc__)
    words.tr = lambda text: text
    words.translate = lambda context, text: text
    return {module.__name__: module, words.__name__: words}
