"""Measures two delays in a team deployment: from a call of a web process to the answer of the lab, and from a keystroke
in a terminal to its echo."""

import asyncio
import time
from contextlib import suppress
from http import HTTPStatus

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin

from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.operations.row_calls import row_calls
from dashboard.bench.operations.team_deployment import TeamDeployment
from dashboard.bench.server import Server
from dashboard.bench.training.deliveries import Instructor
from dashboard.bench.websocket_clients import Client
from dashboard.core.training.host_plan import HostStage
from dashboard.lab.remote import experiment_calls
from dashboard.lab.remote.nats_connection import NatsConnection
from dashboard.lab.remote.rpc import find_call
from dashboard.web.operations.remote_lab import RemoteLabs

HOST_S = 120.0
POLL_S = 0.3
ANSWER_S = 10.0
#: The shell's line is erased after this many keys.
LINE = 40
ERASE = b"\x15"
#: The first bytes of each frame are the offset of its output.
OFFSET_BYTES = 8


async def call_times(deployment: TeamDeployment, count: int) -> list[tuple[float, float]]:
    """Measures ``count`` calls to the lab, made one after the other like those of a web process. Returns a pair of
    milliseconds for each: of the call, and of the same call as a row of PostgreSQL (``row_calls``)."""
    nats = NatsConnection(deployment.nats.web_url)
    labs = RemoteLabs(nats)
    await labs.start()
    await nats.open()
    call = find_call(experiment_calls.host_state)
    try:
        async with asyncio.timeout(ANSWER_S):
            while not labs.server.is_connected:
                await labs.server.wait_for_heartbeat()
        times = []
        async with row_calls(deployment.postgres.url) as ask:
            for number in range(count + 1):
                started = time.perf_counter()
                if call is None or (await labs.server.call(call, "", "none-1")).stage is not HostStage.STOPPED:
                    raise BenchmarkError("the lab answered a different call")
                called = time.perf_counter()
                if (await ask("none-1")).stage is not HostStage.STOPPED:
                    raise BenchmarkError("the row has the answer to a different call")
                if number:  # the first one opens the lab's connection to the database
                    times.append(((called - started) * 1000, (time.perf_counter() - called) * 1000))
    finally:
        await labs.close()
        await nats.close()
    return times


async def key_times(deployment: TeamDeployment, server: Server, count: int) -> list[float]:
    """Returns the milliseconds from each of ``count`` keystrokes in a terminal to its echo. The terminal is that of a
    participant who uses the second web process. Its shell runs on a private host of the lab. ``server`` is the owner's
    browser, which creates the training session."""
    instructor = await asyncio.to_thread(Instructor.with_session, server, 2, hosts="person", terminal="on")
    host = deployment.webs[1].host
    participant = Client(host, number=1)
    try:
        await participant.join(instructor.code, instructor.key)
        await asyncio.to_thread(instructor.steer, "step", step="launch")
        steps = f"/sessions/{instructor.session}/steps/launch/"
        await participant.ask("POST", f"{steps}opened/", {})
        await participant.predict("launch")
        async with asyncio.timeout(HOST_S):
            while (await participant.ask("POST", f"{steps}run/", {"number": "0"}))[0] == HTTPStatus.CONFLICT:
                await asyncio.sleep(POLL_S)
        url = f"ws://{host}/ws/sessions/{instructor.session}/terminal/?cols=80&rows=24"
        headers = participant.headers()
        async with connect(url, origin=Origin(f"http://{host}"), additional_headers=headers, proxy=None) as window:
            await _output(window, b"#")
            times = []
            for number in range(count):
                if number % LINE == LINE - 1:
                    await window.send(ERASE)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(window.recv(), POLL_S)
                started = time.perf_counter()
                await window.send(b"x")
                await _output(window, b"x")
                times.append((time.perf_counter() - started) * 1000)
        return times
    finally:
        await asyncio.to_thread(instructor.steer, "close")
        participant.close()


async def _output(window: ClientConnection, expected: bytes) -> None:
    """Reads from the terminal until it prints something that contains ``expected``."""
    async with asyncio.timeout(ANSWER_S):
        while True:
            frame = await window.recv()
            if isinstance(frame, bytes) and expected in frame[OFFSET_BYTES:]:
                return
