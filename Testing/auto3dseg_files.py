"""Networks as SlicerMONAIAuto3DSeg offers them, and the labels of its own steps, run by MONAI."""

import zipfile

import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.data import decollate_batch, list_data_collate
from monai.inferers import SlidingWindowInfererAdapt
from monai.transforms import (
    Compose,
    ConcatItemsd,
    CropForegroundd,
    EnsureTyped,
    Invertd,
    Lambdad,
    LoadImaged,
    NormalizeIntensityd,
    Orientationd,
    ScaleIntensityRanged,
    Spacingd,
)
from monai.utils import convert_to_dst_type

NETWORK = {
    "_target_": "SegResNetDS", "init_filters": 8, "blocks_down": [1, 1], "norm": "INSTANCE",
    "in_channels": 1, "out_channels": 3, "dsdepth": 2,
}  # fmt: skip
CT = {
    "network": NETWORK, "normalize_mode": "ct", "intensity_bounds": [-50.0, 170.0],
    "orientation_ras": True, "crop_foreground": True, "resample_resolution": [1.45, 1.13, 2.07],
    "roi_size": [16, 20, 12], "sigmoid": False,
}  # fmt: skip
CODE = "CodingSchemeDesignator,CodeValue,CodeMeaning"
COLUMNS = ["SegmentedPropertyCategoryCodeSequence", "SegmentedPropertyTypeCodeSequence"]
HEADER = ["LabelValue", "Name", *(f"{c}.{p}" for c in COLUMNS for p in CODE.split(","))]
ROWS = [
    ["1", "liver", "SCT", "123037004", "Anatomical Structure", "SCT", "10200004", "Liver"],
    ["2", "a lump", "", "", "", "", "", ""],
]


def a_zip(path, settings, rows=ROWS):
    """Write a zip as the extension offers them."""
    torch.manual_seed(4)
    network = ConfigParser(settings["network"]).get_parsed_content()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.6).add_(0.02)
        # No class wins everywhere: on noise each is as likely as the others, and logits are as
        # large as those of a trained network, or 1e-3 would be no tie.
        seen = network.eval()(torch.rand(1, 1, 16, 20, 12))
        named = dict(network.named_parameters())
        last = [name for name in named if name.endswith("head.bias")][-1]
        scale = seen.std(dim=(0, 2, 3, 4)) / 3
        named[last].sub_(seen.mean(dim=(0, 2, 3, 4))).div_(scale)
        named[last.replace("bias", "weight")].div_(scale.reshape(-1, 1, 1, 1, 1))
    model = path.with_suffix(".pt")
    torch.save({"config": settings, "state_dict": network.state_dict(), "epoch": 7}, model)
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(model, "inside/model.pt")
        archive.writestr("inside/labels.csv", a_table(rows))
    return network.eval()


def normalizing(mode, bounds):
    if mode == "ct":
        return [
            ScaleIntensityRanged("image", bounds[0], bounds[1], -1, 1, clip=False),
            Lambdad("image", torch.sigmoid),
        ]
    if mode == "pet":
        return [Lambdad("image", lambda x: torch.sigmoid((x - x.min()) / x.std()))]
    steps = [NormalizeIntensityd("image", nonzero=True, channel_wise=True)]
    if mode == "meanstdtanh":
        steps.append(Lambdad("image", lambda x: 3 * torch.tanh(x / 3)))
    return steps


def run_of_the_extension(network, settings, scan):
    """Return the labels of its inference script's steps, and by how much each winner leads."""
    load = LoadImaged("image1", ensure_channel_first=True, dtype=None, image_only=False)
    steps = [ConcatItemsd(["image1"], "image", dim=0), EnsureTyped("image", dtype=torch.float)]
    steps += normalizing(settings["normalize_mode"], settings["intensity_bounds"])
    if settings["orientation_ras"]:
        steps.append(Orientationd("image", axcodes="RAS"))
    if settings["crop_foreground"]:
        steps.append(CropForegroundd("image", source_key="image1", margin=10, allow_smaller=True))
    pixdim = settings["resample_resolution"]
    steps.append(
        Spacingd(
            ["image"], pixdim=pixdim, mode=["bilinear"], dtype=torch.float,
            min_pixdim=np.array(pixdim) * 0.75, max_pixdim=np.array(pixdim) * 1.25,
        )
    )  # fmt: skip
    prepare = Compose(steps)
    batch = list_data_collate([prepare([load({"image1": scan})])])
    slide = SlidingWindowInfererAdapt(
        roi_size=settings["roi_size"], sw_batch_size=1, overlap=0.625, mode="gaussian"
    )
    with torch.no_grad():
        logits = slide(inputs=batch["image"].as_subclass(torch.Tensor), network=network)
    two = torch.topk(logits, 2, dim=1).values
    back = Compose([Invertd("pred", orig_keys="image", transform=prepare, nearest_interp=True)])

    def inverted(grid):
        batch["pred"] = convert_to_dst_type(grid, batch["image"], dtype=grid.dtype)[0]
        return decollate_and_invert(batch, back)

    labels = torch.argmax(torch.softmax(logits, 1), 1, keepdim=True).to(torch.uint8)
    return inverted(labels), inverted(two[:, :1] - two[:, 1:])


def decollate_and_invert(batch, back):
    return back(decollate_batch(batch)[0])["pred"][0].numpy()


def a_table(rows=ROWS):
    return "\n".join(",".join(row) for row in [HEADER, *rows]).encode()
