import numpy as np
import pytest
import torch

from SegmentationAILib.learn.brain_any_contrast import (
    CONTRASTS,
    HELD_OUT,
    dice_per_structure,
    main,
    validation_volumes,
)
from SegmentationAILib.learn.brain_structures import CHANNELS
from SegmentationAILib.learn.head_formula import ProceduralHead


class Remembers(torch.nn.Module):
    """Stands for a network that answers given channels; checks nothing else."""

    def __init__(self, channels):
        super().__init__()
        self.channels = torch.from_numpy(channels.astype(np.int64))

    def forward(self, patch):
        return torch.nn.functional.one_hot(self.channels, CHANNELS).movedim(-1, 0)[None].float()


def test_dice_counts_overlap_and_leaves_out_what_is_in_neither():
    truth = np.zeros((4, 4, 4), dtype=np.uint8)
    truth[:2], truth[2] = 1, 2
    answer = truth.copy()
    answer[1], answer[3] = 0, 3
    dice = dice_per_structure(Remembers(answer), [(np.zeros((4, 4, 4), np.float32), truth)])[0]
    # half of structure 1 found: 2 * 16 / (16 + 32); 3 is answered where it is not
    np.testing.assert_allclose(dice[:3], [2 / 3, 1.0, 0.0])
    assert np.isnan(dice[3:]).all()


def test_validation_volumes_are_the_same_for_a_seed():
    first = validation_volumes([ProceduralHead()], seed=1, shape=(32, 40, 36))
    again = validation_volumes([ProceduralHead()], seed=1, shape=(32, 40, 36))
    assert tuple(first) == CONTRASTS
    for contrast in CONTRASTS:
        np.testing.assert_array_equal(first[contrast][0][0], again[contrast][0][0])
    assert not np.array_equal(first["T1"][0][0], first["T2"][0][0])


def test_a_folder_without_the_held_out_maps_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--label-maps", str(tmp_path), "--output", str(tmp_path / "out"), "--minutes", "1"])
    assert stopped.value.code == 2
    assert HELD_OUT[0] in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
