"""Lines of events, errors across the line, and the versions of both sides."""

import tomllib
from pathlib import Path

import pytest

from SegmentationAILib.core.errors import SegmentationAIError, WeightsError
from SegmentationAILib.worker.protocol import (
    PROGRAM_VERSION,
    PROTOCOL_VERSION,
    Event,
    UnexpectedError,
    WorkerError,
    check_health,
    error_of_failure,
    event_of_line,
    failure,
    line_of_event,
)

ROOT = Path(__file__).resolve().parents[2]


def test_the_version_is_that_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == PROGRAM_VERSION


def test_an_event_comes_back_as_it_was_sent():
    event = Event("progress", 0.25, "Patch 1 of 4", 12.5, {"before": 2})
    assert event_of_line(line_of_event(event)) == event
    assert line_of_event(event).count(b"\n") == 1


@pytest.mark.parametrize(
    "line",
    [
        b"<html>",
        b"[]",
        b"null",
        b'{"event": "progress"}',
        b'{"event": "explode", "fraction": 0, "sentence": "", "seconds_left": null}',
        b'{"event": "progress", "fraction": NaN, "sentence": "", "seconds_left": null}',
        b'{"event": "progress", "fraction": 0, "sentence": 5, "seconds_left": null}',
        b"[" * 60000,
    ],
)
def test_a_line_that_is_no_event_is_refused(line):
    with pytest.raises(WorkerError, match="not understood"):
        event_of_line(line)


def test_a_sentence_from_the_other_side_is_one_line_of_bounded_length():
    line = line_of_event(Event("progress", 0.5, "a\nb\x1b[31m" + "x" * 9000))
    sentence = event_of_line(line).sentence
    assert sentence.isprintable()
    assert len(sentence) <= 2000


def test_errors_keep_their_kind_and_sentence_and_unknown_ones_are_unexpected():
    over = error_of_failure(event_of_line(line_of_event(failure(WeightsError("Weights are off.")))))
    assert type(over) is WeightsError
    assert str(over) == "Weights are off."
    assert type(error_of_failure(failure(KeyError("x")))) is UnexpectedError
    hostile = Event("failed", sentence="x", facts={"error": "SystemExit"})
    assert type(error_of_failure(hostile)) is UnexpectedError
    assert isinstance(error_of_failure(hostile), SegmentationAIError)


@pytest.mark.parametrize("facts", [None, [], "x", {"status": "ok"}, {"program": "other"}])
def test_another_program_is_not_taken_for_a_worker(facts):
    with pytest.raises(WorkerError, match="not a SegmentationAI server"):
        check_health(facts, "there")


@pytest.mark.parametrize("protocol", [0, PROTOCOL_VERSION + 1, "1", None])
def test_another_version_is_refused_with_both_versions_named(protocol):
    facts = {"program": "segmentationai", "version": "9.9", "protocol": protocol}
    with pytest.raises(WorkerError, match=rf"version 9\.9 .* version {PROGRAM_VERSION} "):
        check_health(facts, "there")


def test_the_same_version_is_accepted():
    check_health({"program": "segmentationai", "version": "0", "protocol": PROTOCOL_VERSION}, "x")
