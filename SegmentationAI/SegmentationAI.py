"""The module as Slicer finds it: four classes; what they do is done in SegmentationAILib."""

import json
from pathlib import Path

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from SegmentationAILib.resources import resource


class SegmentationAI(ScriptedLoadableModule):
    """What Slicer shows of the module before it is opened."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("SegmentationAI")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = []
        parent.contributors = ["The SegmentationAI contributors"]
        parent.helpText = _(
            "Segments a scan with a network, shows the result before it is kept, and helps to "
            "correct, measure, compare and export it. Enter accepts a result, Esc throws it away. "
            "A queue runs several networks on several scans. The networks run outside Slicer's "
            "Python, on this computer or on a server that you name. Results are for research and "
            "need a physician's check."
        )
        parent.acknowledgementText = _(
            "The networks name their authors and licenses on their cards, in the step Networks."
        )
        slicer.app.connect("startupCompleted()", register_sample_data)
        slicer.app.connect("startupCompleted()", register_effect)


class SegmentationAIWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel's owner: makes it, and follows the scene."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.panel = None

    def setup(self):
        """Make the panel; called once, when the module is first opened."""
        from SegmentationAILib.ui.panel import Panel

        ScriptedLoadableModuleWidget.setup(self)
        self.logic = SegmentationAILogic()
        scene, state = slicer.mrmlScene, self.logic.state()
        self.panel = Panel(self.layout, self.logic.for_panel(), scene, state)
        self.addObserver(scene, slicer.vtkMRMLScene.EndCloseEvent, self._scene_replaced)
        self.addObserver(scene, slicer.vtkMRMLScene.EndImportEvent, self._scene_loaded)
        self.panel.show(state)

    def cleanup(self):
        """End what runs; called when the module is unloaded."""
        self.removeObservers()
        if self.panel is not None:
            self.panel.leave()
        if self.logic is not None:
            self.logic.close()

    def enter(self):
        """Show the state again; called when the module is opened."""
        self.panel.show(self.logic.state())

    def exit(self):
        """Let go of views and keys; called when another module is opened."""
        self.panel.leave()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _scene_replaced(self, caller, event, node=None):
        self.panel.show(self.logic.state())

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _scene_loaded(self, caller, event, node=None):
        self.panel.show(self.logic.state())
        self.panel.say_who_made_it()


class SegmentationAILogic(ScriptedLoadableModuleLogic):
    """What scripts and Slicer's console use; the panel goes through it too."""

    def __init__(self, worker=None):
        """Args: worker: one that is there already; None starts one in its own environment."""
        ScriptedLoadableModuleLogic.__init__(self)
        self._worker = worker
        self._for_panel = None

    def for_panel(self):
        """Return what the panel asks for everything (`ui.panel_logic.PanelLogic`)."""
        if self._for_panel is None:
            from SegmentationAILib.scene.panel_logic import ScenePanelLogic
            from SegmentationAILib.scene.worker_setup import WorkerSetup
            from SegmentationAILib.ui.qt_ticker import QtTicker

            database = getattr(slicer, "dicomDatabase", None)
            self._for_panel = ScenePanelLogic(
                slicer.mrmlScene,
                WorkerSetup(worker=self._worker),
                QtTicker(),
                database.instanceValue if database is not None else lambda uid, tag: "",
                dicom_file=database.fileForInstance if database is not None else lambda uid: "",
            )
        return self._for_panel

    def state(self):
        """Return the typed parameter node of the scene that is open."""
        from SegmentationAILib.ui.panel_state import PanelState

        return PanelState(self.getParameterNode())

    def segment(self, volumeNode, networkId):  # noqa: N803 - the names of the public contract
        """Return a new segmentation node: the network's answer for a volume.

        Waits for the result, as a script wants it; the panel does not.

        Raises:
            SegmentationAIError: The network or the volume was refused, or the work did not fit.
        """
        return self.for_panel().segment(volumeNode, networkId)

    def close(self):
        """End the worker, if there is one."""
        if self._for_panel is not None:
            self._for_panel.close()
            self._for_panel = None


class SegmentationAITest(ScriptedLoadableModuleTest):
    """The self-test that a person runs in Slicer; see Testing/run_in_slicer.py."""

    def runTest(self):  # noqa: N802 - Slicer's name
        """Make a bright ball, open the panel on it, and look at what it offers."""
        slicer.mrmlScene.Clear()
        volume = self.a_ball()
        widget = slicer.util.getModuleWidget("SegmentationAI")
        widget.enter()
        assert widget.logic.state().volume is volume
        networks = widget.logic.for_panel().networks(volume)
        assert networks, "the list of networks is empty"
        self.delayDisplay(_("The panel lists {count} networks.").format(count=len(networks)))

    @staticmethod
    def a_ball():
        """Return a volume with a bright ball, 40 mm across, on an anisotropic grid."""
        import numpy as np

        spacing = np.array([1.0, 1.5, 2.0])
        k, j, i = np.indices((40, 48, 64))
        apart = np.stack([i - 32, j - 24, k - 20], axis=-1) * spacing
        voxels = np.where(np.linalg.norm(apart, axis=-1) < 20, 200, 10).astype(np.int16)
        node = slicer.util.addVolumeFromArray(voxels, name="Ball")
        node.SetSpacing(*spacing)
        return node


def register_effect():
    """Let every Segment Editor offer the effect *Refine*."""
    from SegmentationAILib.ui import effect_registration

    effect_registration.register_effect()


def register_sample_data():
    """Add the sample volumes to Slicer's Sample Data module, each with its checksum."""
    import SampleData

    for volume in json.loads(resource("sample-data.json").read_text(encoding="utf-8"))["volumes"]:
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category="SegmentationAI",
            sampleName=volume["name"],
            uris=volume["address"],
            fileNames=Path(volume["file"]).name,
            checksums=f"SHA256:{volume['sha256']}",
            nodeNames=volume["name"],
        )
