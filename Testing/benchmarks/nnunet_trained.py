"""nnU-Net trained for some minutes on given patients, scored on others.

    nnunet_trained.py HIPPOCAMPUS PATIENTS.json OUT MINUTES

PATIENTS.json holds two lists of case names, ``training`` and ``test``. Runs in .venv-benchmark, and
prints one line of JSON. Plan, network, augmentation, loss and optimizer are nnU-Net's own; only its
clock is ours: its learning rate falls, by its own rule, over these minutes instead of 1000 epochs,
and it looks at no validation patches meanwhile, so that all minutes are steps.
"""

import json
import multiprocessing
import os
import sys
import time
from pathlib import Path

import nibabel
import numpy as np
from nnunet_peer import DATASET, _use

POWER = 0.9


def write_raw(data: Path, names: list[str], raw: Path) -> None:
    """Write the patients as nnU-Net wants them; links, since nothing is changed."""
    if (raw / "dataset.json").exists():
        return
    (raw / "imagesTr").mkdir(parents=True, exist_ok=True)
    (raw / "labelsTr").mkdir(exist_ok=True)
    for name in names:
        image, label = raw / "imagesTr" / f"{name}_0000.nii.gz", raw / "labelsTr" / f"{name}.nii.gz"
        for link, folder in ((image, "imagesTr"), (label, "labelsTr")):
            link.unlink(missing_ok=True)
            link.symlink_to((data / folder / f"{name}.nii.gz").resolve())
    dataset = {
        "channel_names": {"0": "MRI"},
        "labels": {"background": 0, "Anterior": 1, "Posterior": 2},
        "numTraining": len(names),
        "file_ending": ".nii.gz",
    }
    (raw / "dataset.json").write_text(json.dumps(dataset), encoding="utf-8")


def trained(out: Path, names: list[str], minutes: float):
    """Return nnU-Net's trainer after its steps, and how many it took."""
    import torch
    from nnunetv2.experiment_planning.plan_and_preprocess_api import (
        extract_fingerprints,
        plan_experiments,
        preprocess,
    )
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    ready = out / "preprocessed" / DATASET
    if not (ready / "nnUNetPlans_3d_fullres").exists():
        extract_fingerprints([4], num_processes=1, check_dataset_integrity=False)
        plan_experiments([4])
        preprocess([4], configurations=["3d_fullres"], num_processes=[1])
    # Its trainer wants cases to validate on; they are not looked at.
    (ready / "splits_final.json").write_text(json.dumps([{"train": names, "val": names[:1]}]))
    plans = json.loads((ready / "nnUNetPlans.json").read_text())
    dataset = json.loads((ready / "dataset.json").read_text())
    torch.manual_seed(0)
    told = {**plans, "continue_training": False}
    trainer = nnUNetTrainer(told, "3d_fullres", 0, dataset, device=torch.device("cpu"))
    trainer.initialize()
    trainer.on_train_start()
    trainer.network.train()
    started, steps = time.monotonic(), 0
    while (done := (time.monotonic() - started) / (60 * minutes)) < 1:
        rate = trainer.initial_lr * (1 - done) ** POWER
        trainer.optimizer.param_groups[0]["lr"] = rate
        trainer.train_step(next(trainer.dataloader_train))
        steps += 1
    return trainer, steps


def scores(trainer, data: Path, names: list[str]) -> list[float]:
    """Return the mean Dice of each label over the test patients, as nnU-Net predicts them."""
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
    predictor.manual_initialization(
        trainer.network, trainer.plans_manager, trainer.configuration_manager, None,
        trainer.dataset_json, "nnUNetTrainer", trainer.inference_allowed_mirroring_axes,
    )  # fmt: skip
    trainer.set_deep_supervision_enabled(False)
    trainer.network.eval()
    predictor.list_of_parameters = [trainer.network.state_dict()]
    reader = trainer.plans_manager.image_reader_writer_class()
    rows = []
    for name in names:
        images, facts = reader.read_images([str(data / "imagesTr" / f"{name}.nii.gz")])
        found = predictor.predict_single_npy_array(images, facts, None, None, False)
        truth = nibabel.load(data / "labelsTr" / f"{name}.nii.gz").get_fdata().T
        rows.append([_dice(found == value, truth == value) for value in (1, 2)])
    return np.nanmean(rows, axis=0).tolist()


def _dice(found: np.ndarray, truth: np.ndarray) -> float:
    size = int(found.sum()) + int(truth.sum())
    return 2 * int((found & truth).sum()) / size if size else float("nan")


def main() -> None:
    data, patients, out = (Path(word) for word in sys.argv[1:4])
    minutes = float(sys.argv[4])
    names = json.loads(patients.read_text(encoding="utf-8"))
    _use(out)
    write_raw(data, names["training"], out / "raw" / DATASET)
    trainer, steps = trained(out, names["training"], minutes)
    labels = scores(trainer, data, names["test"])
    facts = {"dice": float(np.mean(labels)), "labels": labels, "steps": steps, "minutes": minutes}
    print(json.dumps(facts), flush=True)
    # Its workers would wait for ever for someone to take their batches, and hold the output open.
    for worker in multiprocessing.active_children():
        worker.terminate()
    os._exit(0)


if __name__ == "__main__":
    main()
