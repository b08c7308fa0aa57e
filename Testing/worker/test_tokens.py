"""Tokens: who they belong to, and the files they lie in."""

import pytest

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.worker.tokens import Tokens, check_strength, read_tokens, token_made_in


def test_each_token_has_an_owner_of_its_own_and_others_have_none():
    tokens = Tokens(["alpha", "beta"])
    first, second = tokens.owner(b"Bearer alpha"), tokens.owner(b"bearer beta")
    assert first
    assert second
    assert first != second
    for wrong in (b"", b"alpha", b"Bearer ", b"Bearer alph", b"Bearer alphaa", b"Basic alpha",
                  b"Bearer \xff\xfe"):  # fmt: skip
        assert tokens.owner(wrong) is None


def test_an_owner_does_not_tell_the_token():
    assert "alpha" not in Tokens(["alpha"]).owner(b"Bearer alpha")


def test_a_token_file_is_read_line_by_line(tmp_path):
    path = tmp_path / "tokens"
    path.write_text("# mine\n\n alpha \nbeta\n")
    assert read_tokens(path) == ["alpha", "beta"]


@pytest.mark.parametrize("content", [b"", b"# only remarks\n", "schlüssel\n".encode()])
def test_a_file_without_a_token_is_refused(content, tmp_path):
    path = tmp_path / "tokens"
    path.write_bytes(content)
    with pytest.raises(SegmentationAIError, match="token file"):
        read_tokens(path)


def test_a_token_is_made_once_and_for_its_owner_alone(tmp_path):
    path = tmp_path / "token"
    made = token_made_in(path)
    assert token_made_in(path) == made
    assert path.stat().st_mode & 0o077 == 0
    check_strength(made)
    with pytest.raises(SegmentationAIError, match="guessed"):
        check_strength(["short"])
