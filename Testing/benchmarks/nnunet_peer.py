"""nnU-Net itself: a network trained by it for a moment, and its own prediction.

    nnunet_peer.py train HIPPOCAMPUS OUT [--folds 0 1] [--iterations 30]
    nnunet_peer.py predict RESULT_FOLDER VOLUME OUT.npz [--half] [--no-mirror]

Runs in .venv-benchmark. ``predict`` keeps the sums in float32 unless told otherwise, and also
writes how far the two best logits lie apart, so that a tie can be told from a difference.
"""

import argparse
import json
import os
import shutil
import time
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np

CASES = 16
DATASET = "Dataset004_Hippocampus"
RESULT = "nnUNetTrainer__nnUNetPlans__3d_fullres"


def train(data: Path, out: Path, folds: list[int], iterations: int) -> None:
    """Write ``out/results/DATASET/RESULT`` by nnU-Net's trainer; see `balance`."""
    _use(out)
    _write_raw(data, out / "raw" / DATASET)
    import torch
    from nnunetv2.experiment_planning.plan_and_preprocess_api import (
        extract_fingerprints,
        plan_experiments,
        preprocess,
    )
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    extract_fingerprints([4], num_processes=1, check_dataset_integrity=False)
    plan_experiments([4])
    preprocess([4], configurations=["3d_fullres"], num_processes=[1])
    ready = out / "preprocessed" / DATASET
    plans = json.loads((ready / "nnUNetPlans.json").read_text())
    dataset = json.loads((ready / "dataset.json").read_text())
    for fold in folds:
        torch.manual_seed(fold)
        told = {**plans, "continue_training": False}
        trainer = nnUNetTrainer(told, "3d_fullres", fold, dataset, device=torch.device("cpu"))
        trainer.num_epochs, trainer.num_val_iterations_per_epoch = 3, 1
        trainer.num_iterations_per_epoch = max(1, iterations // 3)
        trainer.initialize()
        trainer.configuration_manager.configuration["batch_size"] = trainer.batch_size = 2
        trainer.run_training()
    balance(out / "results" / DATASET / RESULT, next((data / "imagesTr").glob("*.nii.gz")))


def balance(folder: Path, volume: Path) -> None:
    """Move the last bias of every fold so that all classes are equally likely on one volume.

    After a minute of training a network finds background alone, which agrees with anything. So it
    has labels everywhere, and as many borders as a comparison could wish for.
    """
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    for path in sorted(folder.glob("fold_*/checkpoint_final.pth")):
        predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
        fold = (path.parent.name.removeprefix("fold_"),)
        predictor.initialize_from_trained_model_folder(str(folder), fold, path.name)
        preprocessor = predictor.configuration_manager.preprocessor_class(verbose=False)
        data, _, _ = preprocessor.run_case(
            [str(volume)], None, predictor.plans_manager, predictor.configuration_manager,
            predictor.dataset_json,
        )  # fmt: skip
        sides = predictor.configuration_manager.patch_size
        patch = np.zeros((1, len(data), *sides), np.float32)
        cut = data[:, : sides[0], : sides[1], : sides[2]]
        patch[0, :, : cut.shape[1], : cut.shape[2], : cut.shape[3]] = cut
        with torch.inference_mode():
            logits = predictor.network.eval()(torch.from_numpy(patch))[0]
        saved = torch.load(path, weights_only=False)
        heads = [name for name in saved["network_weights"] if "seg_layers" in name]
        bias = saved["network_weights"][sorted(n for n in heads if n.endswith("bias"))[-1]]
        bias -= logits.flatten(1).median(dim=1).values
        torch.save(saved, path)


def predict(folder: Path, volume: Path, *, half: bool = False, mirror: bool = True) -> dict:
    """Return nnU-Net's labels ``(K, J, I)``, how far its logits are from a tie, and the seconds."""
    import torch
    from nnunetv2.inference import predict_from_raw_data as prediction
    from nnunetv2.inference.sliding_window_prediction import compute_gaussian

    predictor = prediction.nnUNetPredictor(
        use_mirroring=mirror, device=torch.device("cpu"), allow_tqdm=False
    )
    file = "checkpoint_final.pth"
    predictor.initialize_from_trained_model_folder(str(folder), None, file)
    reader = predictor.plans_manager.image_reader_writer_class()
    kept = {}

    def noting(logits: torch.Tensor, *arguments: object) -> np.ndarray:
        kept["logits"] = np.asarray(original(logits, *arguments))
        return kept["logits"]

    original = predictor.configuration_manager.resampling_fn_probabilities
    started = time.perf_counter()
    images, properties = reader.read_images([str(volume)])
    dtype = torch.float16 if half else torch.float32
    with (
        patch.object(torch, "half", dtype),
        patch.object(prediction, "compute_gaussian", partial(compute_gaussian, dtype=dtype)),
        patch.object(
            type(predictor.configuration_manager),
            "resampling_fn_probabilities",
            staticmethod(noting),
        ),
    ):
        labels = predictor.predict_single_npy_array(images, properties, None, None, False)
    seconds = time.perf_counter() - started
    plans = predictor.plans_manager
    best = np.sort(kept["logits"], axis=0)
    # Regions have a threshold each, at 0; of labels the best two compete.
    has_regions = predictor.label_manager.has_regions
    margin = np.abs(best).min(axis=0) if has_regions else best[-1] - best[-2]
    whole = np.full(properties["shape_before_cropping"], np.inf, np.float32)
    whole[tuple(slice(a, b) for a, b in properties["bbox_used_for_cropping"])] = margin
    margin = whole.transpose(plans.transpose_backward)
    return {"labels": labels, "margin": margin, "seconds": seconds}


def _use(out: Path) -> None:
    """Tell nnU-Net its folders; it reads them when it is imported."""
    for kind in ("raw", "preprocessed", "results"):
        (out / kind).mkdir(parents=True, exist_ok=True)
        os.environ[f"nnUNet_{kind}"] = str(out / kind)
    os.environ.update(nnUNet_n_proc_DA="1", nnUNet_def_n_proc="1")


def _write_raw(data: Path, raw: Path) -> None:
    (raw / "imagesTr").mkdir(parents=True)
    (raw / "labelsTr").mkdir()
    names = sorted(path.name for path in (data / "imagesTr").glob("*.nii.gz"))[:CASES]
    for name in names:
        shutil.copy(data / "imagesTr" / name, raw / "imagesTr" / name.replace(".nii", "_0000.nii"))
        shutil.copy(data / "labelsTr" / name, raw / "labelsTr" / name)
    dataset = {
        "channel_names": {"0": "MRI"},
        "labels": {"background": 0, "Anterior": 1, "Posterior": 2},
        "numTraining": len(names),
        "file_ending": ".nii.gz",
    }
    (raw / "dataset.json").write_text(json.dumps(dataset), encoding="utf-8")


def main() -> None:
    """Do what the words say."""
    parser = argparse.ArgumentParser(description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    one = actions.add_parser("train")
    one.add_argument("data", type=Path)
    one.add_argument("out", type=Path)
    one.add_argument("--folds", type=int, nargs="+", default=[0, 1])
    one.add_argument("--iterations", type=int, default=30)
    two = actions.add_parser("predict")
    two.add_argument("folder", type=Path)
    two.add_argument("volume", type=Path)
    two.add_argument("out", type=Path)
    two.add_argument("--half", action="store_true")
    two.add_argument("--no-mirror", action="store_true")
    words = parser.parse_args()
    if words.action == "train":
        train(words.data, words.out, words.folds, words.iterations)
    else:
        found = predict(words.folder, words.volume, half=words.half, mirror=not words.no_mirror)
        np.savez(words.out, **found)


if __name__ == "__main__":
    main()
