"""The card of a click network, made for its weights: what a folder that can be installed needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..networks.weights import sha256_of
from ..refine.look import SIDE

# What a new segment is in Slicer until somebody says more: nobody knows what will be pointed at.
_TISSUE = {"scheme": "SCT", "value": "85756007", "meaning": "Tissue"}
INPUTS = (
    ("intensity", "A patch of the scan, in the patch's own range"),
    ("difference", "The same, as the difference from what was pointed at"),
    ("before", "The segment before"),
    ("positive", "Positive prompts"),
    ("negative", "Negative prompts"),
    ("region", "A box around the segment"),
    ("outside", "Where the scan ends"),
)


def click_card(weights: Path) -> dict[str, Any]:
    """Return the card, as JSON, of weights that `learn.click_network` exported."""
    return {
        "id": "click",
        "title": "Whatever is pointed at",
        "task": "One segment of any kind on scans of any modality, from clicks, scribbles, lassos "
        "and boxes.",
        "modality": "any",
        "labels": [
            {
                "value": 1,
                "name": "Segment",
                "color": [255, 170, 60],
                "terminology": {"category": _TISSUE, "type": _TISSUE},
            }
        ],
        "spacing_mm": None,
        "orientation": None,
        "divisible_by": 16,
        "intensity": {"rule": "none"},
        "channels": [{"role": role, "title": title} for role, title in INPUTS],
        "patch_size": [SIDE, SIDE, SIDE],
        "overlap": 0.0,
        "one_body": False,
        "output": "sigmoid",
        "promptable": True,
        "license": {
            "id": "Apache-2.0",
            "text": "Part of SegmentationAI, under its license.",
            "use": "free",
        },
        "source": "https://github.com/BBillot/SynthSeg",
        "paper": "10.1016/j.media.2023.102789",
        "sha256": sha256_of(weights),
        "size_bytes": weights.stat().st_size,
        "file": "weights/click.safetensors",
        "architecture": {
            "name": "click-unet",
            "parameters": {
                "in_channels": len(INPUTS),
                "out_channels": 1,
                "widths": [32, 64, 128, 160],
                "hidden": 96,
            },
        },
        "gates": [],
        "limits": [
            "Answers prompts in a session of refine; it segments nothing by itself.",
            "Learned from objects by formula, 18 brain label maps and two CTs of the torso; what "
            "it reaches on other scans is in Documentation/refine-evidence.md, failures included.",
            "What has no border of its own in the intensities, such as part of an organ, takes "
            "many clicks.",
        ],
        "notes": [
            "Several channels of a scan are looked at one by one and their logits averaged.",
        ],
    }
