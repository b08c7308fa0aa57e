"""A picture of what `cross_modality` has trained: one held-out head, every contrast, every network.

    .venv/bin/python Testing/benchmarks/cross_modality_pictures.py --data LABEL_MAPS --output FILE

Rows are the contrasts CT, T1 and T2; columns the truth and the networks of `NETWORKS`, seed 0.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from cross_modality import experiments
from PIL import Image
from synthesized_scans import CONTRASTS, LABELS

from SegmentationAILib.learn.hold_out import predicted_channels
from SegmentationAILib.learn.sample_picture import sample_picture
from SegmentationAILib.learn.trainer import TrainedNetwork
from SegmentationAILib.learn.training_case import PreparedCase
from SegmentationAILib.learn.training_session import load_weights, seeded_network
from SegmentationAILib.networks.trainable import InferenceForm, TrainableNetwork

NETWORKS = ("CT scratch", "T1 scratch", "CT-T1 encoder", "CT-T1-T2 encoder", "universal")
COLORS = (
    (0.55, 0.75, 1.0), (1.0, 0.35, 0.35), (0.75, 0.4, 1.0), (0.95, 0.6, 0.15), (0.2, 0.9, 0.3),
    (0.95, 0.95, 0.1), (0.2, 0.9, 0.9),
)  # fmt: skip


def picture(networks: list[TrainedNetwork], scans: dict[str, PreparedCase]) -> np.ndarray:
    """Return `(rows, columns, 3)`: each scan with the truth and with each network's answer."""
    labels = [replace(one, color=color) for one, color in zip(LABELS, COLORS, strict=True)]
    answers = [_answering(one) for one in networks]
    rows = []
    for contrast in CONTRASTS:
        case, parts = scans[contrast], []
        for trained, answer in zip(networks, answers, strict=True):
            found = predicted_channels(answer, case, trained.plan)
            truth, drawn = np.split(sample_picture(case, found, labels), 2, axis=1)
            parts.append(drawn)
        rows.append(np.concatenate([truth, *parts], axis=1))
    return np.concatenate(rows, axis=0)


def _answering(trained: TrainedNetwork) -> InferenceForm:
    network = seeded_network(trained.plan)
    load_weights(network, trained.weights)
    assert isinstance(network, TrainableNetwork)
    return InferenceForm(network).eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the label maps")
    parser.add_argument("--work", type=Path, default=Path("training/cross-modality"))
    parser.add_argument("--steps", type=int, default=400, help="of a row on few scans")
    parser.add_argument("--output", type=Path, required=True, help="PNG file")
    asked = parser.parse_args()
    (found,) = experiments(argparse.Namespace(**{**vars(asked), "seeds": 1}))
    rows = found.rows()
    scans = {contrast: cases[0] for contrast, cases in found.test.items()}
    drawn = picture([rows[name]() for name in NETWORKS], scans)
    Image.fromarray(drawn).save(asked.output, optimize=True)


if __name__ == "__main__":
    main()
