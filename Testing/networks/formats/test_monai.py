"""Bundles that MONAI wrote: installed as data, with the labels of MONAI's own run."""

import json

import monai_bundles as book
import numpy as np
import pytest

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.core.files import read_volume
from SegmentationAILib.networks.expected_shapes import check_architecture
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.segmenter import open_segmenter
from SegmentationAILib.networks.store import NetworkStore

TIE = 1e-3


def replaced(steps, name, **arguments):
    return [{**step, **arguments} if step["_target_"] == name else step for step in steps]


def without(steps, *names):
    return [step for step in steps if step["_target_"] not in names]


NEAREST = [
    book.AFTER[0], book.AFTER[2], {**book.INVERT, "nearest_interp": True},
]  # fmt: skip
MINMAX = {"_target_": "ScaleIntensityd", "keys": "image"}
NONZERO = {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True}
CROP = {"_target_": "CropForegroundd", "keys": "image", "source_key": "image"}
GAUSSIAN = {**book.WINDOWS, "mode": "gaussian", "overlap": 0.625}
WIDE = {**book.WINDOWS, "roi_size": [40, 48, 40]}
SIMPLE = {"_target_": "SimpleInferer"}
BARE = [*book.BEFORE[:2], MINMAX]
DYNUNET = {
    "_target_": "monai.networks.nets.DynUNet", "spatial_dims": 3, "in_channels": 1,
    "out_channels": 3, "kernel_size": [3, 3, 3], "strides": [1, 2, [2, 2, 1]],
    "upsample_kernel_size": [2, [2, 2, 1]], "filters": [4, 6, 8],
    "norm_name": ["INSTANCE", {"affine": True}], "res_block": True,
}  # fmt: skip
CASES = {
    "as the spleen bundle": {},
    "gaussian windows": {"inferer": GAUSSIAN},
    "windows larger than the volume": {"inferer": WIDE},
    "intensities between -1 and 1, not cut": {
        "before": replaced(book.BEFORE, "ScaleIntensityRanged", b_min=-1, clip=False)
    },
    "z-scores of what is not 0, in LPS": {
        "before": [
            *replaced(book.BEFORE[:4], "Orientationd", axcodes="LPS"), NONZERO,
        ]
    },
    "another order of axes": {
        "before": [*replaced(book.BEFORE[:4], "Orientationd", axcodes="SPL"), MINMAX]
    },
    "cropped to the foreground": {
        "before": [
            *replaced(book.BEFORE[:5], "ScaleIntensityRanged", a_min=90, a_max=240), CROP,
        ]
    },
    # With other spacings some voxels lie midway between two, and rounding decides.
    "labels taken back by the nearest": {
        "before": replaced(book.BEFORE, "Spacingd", pixdim=[1.45, 1.13, 2.07]),
        "after": NEAREST,
    },
    "logits taken back": {"after": book.AFTER[1:]},
    "the whole grid at once": {
        "before": BARE, "after": without(book.AFTER, "Invertd"), "inferer": SIMPLE,
    },
    "DynUNet": {"network": DYNUNET},
}  # fmt: skip


@pytest.fixture
def installed(tmp_path):
    """Install a bundle and return its segmenter."""

    def install_it(folder):
        store = NetworkStore(tmp_path / "home")
        install(store, InstallRequest(str(folder), "net"), check_architecture)
        return open_segmenter("net", "cpu", "fp32", store)

    return install_it


# Two of them in `make test`; each takes 2 to 6 s.
QUICK = ("as the spleen bundle", "cropped to the foreground")
MARKED = [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in CASES]


@pytest.mark.parametrize("name", MARKED)
def test_labels_equal_monais_own_voxel_for_voxel(name, installed, tmp_path):
    folder = book.bundle(tmp_path / "bundle", book.configuration(**CASES[name]))
    shape = (32, 36, 16) if name == "the whole grid at once" else (31, 37, 17)
    volume = book.a_scan(shape)
    book.saved(volume, tmp_path)
    scan = str(tmp_path / "channel_0.nii.gz")
    theirs, margin = book.run_of_monai(folder, scan)
    ours = installed(folder).segment(read_volume(tmp_path / "channel_0.nii.gz"))
    differ = ours.labelmap.layers[0] != theirs[0]
    print(f"{name}: {differ.sum()} of {differ.size}, {np.bincount(theirs.ravel())}")
    assert len(np.unique(theirs)) >= 2
    if margin.shape == differ.shape:
        assert margin[differ].max(initial=0.0) < TIE
    else:
        assert not differ.any()


REFUSED = {
    "a transform that is not reproduced": (
        {"before": [*book.BEFORE, {"_target_": "CastToTyped", "keys": "image"}]}, "CastToTyped",
    ),
    "no way back": ({"after": without(book.AFTER, "Invertd")}, "no Invertd"),
    "interpolated labels": (
        {"after": [book.AFTER[0], book.AFTER[2], book.INVERT]}, "interpolates labels",
    ),
    "another order": (
        {"before": [*book.BEFORE[:2], book.BEFORE[4], *book.BEFORE[2:4]]}, "after intensity",
    ),
    "another interpolation": (
        {"before": replaced(book.BEFORE, "Spacingd", mode="nearest")}, "mode 'nearest'",
    ),
    "labels that depend on an expression": (
        {"inferer": {**book.WINDOWS, "overlap": "$@a + '0.5'"}}, "labels depend on",
    ),
    "a network that is not known": (
        {"network": {**book.NETWORK, "_target_": "BasicUNet"}}, "BasicUNet",
    ),
    "two dimensions": (
        {"network": {**book.NETWORK, "spatial_dims": 2}}, "2 dimensions",
    ),
    "an argument that is not known": (
        {"network": {**book.NETWORK, "adn_ordering": "AND"}}, "adn_ordering AND",
    ),
    "a step for another entry": (
        {"before": replaced(book.BEFORE, "Spacingd", keys=["label"])}, "keys",
    ),
    "axes of another frame": (
        {"before": replaced(book.BEFORE, "LoadImaged", affine_lps_to_ras=False)},
        "affine_lps_to_ras",
    ),
    "a step that is switched off": (
        {"before": replaced(book.BEFORE, "Spacingd", _disabled_=True)}, "_disabled_",
    ),
    "a number that is none": (
        {"inferer": {**book.WINDOWS, "overlap": float("inf")}}, "Infinity",
    ),
    "edges that go on": (
        {"inferer": {**book.WINDOWS, "padding_mode": "replicate"}}, "padding_mode 'replicate'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_reproduced_is_refused_by_name(name, tmp_path):
    parts, words = REFUSED[name]
    folder = book.bundle(tmp_path / "bundle", book.configuration())
    hostile = json.dumps(book.configuration(**parts))
    (folder / "configs" / "inference.json").write_text(hostile)
    store = NetworkStore(tmp_path / "home")
    with pytest.raises(WeightsError, match=words):
        install(store, InstallRequest(str(folder), "net"), check_architecture)
