"""Progress lines for logs: few, with the remaining time, never a bar."""

import io

from SegmentationAILib.commands import progress_line as module


def test_a_log_gets_few_lines_with_the_remaining_time(monkeypatch):
    clock = iter(range(0, 1000, 2))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    stream = io.StringIO()
    with module.progress_line(stream) as progress:
        for patch in range(1, 21):
            progress(patch / 20, f"Patch {patch} of 20")
    lines = stream.getvalue().splitlines()
    assert 5 <= len(lines) <= 9
    assert lines[1] == " 20%  Patch 4 of 20, about 32 s left"


def test_a_warning_is_never_left_out(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    stream = io.StringIO()
    with module.progress_line(stream) as progress:
        progress(0.1, "Reading")
        progress(0.2, "Warning: no CT.")
        progress(0.3, "Patch 1 of 2")
    assert stream.getvalue().splitlines()[1:] == ["Warning: no CT."]


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_warning_stays_above_the_bar_on_a_terminal():
    stream = _Terminal()
    with module.progress_line(stream) as progress:
        progress(0.2, "Warning: no CT.")
        progress(0.3, "Patch 1 of 2")
    assert "Warning: no CT.\n" in stream.getvalue()
