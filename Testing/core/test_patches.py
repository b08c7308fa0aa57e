from dataclasses import replace

import numpy as np
import pytest
import torch
from monai.inferers import sliding_window_inference

from SegmentationAILib.core.empty_windows import EmptyWindows
from SegmentationAILib.core.errors import Cancelled
from SegmentationAILib.core.flips import FlipAverage
from SegmentationAILib.core.patches import logits_slabs
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.core.windows import axis_importance, plan_windows


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors on a busy machine: threads that wait for each other cost 20 times the work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class ConvNetwork:
    """A real small network with zero padding, so that patch borders matter; counts its calls."""

    def __init__(self, channels=1, classes=4):
        torch.manual_seed(3)
        self.layers = torch.nn.Sequential(
            torch.nn.Conv3d(channels, 6, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.Conv3d(6, classes, 3, padding=1),
        )
        self.calls = 0

    @torch.no_grad()
    def __call__(self, patch):
        self.calls += 1
        return self.layers(torch.from_numpy(patch)).numpy()


def constant_network(patch):
    """Logits 0.25, -3 and 1000 everywhere."""
    logits = np.empty((1, 3, *patch.shape[2:]), np.float32)
    logits[:] = np.array([0.25, -3.0, 1000.0]).reshape(1, 3, 1, 1, 1)
    return logits


def noise(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def whole(slabs):
    """All slabs put together; checks that they follow each other."""
    parts, stop = [], 0
    for slab in slabs:
        assert slab.start == stop
        assert slab.logits.shape[slab.axis + 1] == slab.stop - slab.start
        axis, stop = slab.axis, slab.stop
        parts.append(slab.logits.astype(np.float32))  # a copy: the memory is used again
    return np.concatenate(parts, axis + 1)


def blended(array, network, patch, overlap=0.5, **options):
    windows = plan_windows(array.shape[1:], patch, overlap)
    return whole(logits_slabs(array, network, windows, **options))


def monai_blended(array, network, patch, overlap):
    """MONAI's sliding window with our importance, which is a product where MONAI's is clamped."""
    x, y, z = (torch.from_numpy(axis_importance(n)).float() for n in patch)
    importance = x[:, None, None] * y[:, None] * z
    with torch.no_grad():
        logits = sliding_window_inference(
            torch.from_numpy(array)[None],
            patch,
            1,
            network.layers,
            overlap=overlap,
            mode="gaussian",
            roi_weight_map=importance,
        )
    return logits[0].numpy()


@pytest.mark.parametrize(
    "shape", [(40, 22, 30), (22, 40, 30), (22, 30, 41), (12, 9, 16), (40, 8, 7)]
)
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.8])
def test_blending_a_constant_volume_returns_the_constant(shape, overlap):
    logits = blended(noise((1, *shape)), constant_network, (16, 12, 16), overlap)
    assert logits.shape == (3, *shape)
    for channel, value in enumerate((0.25, -3.0, 1000.0)):
        np.testing.assert_allclose(logits[channel], value, rtol=1e-6)


def test_a_pointwise_network_gives_the_same_voxel_by_voxel_as_without_windows():
    array = noise((1, 37, 29, 26))
    logits = blended(array, lambda p: np.concatenate([p, -2 * p], 1), (12, 10, 14), 0.5)
    np.testing.assert_allclose(logits[0], array[0], atol=1e-6)
    np.testing.assert_allclose(logits[1], -2 * array[0], atol=2e-6)


# Sizes at which even spacing and MONAI's fixed stride place the same windows.
@pytest.mark.parametrize(
    ("shape", "overlap"),
    [((32, 24, 40), 0.5), ((24, 40, 32), 0.5), ((40, 24, 24), 0.5), ((28, 28, 40), 0.25)],
)
def test_blending_equals_monai_on_a_convolutional_network(shape, overlap):
    network, array, patch = ConvNetwork(2), noise((2, *shape)), (16, 16, 16)
    expected = monai_blended(array, network, patch, overlap)
    np.testing.assert_allclose(blended(array, network, patch, overlap), expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(15, 16, 24), (8, 24, 24), (8, 8, 8), (16, 9, 15)])
def test_an_axis_smaller_than_the_patch_equals_the_padded_reference(shape):
    network, array, patch = ConvNetwork(), noise((1, *shape)), (16, 16, 16)
    expected = monai_blended(array, network, patch, 0.5)
    np.testing.assert_allclose(blended(array, network, patch, 0.5), expected, atol=1e-5)


def test_padding_uses_the_background_of_each_channel():
    array = noise((2, 5, 16, 20))
    seen = []

    def network(patch):
        seen.append(patch.copy())
        return patch

    blended(array, network, (8, 16, 16), padding=(-7.0, 11.0))
    for patch in seen:
        assert (patch[0, 0, [0, 6, 7]] == -7.0).all()
        assert (patch[0, 1, [0, 6, 7]] == 11.0).all()


@pytest.mark.parametrize("shape", [(30, 20, 20), (20, 20, 30)])
def test_half_precision_sums_are_off_by_at_most_two_thousandths(shape):
    network, array = ConvNetwork(), noise((1, *shape))
    exact = blended(array, network, (12, 12, 12))
    half = blended(array, network, (12, 12, 12), sum_in="float16")
    assert np.abs(half - exact).max() <= 2e-3 * np.abs(exact).max()


def test_the_order_of_windows_and_the_number_of_threads_do_not_matter():
    network, array = ConvNetwork(), noise((1, 16, 12, 14))
    windows = plan_windows((16, 12, 14), (8, 8, 8))
    x, y, z = windows.starts
    backwards = replace(windows, starts=(x, y[::-1], z[::-1]))
    results = []
    for number, order in ((1, windows), (2, windows), (1, backwards), (2, backwards)):
        torch.set_num_threads(number)
        results.append(whole(logits_slabs(array, network, order)))
    two_best = np.sort(results[0], axis=0)[-2:]
    no_tie = two_best[1] - two_best[0] > 1e-4
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], atol=1e-5)
        assert (result.argmax(0) == results[0].argmax(0))[no_tie].all()


def test_skipping_windows_of_air_is_exact_and_saves_their_calls():
    array = np.full((1, 64, 48, 32), -1024.0, np.float32)
    array[:, 10:22, 8:20, 8:20] = noise((1, 12, 12, 12))
    windows = plan_windows((64, 48, 32), (16, 16, 16), 0.5)
    all_run, skipping = ConvNetwork(), ConvNetwork()
    expected = whole(logits_slabs(array, all_run, windows))
    logits = whole(logits_slabs(array, skipping, windows, empty=EmptyWindows((-1024.0,))))
    np.testing.assert_array_equal(logits, expected)
    with_content = sum(
        (array[0][windows.inside(windows.start(index)).slices] != -1024.0).any()
        for index in np.ndindex(*[len(starts) for starts in windows.starts])
    )
    assert all_run.calls == windows.count == 105
    assert skipping.calls == with_content + 1


def test_a_window_with_one_bright_voxel_is_not_air():
    empty = EmptyWindows((0.0, 5.0), tolerance=0.5)
    patch = np.stack([np.full((4, 4, 4), 0.4), np.full((4, 4, 4), 4.6)]).astype(np.float32)
    assert empty.contains(patch)
    patch[1, 3, 3, 3] = 5.6
    assert not empty.contains(patch)


def test_progress_names_every_patch_once_and_rises():
    seen = []
    progress = Progress(lambda fraction, sentence: seen.append((fraction, sentence)))
    blended(noise((1, 24, 16, 16)), constant_network, (16, 16, 16), 0.5, progress=progress)
    assert seen == [(0.0, "Patch 1 of 2"), (0.5, "Patch 2 of 2")]


def test_canceling_in_the_middle_raises_and_runs_no_further_patch():
    network = ConvNetwork()

    def cancel(fraction, sentence):
        if sentence.startswith("Patch 6 "):
            raise Cancelled

    slabs = logits_slabs(
        noise((1, 40, 24, 24)),
        network,
        plan_windows((40, 24, 24), (16, 16, 16)),
        progress=Progress(cancel),
    )
    with pytest.raises(Cancelled):
        whole(slabs)
    assert network.calls == 5
    assert list(slabs) == []


def test_only_one_slab_of_sums_is_held():
    network = ConvNetwork()
    slabs = logits_slabs(
        noise((1, 96, 24, 20)), network, plan_windows((96, 24, 20), (16, 16, 16), 0.5)
    )
    owners = {id(slab.logits.base) for slab in slabs if slab.logits.base.shape[1] == 16}
    assert len(owners) == 1


def test_patches_are_cut_from_a_memory_mapped_array_beyond_two_to_the_31_voxels(tmp_path):
    shape = (1, 70_000, 200, 160)
    path = tmp_path / "volume.raw"
    with path.open("wb") as file:
        file.truncate(4 * int(np.prod(shape, dtype=np.int64)))  # sparse: takes no disk
    array = np.memmap(path, np.float32, "r+", shape=shape)
    assert array.size > 2**31
    array[0, -1, -1, -3:] = (3.0, 5.0, 7.0)
    windows = plan_windows(shape[1:], (64, 200, 160), 0.0)
    last = replace(windows, starts=(windows.starts[0][-1:], (0,), (0,)))
    (slab,) = logits_slabs(array, lambda patch: patch, last)
    assert slab.logits.shape == (1, 64, 200, 160)
    np.testing.assert_array_equal(slab.logits[0, -1, -1, -4:], [0.0, 3.0, 5.0, 7.0])


@pytest.mark.parametrize("average", ["logits", "softmax", "sigmoid"])
def test_flips_change_nothing_for_a_network_that_flips_with_its_input(average):
    def pointwise(patch):
        return np.concatenate([patch, 0.5 * patch**2, 1 - patch], 1)

    patch = noise((1, 1, 6, 7, 8))
    plain, averaged = pointwise(patch), FlipAverage(pointwise, average=average)(patch)
    if average == "softmax":  # logits of probabilities are known up to a constant per voxel
        plain = plain - np.log(np.exp(plain).sum(1, keepdims=True))
    np.testing.assert_allclose(averaged, plain, atol=2e-4 if average == "sigmoid" else 1e-5)


def test_flips_make_the_result_independent_of_the_side_the_patient_is_seen_from():
    network = FlipAverage(ConvNetwork(), axes=(0, 2))
    patch = noise((1, 1, 8, 9, 10))
    mirrored = network(np.flip(patch, (2, 4)).copy())
    np.testing.assert_allclose(np.flip(mirrored, (2, 4)), network(patch), atol=1e-5)
    assert network.network.calls == 8


def test_a_mean_of_probabilities_is_the_mean_of_probabilities():
    answers = iter([[4.0, 0.0], [0.0, 0.0]])

    def network(patch):
        return np.array(next(answers), np.float32).reshape(1, 2, 1, 1, 1)

    logits = FlipAverage(network, axes=(0,), average="softmax")(np.zeros((1, 1, 1, 1, 1), "f4"))
    first = (np.exp(4.0) / (np.exp(4.0) + 1) + 0.5) / 2
    np.testing.assert_allclose(np.exp(logits[0, :, 0, 0, 0]), [first, 1 - first], rtol=1e-5)


def test_a_network_that_changes_the_size_is_refused():
    slabs = logits_slabs(noise((1, 8, 8, 8)), lambda p: p[..., ::2], plan_windows((8, 8, 8), None))
    with pytest.raises(ValueError, match="answered"):
        next(slabs)


def test_an_array_on_another_grid_is_refused():
    with pytest.raises(ValueError, match="is not"):
        next(logits_slabs(noise((1, 8, 8, 9)), constant_network, plan_windows((8, 8, 8), None)))
