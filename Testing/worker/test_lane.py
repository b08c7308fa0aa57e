"""Lanes: one thread, calls in their order, an end for those that wait, and rest when idle."""

import asyncio
import json
import threading

import pytest

from SegmentationAILib.worker.lane import MOST_WAITING, Lane
from SegmentationAILib.worker.served_call import ServedCall

SECONDS = 10.0


@pytest.fixture
def a_lane():
    lane = Lane("test")
    yield lane
    lane.close()


async def outcome(call):
    """The last event of a call."""
    last = {}
    async for line in call.lines():
        last = json.loads(line)
    return last


def test_calls_run_one_after_the_other_on_one_thread(a_lane):
    seen = []

    def work(call):
        seen.append((call.owner, threading.get_ident()))
        return {}

    async def run():
        calls = [ServedCall(str(n), work) for n in range(5)]
        for call in calls:
            a_lane.add(call)
        return [(await outcome(call))["event"] for call in calls]

    assert asyncio.run(run()) == ["done"] * 5
    assert [owner for owner, _ in seen] == ["0", "1", "2", "3", "4"]
    assert len({thread for _, thread in seen} | {threading.get_ident()}) == 2


def test_a_call_that_waits_is_canceled_at_once_and_never_runs(a_lane):
    hold, seen = threading.Event(), []

    def work(call):
        seen.append(call.owner)
        hold.wait(SECONDS)
        call.progress()(0.5, "Half")
        return {}

    async def run():
        running, waiting = ServedCall("running", work), ServedCall("waiting", work)
        a_lane.add(running)
        a_lane.add(waiting)
        while not seen:
            await asyncio.sleep(0.001)
        a_lane.cancel(waiting)
        first = (await outcome(waiting))["event"]
        a_lane.cancel(running)
        hold.set()
        return first, (await outcome(running))["event"]

    assert asyncio.run(run()) == ("canceled", "canceled")
    assert seen == ["running"]


def test_a_lane_says_when_it_is_full(a_lane):
    hold = threading.Event()

    async def run():
        def wait(_):
            hold.wait(SECONDS)
            return {}

        for _ in range(MOST_WAITING + 1):
            assert not a_lane.is_full
            a_lane.add(ServedCall("x", wait))
            while a_lane.running == 0:
                await asyncio.sleep(0.001)
        assert a_lane.is_full
        hold.set()

    asyncio.run(run())


def test_what_is_held_is_given_back_when_no_call_comes_for_a_while():
    first, idle = threading.Event(), threading.Event()
    lane = Lane("test", first.set, idle.set, idle_seconds=0.02)
    assert first.wait(SECONDS)
    assert idle.wait(SECONDS)
    lane.close()


def test_an_error_ends_its_call_and_not_the_lane(a_lane):
    def fail(_):
        raise ZeroDivisionError("by zero")

    async def run():
        calls = [ServedCall("x", fail), ServedCall("x", lambda _: {"bytes": 3})]
        for call in calls:
            a_lane.add(call)
        return [await outcome(call) for call in calls]

    failed, done = asyncio.run(run())
    assert failed["event"] == "failed"
    assert "ZeroDivisionError: by zero" in failed["sentence"]
    assert (done["event"], done["bytes"]) == ("done", 3)
