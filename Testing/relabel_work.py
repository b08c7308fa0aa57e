"""The whole of relabelling that a kill may stop anywhere: init, run with the real trainer, accept,
run again, export. Run as a script it works from the beginning to the end; see `killed_work`.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import safetensors.numpy
import study_work
import torch
from forked_run import CAN_FORK
from killed_work import main
from relabel_study import BASE, base_folder, relabel_study
from study_files import shifted, truth
from study_work import check_export

from SegmentationAILib.learn.relabel.loop import Tools, relabel
from SegmentationAILib.learn.relabel.settings import RelabelSettings
from SegmentationAILib.learn.study.export import export
from SegmentationAILib.learn.study.index import INDEX
from SegmentationAILib.learn.study.iterations import iterations
from SegmentationAILib.learn.study.person import Work, accept
from SegmentationAILib.learn.study.study import open_study
from SegmentationAILib.networks import build as networks_build
from SegmentationAILib.networks.card import Architecture
from SegmentationAILib.networks.card_reader import card_from_bytes, write_card
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.registry import build
from SegmentationAILib.networks.store import NetworkStore

__all__ = ["IS_FORKED", "IS_RESUMED_ALIKE", "check_export", "content", "work"]
# Trainings are bit for bit the same with the same number of threads, hence in a process alike.
IS_RESUMED_ALIKE = True
# Half of a run in a new process would be imports.
IS_FORKED = CAN_FORK
SETTINGS = RelabelSettings(epochs=12, batch_size=4, learning_rate=1e-2, gate=0.6)
ARCHITECTURE = Architecture("unet", (
    ("in_channels", 1), ("out_channels", 3), ("channels", (4, 8)), ("strides", (2,)),
))  # fmt: skip


def trainable_base(folder: Path) -> Path:
    """A small network that can be trained, with the grid of the phantoms, never trained."""
    ready = base_folder(folder)
    torch.manual_seed(4)
    network = build(ARCHITECTURE.name, ARCHITECTURE.arguments())
    data = safetensors.numpy.save({n: t.numpy() for n, t in network.state_dict().items()})
    (ready / "weights.safetensors").write_bytes(data)
    card = card_from_bytes((ready / "card.json").read_bytes(), "card")
    (ready / "card.json").unlink()
    changes = {"architecture": ARCHITECTURE, "sha256": hashlib.sha256(data).hexdigest()}
    write_card(replace(card, patch_size=(16, 16, 8), **changes), ready / "card.json")
    return ready


def work(root, say=lambda _: None):
    """Do what is not done yet; `say` is told of each change when it is on the disk.

    For processes of their own: networks run by torch here, as converting them for OpenVINO would be
    half of a run and writes nothing into the study.
    """
    networks_build.openvino_is_there = lambda: False
    store = NetworkStore(root / "home")
    if not (store.folder / BASE).exists():
        install(store, InstallRequest(str(root / "base" / BASE)), lambda *_: None)
    study_folder = root / "study"
    if not (study_folder / INDEX).exists():
        relabel_study(root, store, hold_out=0.25)
    study = open_study(study_folder)
    say("init")
    tools = Tools(store, "cpu")
    while len([one for one in iterations(study) if one.is_finished]) < 1:
        relabel(study, SETTINGS, 1, tools)
    say("iteration 1")
    if study.case("case 0").state != "accepted":
        accept(study, "case 0", shifted(truth(0), 4), Work("Anna", 1.0),
               study.case("case 0").current)  # fmt: skip
    say(f"version case 0 {len(study.versions('case 0'))}")
    while len([one for one in iterations(study) if one.is_finished]) < 2:
        relabel(study, SETTINGS, 1, tools)
    say("iteration 2")
    if not (root / "out").exists():
        export(study, root / "out")
    say("export")
    return study


def content(study):
    """What two runs have to agree in: all labels, and the hashes of all networks."""
    hashes = [(one.base_sha256, one.weights_sha256) for one in iterations(study)]
    finished = [one.is_finished for one in iterations(study)]
    whole = [pair for pair, done in zip(hashes, finished, strict=True) if done]
    return study_work.content(study) | {"networks": whole}


if __name__ == "__main__":
    np.seterr(all="raise")
    main(work)
