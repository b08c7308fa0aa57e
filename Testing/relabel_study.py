"""A study whose loop runs in seconds: a network of thresholds, trained by a formula.

The trainer here stands in for the real one: between the mean intensities of two labels lies the
threshold that parts them. It learns from labels, weights and what is ignored as the real one does,
but neither takes steps nor writes checkpoints, and takes no notice of where it starts.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import safetensors.numpy
from study_files import LABELS, study_folders, study_source

from SegmentationAILib.learn.plan import TrainingPlan
from SegmentationAILib.learn.relabel.loop import Tools
from SegmentationAILib.learn.study.create import create_study
from SegmentationAILib.learn.trainer import TrainedNetwork
from SegmentationAILib.learn.training_case import IGNORED
from SegmentationAILib.networks.card import Architecture, Channel, Intensity, License
from SegmentationAILib.networks.card_reader import write_card
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.store import NetworkStore

BASE = "thresholds"
ARCHITECTURE = Architecture("meshnet", (
    ("in_channels", 1), ("channels", 1), ("out_channels", 3), ("dilations", (1,)),
    ("activation", "relu"), ("normalization", "none"),
))  # fmt: skip
# So far above 0 that no intensity is cut by the activation.
LIFT = 50.0
SHARPNESS = 8.0


def threshold_weights(first: float, second: float) -> dict[str, np.ndarray]:
    """Weights of a network that answers 0, 1, 2 below, between and above two intensities."""
    hidden = np.zeros((1, 1, 3, 3, 3), np.float32)
    hidden[0, 0, 1, 1, 1] = 1
    output = np.array([0, 1, 2], np.float32).reshape(3, 1, 1, 1, 1) * SHARPNESS
    lifted = np.array([0, LIFT + first, 2 * LIFT + first + second], np.float32)
    return {
        "model.0.weight": hidden,
        "model.0.bias": np.array([LIFT], np.float32),
        "model.2.weight": output,
        "model.2.bias": -lifted * SHARPNESS,
    }


def base_folder(folder: Path, first: float = 0.5, second: float = 2.5) -> Path:
    """The base network, with thresholds in standard deviations above the mean."""
    ready = folder / BASE
    ready.mkdir(parents=True)
    data = safetensors.numpy.save(threshold_weights(first, second))
    (ready / "weights.safetensors").write_bytes(data)
    plan = TrainingPlan(
        architecture=ARCHITECTURE, labels=LABELS, channels=(Channel("t1"),), modality="MR",
        orientation="LPS", spacing_mm=(0.9, 1.3, 2.5), intensity=Intensity("zscore"),
        patch_size=(16, 16, 16), batch_size=4, epochs=1, steps_per_epoch=1, learning_rate=1e-3,
        validation_fraction=0.0,
    )  # fmt: skip
    card = replace(
        plan.card(), id=BASE, title="Thresholds", task="Finds two spheres.",
        license=License("Apache-2.0", "Made for tests.", "free"),
        sha256=hashlib.sha256(data).hexdigest(),
    )  # fmt: skip
    write_card(card, ready / "card.json")
    return ready


def by_formula(
    cases, plan, *, output, start, freeze, options, progress, on_event
) -> TrainedNetwork:
    """The stand-in for `trainer.train`: thresholds halfway between the labels' mean intensities."""
    means = []
    for channel in range(3):
        found = [(c.array[0][c.channels == channel], _weights(c)[c.channels == channel])
                 for c in cases]  # fmt: skip
        values, weights = (np.concatenate(part).astype(np.float64) for part in zip(*found))  # noqa: B905
        means.append(float((values * weights).sum() / weights.sum()))
    progress(1.0, "Trained")
    assert all((case.channels[case.channels != IGNORED] < 3).all() for case in cases)
    weights = threshold_weights((means[0] + means[1]) / 2, (means[1] + means[2]) / 2)
    return TrainedNetwork(weights, plan, None, (), 0, 0.0, ())


def _weights(case):
    return np.ones(case.channels.shape) if case.weights is None else case.weights


def store_with_base(home: Path, **thresholds) -> NetworkStore:
    """A store below ``home`` with the base network."""
    store = NetworkStore(home)
    folder = base_folder(home / "made", **thresholds)
    install(store, InstallRequest(str(folder)), lambda *_: None)
    return store


def relabel_study(root: Path, store: NetworkStore, cases: int = 4, **changes):
    """A study of phantoms that starts from the base network; folders beside it."""
    if not (root / "images").exists():
        folders = study_folders(root, cases)
    else:
        folders = {name: root / name for name in ("images", "weak", "references")}
    sha256 = store.find(BASE).card.sha256
    source = study_source(folders, base=BASE, base_sha256=sha256, **changes)
    return create_study(root / "study", source)


def tools(store: NetworkStore, **changes) -> Tools:
    """The loop's tools with the trainer of this file."""
    return replace(Tools(store, "cpu", by_formula), **changes)
