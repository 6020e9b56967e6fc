"""A lab in another process, possibly on another machine: its heartbeats, and calls of it through the database."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

from dashboard.core.operations import deployment
from dashboard.core.operations.heartbeat import Heartbeat
from dashboard.lab.remote import rpc
from dashboard.lab.remote.rpc import RemoteCall
from dashboard.lab.remote.wakeups import LAB, WakeupChannel
from dashboard.lab.supervisor import LabUnavailableError
from dashboard.store.operations import rpc_queue
from dashboard.store.operations.rpc_queue import CallState
from dashboard.web.http.database import in_database


class RemoteLab:
    """This web process's view of the lab. ``start`` and ``on_result`` run in the server's loop."""

    def __init__(self, wakeups: WakeupChannel) -> None:
        self._wakeups = wakeups
        self._last: deployment.LastHeartbeat | None = None
        self._reading: asyncio.Task[None] | None = None
        self._read_now = asyncio.Event()
        self._waiting: dict[int, tuple[asyncio.AbstractEventLoop, asyncio.Event]] = {}

    @property
    def facts(self) -> deployment.LabFacts:
        """The facts for pages. From any thread."""
        return deployment.current_facts(self._last, time.monotonic())

    def heartbeat(self) -> Heartbeat | None:
        """The last heartbeat. From any thread."""
        return deployment.local_heartbeat(self._last, time.monotonic(), time.time())

    async def start(self) -> None:
        """Starts to read heartbeats."""
        self._read_now = asyncio.Event()
        with suppress(Exception):  # pages report that the database is unavailable
            await self._read_heartbeat()
        self._reading = asyncio.get_running_loop().create_task(self._read_heartbeats(), name="remote-lab")

    async def close(self) -> None:
        """Stops."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            self._reading = None

    def on_heartbeat(self) -> None:
        """Called after a heartbeat with new facts was written."""
        self._read_now.set()

    def on_result(self, call: str) -> None:
        """The result or output of a call was written."""
        waiting = self._waiting.get(int(call)) if call.isdigit() else None
        if waiting is not None:
            waiting[0].call_soon_threadsafe(waiting[1].set)

    async def _read_heartbeats(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._read_now.wait(), deployment.HEARTBEAT_S / 2)
            self._read_now.clear()
            with suppress(Exception):  # without the database the lab is soon considered unavailable
                await self._read_heartbeat()

    async def _read_heartbeat(self) -> None:
        newest = await in_database(rpc_queue.newest_heartbeat)
        if newest is not None:
            age_s = time.time() - newest.at
            self._last = deployment.receive(self._last, newest.number, age_s, newest.facts, time.monotonic())

    # Calls.

    async def call(self, function: RemoteCall, host: str, *args: Any, **kwargs: Any) -> Any:
        """The result of a call; raises the error of the lab, or LabUnavailableError."""
        if function.streams:
            return await self._stream(function, host, *args, **kwargs)
        call = await self._create(function, host, *args, **kwargs)
        state = await self._wait(call)
        await in_database(rpc_queue.delete_call, call)
        if state.state == rpc_queue.REFUSED:
            raise rpc.decode_error(state.answer)
        return function.decode_result(state.answer)

    async def _create(self, function: RemoteCall, host: str, *args: Any, **kwargs: Any) -> int:
        if deployment.is_unavailable(self._last, time.monotonic()):
            raise LabUnavailableError(self.facts.problem)
        arguments, now = function.encode_arguments(*args, **kwargs), time.time()
        call = await in_database(
            rpc_queue.create_call, function.name, host, arguments, now, now + deployment.CALL_TIMEOUT_S
        )
        self._waiting[call] = (asyncio.get_running_loop(), asyncio.Event())
        self._wakeups.send(LAB, "ask")
        return call

    async def _wait(self, call: int) -> CallState:
        """The state of a call once it has ended. LabUnavailableError after the timeout."""
        try:
            async with aclosing(self._states(call)) as states:
                async for state in states:
                    if state.state in {rpc_queue.ANSWERED, rpc_queue.REFUSED}:
                        return state
        except asyncio.CancelledError:
            await asyncio.shield(in_database(rpc_queue.abandon_call, call))
            raise
        finally:
            self._waiting.pop(call, None)
        raise LabUnavailableError(deployment.CALL_TIMED_OUT)

    async def _states(self, call: int) -> AsyncGenerator[CallState]:
        """Reads the state of a call after each wake-up and at growing intervals, until the timeout. Raises
        LabUnavailableError once no lab will handle it."""
        event = self._waiting[call][1]
        end, pause_s = time.monotonic() + deployment.CALL_TIMEOUT_S, deployment.FIRST_PAUSE_S
        while time.monotonic() < end:
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), pause_s)
            event.clear()
            state = await in_database(rpc_queue.call_state, call)
            if state is None or state.state == rpc_queue.LAPSED:
                raise LabUnavailableError(deployment.LAB_UNAVAILABLE)
            yield state
            if deployment.is_unavailable(self._last, time.monotonic()):
                await in_database(rpc_queue.abandon_call, call)
                raise LabUnavailableError(self.facts.problem)
            pause_s = deployment.next_pause(pause_s)
        await in_database(rpc_queue.abandon_call, call)

    async def _stream(self, function: RemoteCall, host: str, *args: Any, **kwargs: Any) -> AsyncGenerator[str]:
        """The output of a call. An error before the first output is raised here."""
        call = await self._create(function, host, *args, **kwargs)
        states = self._states(call)
        try:
            first = await anext(states)
            while first.state in {rpc_queue.WAITING, rpc_queue.TAKEN} and not first.output:
                first = await anext(states)
        except StopAsyncIteration:
            self._waiting.pop(call, None)
            raise LabUnavailableError(deployment.CALL_TIMED_OUT) from None
        except BaseException:
            self._waiting.pop(call, None)
            await asyncio.shield(in_database(rpc_queue.abandon_call, call))
            raise
        if first.state == rpc_queue.REFUSED and not first.output:
            self._waiting.pop(call, None)
            raise rpc.decode_error(first.answer)
        return self._output(call, first, states)

    async def _output(self, call: int, state: CallState, states: AsyncGenerator[CallState]) -> AsyncGenerator[str]:
        read = len(state.output)
        yield state.output
        try:
            while state.state == rpc_queue.TAKEN:
                state = await anext(states)
                if len(state.output) > read:
                    yield state.output[read:]
                    read = len(state.output)
            if state.state == rpc_queue.REFUSED:
                yield f"\n[{rpc.decode_error(state.answer)}]\n"
        except (StopAsyncIteration, LabUnavailableError):
            yield "\n[the lab is unavailable]\n"
        finally:
            self._waiting.pop(call, None)
            await states.aclose()
            await asyncio.shield(in_database(rpc_queue.abandon_call, call))
