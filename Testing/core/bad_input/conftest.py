"""What every hostile case shares: a file on disk, the door, and a refusal that names the file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.files import read_volume
from SegmentationAILib.core.volume import Volume

Read = Callable[..., Volume]


@pytest.fixture
def read(tmp_path) -> Read:
    """Read bytes through the door as a file of a given name."""

    def read_bytes(content: bytes, name: str = "scan.nii") -> Volume:
        path = tmp_path / name
        path.write_bytes(content)
        return read_volume(path)

    return read_bytes


@pytest.fixture
def refuse(read, tmp_path) -> Callable[..., str]:
    """Read bytes that have to be refused; return the one sentence that says why."""

    def refusal(content: bytes | None, name: str = "scan.nii") -> str:
        with pytest.raises(SegmentationAIError) as error:
            read_volume(tmp_path / name) if content is None else read(content, name)
        sentence = str(error.value)
        assert Path(name).name[:20] in sentence
        assert str(tmp_path) not in sentence
        assert "\n" not in sentence
        return sentence

    return refusal
