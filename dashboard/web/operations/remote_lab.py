"""A lab in another process, maybe on another machine: heard of by its beat, asked through the database."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

from dashboard.core.operations.deployment import (
    ANSWER_S,
    AWAY,
    BEAT_S,
    FIRST_PAUSE_S,
    NO_ANSWER,
    Heard,
    LabFacts,
    facts_now,
    hear,
    heart_of,
    is_away,
    longer,
)
from dashboard.core.operations.heartbeat import Heartbeat
from dashboard.lab.remote import rpc
from dashboard.lab.remote.rpc import Question
from dashboard.lab.remote.wakeups import LAB, Wakes
from dashboard.lab.supervisor import LabUnavailableError
from dashboard.store.operations import rpc_queue
from dashboard.web.http.database import in_database

log = logging.getLogger(__name__)


class FarLab:
    """What is known of it, and the way to ask it. ``start`` and ``answered`` belong to the server's loop."""

    def __init__(self, wakes: Wakes) -> None:
        self._wakes = wakes
        self._heard: Heard | None = None
        self._looking: asyncio.Task[None] | None = None
        self._look_now = asyncio.Event()
        self._waiting: dict[int, tuple[asyncio.AbstractEventLoop, asyncio.Event]] = {}

    @property
    def facts(self) -> LabFacts:
        """What the pages show. From any thread."""
        return facts_now(self._heard, time.monotonic())

    def heart(self) -> Heartbeat | None:
        """How it was when it was heard of last. From any thread."""
        return heart_of(self._heard, time.monotonic(), time.time())

    async def start(self) -> None:
        """Begins to listen for the beat."""
        self._look_now = asyncio.Event()
        with suppress(Exception):  # pages say that the database is away
            await self._look()
        self._looking = asyncio.get_running_loop().create_task(self._look_again(), name="far-lab")

    async def close(self) -> None:
        """Ends."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
            self._looking = None

    def beaten(self) -> None:
        """There is a new beat that tells something new."""
        self._look_now.set()

    def answered(self, request: str) -> None:
        """There is something new of an answer."""
        found = self._waiting.get(int(request)) if request.isdigit() else None
        if found is not None:
            found[0].call_soon_threadsafe(found[1].set)

    async def _look_again(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._look_now.wait(), BEAT_S / 2)
            self._look_now.clear()
            with suppress(Exception):  # the silence tells
                await self._look()

    async def _look(self) -> None:
        beat = await in_database(rpc_queue.newest_beat)
        if beat is not None:
            age_s = time.time() - beat.at
            self._heard = hear(self._heard, beat.number, age_s, beat.facts, time.monotonic())

    # Asking.

    async def ask(self, question: Question, host: str, *args: Any, **kwargs: Any) -> Any:
        """The answer, or what it was refused with. LabUnavailableError if nobody answers."""
        if question.streams:
            return await self._streamed(question, host, *args, **kwargs)
        request = await self._post(question, host, *args, **kwargs)
        reply = await self._done(request)
        await in_database(rpc_queue.forget, request)
        if reply.state == rpc_queue.REFUSED:
            raise rpc.decode_error(reply.answer)
        return question.decode_answer(reply.answer)

    async def _post(self, question: Question, host: str, *args: Any, **kwargs: Any) -> int:
        if is_away(self._heard, time.monotonic()):
            raise LabUnavailableError(self.facts.problem)
        arguments, now = question.encode_arguments(*args, **kwargs), time.time()
        request = await in_database(rpc_queue.ask, question.name, host, arguments, now, now + ANSWER_S)
        self._waiting[request] = (asyncio.get_running_loop(), asyncio.Event())
        self._wakes.send(LAB, "ask")
        return request

    async def _done(self, request: int) -> rpc_queue.Reply:
        """The reply once it is there. LabUnavailableError if it does not come."""
        try:
            async with aclosing(self._looks(request)) as looks:
                async for reply in looks:
                    if reply.state in {rpc_queue.ANSWERED, rpc_queue.REFUSED}:
                        return reply
        except asyncio.CancelledError:
            await asyncio.shield(in_database(rpc_queue.give_up, request))
            raise
        finally:
            self._waiting.pop(request, None)
        raise LabUnavailableError(NO_ANSWER)

    async def _looks(self, request: int) -> AsyncGenerator[rpc_queue.Reply]:
        """Looks at a question, at once when it is woken and else now and then. LabUnavailableError once nobody will answer."""
        event = self._waiting[request][1]
        end, pause_s = time.monotonic() + ANSWER_S, FIRST_PAUSE_S
        while time.monotonic() < end:
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), pause_s)
            event.clear()
            reply = await in_database(rpc_queue.reply, request)
            if reply is None or reply.state == rpc_queue.LAPSED:
                raise LabUnavailableError(AWAY)
            yield reply
            if is_away(self._heard, time.monotonic()):
                await in_database(rpc_queue.give_up, request)
                raise LabUnavailableError(self.facts.problem)
            pause_s = longer(pause_s)
        await in_database(rpc_queue.give_up, request)

    async def _streamed(self, question: Question, host: str, *args: Any, **kwargs: Any) -> AsyncGenerator[str]:
        """The pieces of an output. What refuses it before it begins is raised here, not by the first piece."""
        request = await self._post(question, host, *args, **kwargs)
        looks = self._looks(request)
        try:
            first = await anext(looks)
            while first.state in {rpc_queue.WAITING, rpc_queue.TAKEN} and not first.output:
                first = await anext(looks)
        except StopAsyncIteration:
            self._waiting.pop(request, None)
            raise LabUnavailableError(NO_ANSWER) from None
        except BaseException:
            self._waiting.pop(request, None)
            await asyncio.shield(in_database(rpc_queue.give_up, request))
            raise
        if first.state == rpc_queue.REFUSED and not first.output:
            self._waiting.pop(request, None)
            raise rpc.decode_error(first.answer)
        return self._pieces(request, first, looks)

    async def _pieces(
        self, request: int, first: rpc_queue.Reply, looks: AsyncGenerator[rpc_queue.Reply]
    ) -> AsyncGenerator[str]:
        read = len(first.output)
        yield first.output
        reply = first
        try:
            while reply.state == rpc_queue.TAKEN:
                reply = await anext(looks)
                if len(reply.output) > read:
                    yield reply.output[read:]
                    read = len(reply.output)
            if reply.state == rpc_queue.REFUSED:
                yield f"\n[{rpc.decode_error(reply.answer)}]\n"
        except (StopAsyncIteration, LabUnavailableError):
            yield "\n[the lab has gone]\n"
        finally:
            self._waiting.pop(request, None)
            await looks.aclose()
            await asyncio.shield(in_database(rpc_queue.give_up, request))
