"""What the benchmarks of training sessions share: an instructor, joining participants, and the delays of messages."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Sequence

from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.processes import Program
from dashboard.bench.server import Server
from dashboard.bench.statistics import Figure, at_most, compared

MAX_DELIVERY_MS = 250.0
#: The length of the message that the reference broadcasts.
BROADCAST_BYTES = 900
NOTES = (
    "Delivery: from before the instructor's POST to the arrival at each client, on the same machine as the server.",
    f"The reference broadcasts {BROADCAST_BYTES} bytes to as many clients and does nothing else.",
)


class Instructor:
    """The instructor of one training session, who uses the pages of ``server``. ``code`` and ``key`` are parts
    of the link to join."""

    def __init__(self, server: Server, session: str, code: str, key: str) -> None:
        self.server, self.session, self.code, self.key = server, session, code, key

    @classmethod
    def with_session(cls, server: Server, participants: int, **options: str) -> Instructor:
        """Creates a session for this number of participants, and returns its instructor. ``options`` are other fields
        of the form."""
        form = {
            "title": "Bench",
            "workshop": "host-network",
            "max_participants": str(participants),
            "hours": "1",
            **options,
        }
        console = server.post("/sessions/new/", form, "/sessions/[^/]+/console/")
        link = re.search(r"code=([0-9A-Z]{8})&amp;key=([\w-]+)", server.get(console).decode())
        if link is None:
            raise BenchmarkError("the console shows no link to join")
        return cls(server, console.split("/")[2], link[1], link[2])

    def steer(self, action: str, **fields: str) -> float:
        """Submits a command on the instructor's page (the console), with the fields of its form. Returns the time right
        before the command was sent, in seconds of CLOCK_MONOTONIC."""
        started = time.monotonic()
        self.server.post(f"/sessions/{self.session}/console/steer/{action}/", fields)
        return started


async def join(participants: Program, instructor: Instructor, count: int, within_s: float, first: int = 0) -> float:
    """Lets ``count`` participants join the instructor's session. Their numbers begin with ``first``; they start within
    the first half of ``within_s``. Returns how many seconds that took."""
    code, key = instructor.code, instructor.key
    seconds = await participants.ask("join", code=code, key=key, count=count, within_s=within_s, first=first)
    return float(seconds)


async def deliveries(clients: Sequence[Program], started: float, field: str, value: object) -> list[float]:
    """Waits until every client of these programs has received a message in which ``field`` has or contains ``value``.
    Returns the milliseconds from ``started`` to each client's first such message. Then the clients forget all their
    messages."""
    answers = await asyncio.gather(*(each.ask("until", field=field, value=value, after=started) for each in clients))
    await asyncio.gather(*(each.ask("take") for each in clients))
    return [(arrived - started) * 1e3 for arrivals in answers for arrived in arrivals]


async def broadcasts(bare: Program, clients: Sequence[Program], number: int) -> list[float]:
    """Broadcasts a message with this number through ``bare``, the server of ``broadcast_server``. Returns the delays in
    ms until each client has received it."""
    started = time.monotonic()
    await bare.write(json.dumps({"number": number, "fill": "x" * BROADCAST_BYTES}))
    return await deliveries(clients, started, "number", number)


def delivery_figure(
    name: str, ours: Sequence[float], bare: Sequence[float], promised_ms: float = MAX_DELIVERY_MS
) -> Figure:
    """Makes a figure for the p99 of ``ours``, the delays of Netmodes' messages in ms. They are compared with ``bare``,
    the delays of a server that only broadcasts (``broadcast_server``). ``promised_ms`` is the promised maximum."""
    pairs = list(zip(ours, bare, strict=True))
    return compared(name, "ms", pairs, "websockets.broadcast", percent=99, promise=at_most(promised_ms))
