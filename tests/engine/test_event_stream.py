"""The event stream without an engine: it is bounded, stops promptly and reports losses."""

from __future__ import annotations

import asyncio
import json
import queue
from collections.abc import Iterator
from contextlib import suppress

import pytest

from dashboard.engine import event_stream
from dashboard.engine.event_stream import WAITING_LIMIT, EventStream
from dashboard.engine.protocol import EngineError, EngineEvent
from tests.support.polling import eventually


def line(number: int) -> bytes:
    return json.dumps({"Type": "container", "Action": "start", "Actor": {"ID": str(number)}}).encode() + b"\n"


class Wire:
    """A connected stream. The test supplies its chunks; None is the end."""

    def __init__(self) -> None:
        self.waiting: queue.Queue[bytes | None] = queue.Queue()

    def chunks(self) -> Iterator[bytes]:
        while (chunk := self.waiting.get()) is not None:
            yield chunk

    def shutdown(self) -> None:
        self.waiting.put(None)


async def first(stream: EventStream, count: int) -> list[EngineEvent]:
    found: list[EngineEvent] = []
    async for event in stream.events():
        found.append(event)
        if len(found) == count:
            break
    stream.stop()
    return found


async def test_events_come_in_order_however_they_are_cut() -> None:
    wire = Wire()
    data = b"".join(line(number) for number in range(3)) + b"not json\n" + line(3)
    for at in range(0, len(data), 7):
        wire.waiting.put(data[at : at + 7])
    found = await first(EventStream(lambda: wire), 5)
    assert [event.action for event in found] == ["connected", "start", "start", "start", "start"]
    assert [event.id for event in found[1:]] == ["0", "1", "2", "3"]


async def test_a_lost_stream_reports_the_reason_and_connects_again() -> None:
    wires = [Wire(), Wire()]
    wires[0].waiting.put(None)
    found = await first(EventStream(lambda: wires.pop(0)), 3)
    assert [event.action for event in found] == ["connected", "lost", "connected"]
    assert found[1].attributes["reason"] == "the Engine closed its event stream"


async def test_an_absent_engine_is_tried_again_and_the_reason_is_shown() -> None:
    answers: list[Wire | None] = [None, None, Wire()]

    def connect() -> Wire:
        wire = answers.pop(0)
        if wire is None:
            raise EngineError("No Docker Engine answers.")
        return wire

    found = await first(EventStream(connect), 3)
    assert [event.action for event in found] == ["lost", "lost", "connected"]
    assert found[0].attributes == {"reason": "No Docker Engine answers."}


async def test_a_stream_that_is_cancelled_while_it_waits_ends_at_once_with_its_thread() -> None:
    stream = EventStream(Wire)

    async def watch() -> None:
        async for _event in stream.events():
            pass

    task = asyncio.create_task(watch())
    await eventually(stream._thread.is_alive)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    # Only the cancellation ends it: the wire never ends by itself.
    await eventually(lambda: not stream._thread.is_alive())


async def test_a_stream_that_is_cancelled_during_a_pause_ends_with_its_thread_before_the_pause_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def connect() -> Wire:
        raise EngineError("gone")

    monkeypatch.setattr(event_stream, "FIRST_PAUSE_S", 3600.0)
    stream = EventStream(connect)
    await first(stream, 1)
    await eventually(lambda: not stream._thread.is_alive())


async def test_a_consumer_that_is_too_slow_gets_an_event_to_list_again() -> None:
    wire = Wire()
    stream = EventStream(lambda: wire)
    events = stream.events()
    assert (await anext(events)).action == "connected"
    for number in range(WAITING_LIMIT + 10):
        wire.waiting.put(line(number))
    await eventually(wire.waiting.empty)
    await eventually(lambda: stream._waiting and stream._waiting[-1].id == str(WAITING_LIMIT + 9))
    after = await anext(events)
    assert (after.kind, after.action) == ("stream", "connected")
    assert "list again" in after.attributes["reason"]
    assert len(stream._waiting) < 20
    stream.stop()


async def test_a_line_without_an_end_is_cut_off() -> None:
    wires = [Wire(), Wire()]
    for _ in range(3):
        wires[0].waiting.put(b"x" * (event_stream.LINE_LIMIT_BYTES // 2))
    found = await first(EventStream(lambda: wires.pop(0)), 2)
    assert found[1].action == "lost"
    assert "more than 1 MB" in found[1].attributes["reason"]
