"""What a run lacks is brought before it, in order; an end anywhere is told once."""

from types import SimpleNamespace

import pytest

from SegmentationAILib.core.errors import Cancelled, SegmentationAIError
from SegmentationAILib.scene.jobs import Asked, Run
from SegmentationAILib.scene.own_ticker import OwnTicker
from SegmentationAILib.scene.prepared_runs import PreparedRuns
from SegmentationAILib.scene.ticker import PlainTicker
from SegmentationAILib.worker.client import Call

ASKED = Asked(None, "net")


class Logic:
    """Remembers what is started; does not run anything."""

    def __init__(self):
        self.started, self.canceled = [], []

    def start(self, asked, on_progress, on_end):
        run = Run(asked, on_progress, lambda _: None)
        self.started.append(SimpleNamespace(run=run, end=on_end))
        return run

    def cancel(self, run):
        self.canceled.append(run)
        run.error, run.state = Cancelled(), "canceled"
        self.started[-1].end(run, None)


@pytest.fixture
def stage():
    """Two calls that are brought before a run, and everything that was told."""
    calls, begun, ended = [Call(), Call()], [], []
    logic, ticker = Logic(), PlainTicker()

    def begin(number):
        begun.append(number)
        return calls[number]

    runs = PreparedRuns(logic, ticker, lambda _: [lambda: begin(0), lambda: begin(1)])
    prepared = runs.start(ASKED, lambda *_: None, lambda run, preview: ended.append(run))
    return SimpleNamespace(calls=calls, begun=begun, ended=ended, logic=logic, ticker=ticker,
                           runs=runs, prepared=prepared)  # fmt: skip


def test_each_thing_is_begun_when_the_one_before_is_there_and_the_run_comes_last(stage):
    assert (stage.begun, stage.logic.started) == ([0], [])
    stage.calls[0].finish("environment")
    stage.ticker.turn()
    assert (stage.begun, stage.logic.started) == ([0, 1], [])
    stage.calls[1].finish("network")
    stage.ticker.turn()
    assert len(stage.logic.started) == 1
    assert stage.ended == []


def test_what_cannot_be_brought_ends_the_run_with_its_sentence(stage):
    stage.calls[0].finish(error=SegmentationAIError("The disk is full; make room."))
    stage.ticker.turn()
    stage.ticker.turn()
    (run,) = stage.ended
    assert (run.state, run.sentence) == ("failed", "The disk is full; make room.")
    assert (stage.begun, stage.logic.started) == ([0], [])


def test_canceling_ends_what_is_brought_or_the_run_and_is_told_once(stage):
    stage.runs.cancel(stage.prepared)
    stage.ticker.turn()
    assert [run.state for run in stage.ended] == ["canceled"]
    assert stage.calls[0].canceled_at is not None
    assert stage.begun == [0]

    other = PreparedRuns(stage.logic, stage.ticker, lambda _: [])
    prepared = other.start(ASKED, lambda *_: None, lambda run, preview: stage.ended.append(run))
    other.cancel(prepared)
    assert stage.logic.canceled == [prepared.run]
    assert len(stage.ended) == 2


def test_a_closed_ticker_calls_nobody_back():
    ticker, told = PlainTicker(), []
    own = OwnTicker(ticker)
    own.every(0, lambda: told.append("again"))
    stop = own.every(0, lambda: told.append("stopped"))
    own.soon(lambda: told.append("once"))
    stop()
    ticker.turn()
    assert told == ["once", "again"]
    own.soon(lambda: told.append("late"))
    own.close()
    own.every(0, lambda: told.append("late"))
    ticker.turn()
    assert told == ["once", "again"]
