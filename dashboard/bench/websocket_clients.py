"""Many websocket clients in one process, the same for every server that is measured.

As a program (``python -m dashboard.bench.websocket_clients URL COUNT``; CROWD_ORIGIN and CROWD_COOKIE for the handshake) it
connects and says ``ready``. Each line on stdin is answered with what came since the last one:
``{"messages": …, "bytes": …, "texts": […]}``, the texts being those of the first client, in order.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import uvloop
from websockets.asyncio.client import ClientConnection, connect

from dashboard.bench.processes import BASE, environment_with, tied

AT_ONCE = 20


@dataclass(slots=True)
class Harvest:
    """What came since the last question."""

    messages: int = 0
    bytes: int = 0
    texts: list[str] = field(default_factory=list)


class Crowd:
    """The program, spoken to from a loop."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def take(self) -> Harvest:
        """What came since the last ``take``."""
        sending, answers = self._process.stdin, self._process.stdout
        if sending is None or answers is None:
            raise RuntimeError("the crowd has no pipes")
        sending.write(b"take\n")
        line = await asyncio.wait_for(answers.readline(), 30)
        if not line:
            raise RuntimeError("the crowd has ended")
        return Harvest(**json.loads(line))


@asynccontextmanager
async def crowd(url: str, count: int, origin: str = "", cookie: str = "") -> AsyncIterator[Crowd]:
    """``count`` clients, connected."""
    command = tied([sys.executable, "-m", "dashboard.bench.websocket_clients", url, str(count)])
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=BASE,
        env=environment_with(CROWD_ORIGIN=origin, CROWD_COOKIE=cookie),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 26,
    )
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 60) if process.stdout else b""
        if line != b"ready\n":
            raise RuntimeError("the crowd could not connect")
        yield Crowd(process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _read(opened: ClientConnection, harvest: Harvest, *, keeps: bool) -> None:
    async for text in opened:
        harvest.messages += 1
        harvest.bytes += len(text)
        if keeps and isinstance(text, str):
            harvest.texts.append(text)


async def _gather_crowd(url: str, count: int) -> None:
    origin, cookie = os.environ["CROWD_ORIGIN"], os.environ["CROWD_COOKIE"]
    loop = asyncio.get_running_loop()
    harvest = Harvest()
    async with AsyncExitStack() as stack:
        tasks: list[asyncio.Task[None]] = []
        gate = asyncio.Semaphore(AT_ONCE)

        async def join() -> None:
            async with gate:
                client = connect(
                    url,
                    origin=origin or None,  # type: ignore[arg-type]  # a NewType of str
                    additional_headers={"Cookie": cookie} if cookie else None,
                    compression=None,
                    ping_interval=None,
                    max_size=1 << 24,
                    max_queue=None,
                    proxy=None,
                )
                opened = await stack.enter_async_context(client)
            tasks.append(loop.create_task(_read(opened, harvest, keeps=not tasks)))

        await asyncio.gather(*(join() for _ in range(count)))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while await reader.readline():
            said = {"messages": harvest.messages, "bytes": harvest.bytes, "texts": harvest.texts}
            harvest.messages, harvest.bytes, harvest.texts = 0, 0, []
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()


def main() -> None:
    """Until stdin ends."""
    uvloop.run(_gather_crowd(sys.argv[1], int(sys.argv[2])))


if __name__ == "__main__":
    main()
