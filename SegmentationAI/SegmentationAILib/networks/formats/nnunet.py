"""Result folders of nnU-Net v2: plans, dataset and the checkpoints of the folds.

Isensee et al., Nature Methods 2021, doi:10.1038/s41592-020-01008-z. The folder is the one that
nnU-Net writes, ``DatasetXXX_Name/Trainer__Plans__Configuration``, or one that holds it alone (as an
export zip does). ``postprocessing.pkl`` is never opened.
"""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from ...core.errors import WeightsError
from ..card import Architecture, License, NetworkCard
from ..folds import joined_folds
from ..network_source import NetworkSource
from .format import FoundFiles, source_of_weights
from .nnunet_checkpoints import Checkpoints, checkpoint_names, read_checkpoints
from .nnunet_labels import Outputs, card_channels, channels_of, outputs_of
from .nnunet_plans import Configuration, configuration_of
from .totalsegmentator import with_classes

PLANS, DATASET = "plans.json", "dataset.json"
PAPER: Final = "10.1038/s41592-020-01008-z"
MAX_PLANS: Final = 4 << 20
TILE_OVERLAP: Final = 0.5
# Trainers that come with nnU-Net and train the network of the plans.
OWN_TRAINERS: Final = re.compile(
    r"nnUNetTrainer(_?\d+epochs?|_?NoMirroring|_onlyMirror01|NoDeepSupervision|NoDA|DA5|DAOrd0"
    r"|_DASegOrd0|_noDummy2DDA|(Dice)?CELoss\w*|DiceLoss|DiceCELoss\w*|TopK\w*|CosAnneal|_warmup"
    r"|V?Adam\w*|Adan\w*|_probabilisticOversampling\w*|Benchmark_\w*)*"
)


def recognizes(found: FoundFiles) -> bool:
    """Return whether these are the files of one or several results of nnU-Net v2."""
    return bool(result_folders(found))


def result_folders(found: FoundFiles) -> tuple[PurePosixPath, ...]:
    """Return the folders, relative to ``found``, that hold plans, dataset and a checkpoint."""
    with_plans = [name.parent for name in found.names if name.name == PLANS]
    return tuple(
        folder
        for folder in with_plans
        if folder / DATASET in found.names and checkpoint_names(found.below(folder))
    )


def read(found: FoundFiles, staging: Path) -> NetworkSource:
    """Return the one network of these files.

    Raises:
        WeightsError: Several results, a cascade, a rule or block that is not known, or a hostile
            or damaged file; the message names it.
    """
    folders = result_folders(found)
    if len(folders) != 1:
        raise WeightsError(
            f"{found.root.name} holds {len(folders)} results of nnU-Net: "
            f"{', '.join(str(folder)[:80] for folder in folders[:3])}; name the folder of one."
        )
    return read_result(found.below(folders[0]), staging)


def read_result(found: FoundFiles, staging: Path) -> NetworkSource:
    """Return the network of one result folder.

    Raises:
        WeightsError: See `read`.
    """
    plans, dataset = found.json(PLANS, MAX_PLANS), found.json(DATASET, MAX_PLANS)
    checkpoints = read_checkpoints(found, staging)
    card = card_of(plans, dataset, checkpoints, found.root.name)
    return source_of_weights(card, joined_folds(checkpoints.weights), staging)


def card_of(plans: Any, dataset: Any, checkpoints: Checkpoints, source: str) -> NetworkCard:
    """Return the card of a network, but for the hash of its weights.

    Args:
        plans: As ``plans.json`` says.
        dataset: As ``dataset.json`` says.
        checkpoints: What the folds hold.
        source: Name of the folder, for messages.

    Raises:
        WeightsError: See `read`.
    """
    try:
        outputs, names = outputs_of(dataset), channels_of(dataset)
        configuration = configuration_of(plans, checkpoints.configuration, len(names))
        card = _card(configuration, outputs, names, checkpoints)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        reason = f"{type(error).__name__} {str(error)[:120]}"
        raise WeightsError(
            f"The {PLANS} or {DATASET} of {source} is not as nnU-Net v2 writes it ({reason})."
        ) from error
    return with_classes(card, configuration.dataset)


def _card(
    configuration: Configuration,
    outputs: Outputs,
    names: tuple[str, ...],
    checkpoints: Checkpoints,
) -> NetworkCard:
    channels = card_channels(names, configuration.intensities)
    is_ct = any(rule.rule == "clip" and rule.number("std", 0) for rule in configuration.intensities)
    parameters: Mapping[str, Any] = {
        **configuration.architecture.arguments(),
        "in_channels": len(channels),
        "out_channels": outputs.channels,
    }
    dataset = re.sub(r"^Dataset[0-9]{3}_", "", configuration.dataset) or "nnU-Net"
    shown = ", ".join(label.name for label in outputs.labels)
    return NetworkCard(
        id="nnunet",
        title=f"{dataset} (nnU-Net {configuration.name})"[:200],
        task=f"{len(outputs.labels)} structures: {shown}."[:900],
        modality="CT" if is_ct and len(channels) == 1 else "any",
        labels=outputs.labels,
        spacing_mm=configuration.spacing_mm,
        orientation=configuration.orientation,
        size=None,
        divisible_by=1,
        intensity=configuration.intensities[0],
        channels=channels,
        patch_size=configuration.patch_size,
        overlap=TILE_OVERLAP,
        one_body=False,
        output=outputs.output,
        license=License("unstated", "The folder states no terms of the weights.", "unstated"),
        source="",
        paper=PAPER,
        sha256="0" * 64,
        size_bytes=0,
        address="",
        file="",
        converted_from=checkpoints.sha256,
        architecture=Architecture(
            configuration.architecture.name, tuple(sorted(parameters.items()))
        ),
        gates=(),
        limits=(),
        notes=(*_notes(checkpoints), *outputs.notes),
        conventions="nnunet",
        axes=configuration.axes,
        mirror_axes=checkpoints.mirror_axes,
        one_layer=outputs.one_layer,
        folds=len(checkpoints.weights),
    )


def _notes(checkpoints: Checkpoints) -> list[str]:
    notes = [f"Trained by {checkpoints.trainer[:80]}; {', '.join(checkpoints.folds)}."]
    if not OWN_TRAINERS.fullmatch(checkpoints.trainer):
        notes.append(
            "That trainer is none of nnU-Net's own. Its tensors fit the network of the plans; "
            "whether it ran them in another way cannot be seen from data: compare one result."
        )
    if checkpoints.is_best:
        notes.append("Training was not finished: these are the best weights until then.")
    if checkpoints.folds == ("fold_all",):
        notes.append("Trained on all cases: none is left on which it could have been checked.")
    return notes
