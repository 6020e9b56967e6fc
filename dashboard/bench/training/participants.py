"""People of a class as browsers: each with cookies, a connection for HTTP and a websocket that comes back.

As a program (``python -m dashboard.bench.training.participants HOST``) it does what stands on each line of stdin, one JSON object with
``do``, and answers with one line: ``join`` (code, key, count, within_s, first), ``listen`` (url, count), ``predict``
(step, within_s), ``until`` (field, value): when each has heard it, in seconds of CLOCK_MONOTONIC, ``forget`` what
was heard.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import uvloop
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from dashboard.bench.processes import BASE, environment_with, tied

DEADLINE_S = 150.0
#: As ``static/dashboard/js/core/backoff.js``.
FIRST_S, CEILING_S = 0.4, 10.0


class PupilError(Exception):
    """A server did not do what it should; ``str()`` is a sentence."""


@dataclass(slots=True)
class Pupil:
    """One browser. ``heard`` is every message with the moment of its arrival."""

    host: str
    number: int
    cookies: dict[str, str] = field(default_factory=dict)
    session: str = ""
    heard: list[tuple[float, str]] = field(default_factory=list)
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, fields: dict[str, str] | None = None) -> tuple[int, str]:
        """Status and Location of an answer; its body is read to the end. A kept connection that the server has closed
        meanwhile is opened anew, as a browser does."""
        try:
            return await self._ask(method, path, fields)
        except (asyncio.IncompleteReadError, ConnectionError):
            self._streams = None
            return await self._ask(method, path, fields)

    async def _ask(self, method: str, path: str, fields: dict[str, str] | None) -> tuple[int, str]:
        if self._streams is None:
            name, _, port = self.host.partition(":")
            self._streams = await asyncio.open_connection(name, int(port))
        reader, writer = self._streams
        body = urlencode(fields or {}).encode()
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}", f"Cookie: {self.cookie}"]
        if method == "POST":
            lines += [f"Origin: http://{self.host}", "Sec-Fetch-Site: same-origin"]
            lines += [f"X-CSRFToken: {self.cookies.get('csrftoken', '')}"]
            lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + (body if method == "POST" else b""))
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        length, location = 0, ""
        for line in head[1:]:
            key, _, value = line.partition(": ")
            match key.lower():
                case "content-length":
                    length = int(value)
                case "location":
                    location = value
                case "set-cookie":
                    found, _, text = value.split(";", 1)[0].partition("=")
                    self.cookies[found] = text
        await reader.readexactly(length)
        return int(head[0].split()[1]), location

    @property
    def cookie(self) -> str:
        """All of them as one header."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    async def join(self, code: str, key: str) -> None:
        """Opens the link, fills in the form, and sees the lobby, as a browser does."""
        await self.ask("GET", f"/join/?code={code}&key={key}")
        status, place = await self.ask("POST", "/join/", {"code": code, "key": key, "name": f"Pupil {self.number}"})
        if status != 302:
            raise PupilError(f"joining was answered with {status}")
        self.session = place.strip("/").split("/")[1]
        await self.ask("GET", place)

    async def predict(self, step: str) -> None:
        """Sends the prediction; whoever sees no redirect was not heard."""
        path = f"/sessions/{self.session}/steps/{step}/"
        status, _ = await self.ask("POST", f"{path}predict/", {"choice": str(self.number % 2)})
        if status != 302:
            raise PupilError(f"predicting was answered with {status}")

    async def listen(self, url: str, ready: Callable[[], None]) -> None:
        """Hears everything for ever; comes back when the connection is lost."""
        attempt = 0
        while True:
            with suppress(OSError, WebSocketException, TimeoutError):
                async with self._opened(url) as opened:
                    ready()
                    async for text in opened:
                        attempt = 0
                        self.heard.append((time.monotonic(), str(text)))
            pause = min(CEILING_S, FIRST_S * 2 ** min(attempt, 16))
            attempt += 1
            await asyncio.sleep(pause / 2 + pause / 2 * random.random())  # noqa: S311 - nothing secret

    def _opened(self, url: str) -> Any:
        return connect(
            url,
            origin=f"http://{self.host}" if self.cookies else None,  # type: ignore[arg-type]  # a NewType of str
            additional_headers={"Cookie": self.cookie} if self.cookies else None,
            compression=None,
            ping_interval=None,
            max_queue=None,
            proxy=None,
        )


@dataclass(slots=True)
class Class:
    """All of them."""

    host: str
    pupils: list[Pupil] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def do(self, asked: dict[str, Any]) -> dict[str, Any]:
        """One command."""
        match asked.pop("do"):
            case "join":
                return await self._join(**asked)
            case "listen":
                return await self._listen(**asked)
            case "predict":
                return await self._all(lambda one: one.predict(asked["step"]), asked["within_s"])
            case "until":
                return await self._until(**asked)
            case "forget":
                for one in self.pupils:
                    one.heard.clear()
                return {}
        raise PupilError(f"nobody does {asked}")

    async def _join(self, code: str, key: str, count: int, within_s: float, first: int = 0) -> dict[str, Any]:
        self.pupils = [Pupil(self.host, number) for number in range(first, first + count)]

        async def whole(one: Pupil) -> None:
            await one.join(code, key)
            listening = asyncio.Event()
            url = f"ws://{self.host}/ws/sessions/{one.session}/"
            self.tasks.append(asyncio.get_running_loop().create_task(one.listen(url, listening.set)))
            await listening.wait()

        return await self._all(whole, within_s)

    async def _listen(self, url: str, count: int) -> dict[str, Any]:
        self.pupils = [Pupil(self.host, number) for number in range(count)]

        async def whole(one: Pupil) -> None:
            listening = asyncio.Event()
            self.tasks.append(asyncio.get_running_loop().create_task(one.listen(url, listening.set)))
            await listening.wait()

        return await self._all(whole, 1.0)

    async def _all(self, act: Callable[[Pupil], Awaitable[None]], within_s: float) -> dict[str, Any]:
        """Everybody acts, at even distances within the first part of ``within_s``; how long until all were done."""
        started, loop = time.monotonic(), asyncio.get_running_loop()
        gap = within_s * 0.5 / max(1, len(self.pupils))

        async def one_by_one(number: int, one: Pupil) -> None:
            await asyncio.sleep(max(0.0, started + number * gap - time.monotonic()))
            await act(one)

        async with asyncio.timeout(DEADLINE_S):
            jobs = [loop.create_task(one_by_one(number, one)) for number, one in enumerate(self.pupils)]
            found = await asyncio.gather(*jobs, return_exceptions=True)
        failed = [str(one) for one in found if isinstance(one, BaseException)]
        return {"seconds": time.monotonic() - started, "failed": failed[:3], "failures": len(failed)}

    async def _until(self, field: str, value: object, after: float = 0.0) -> dict[str, Any]:
        """When each has first heard a message whose ``field`` is ``value``, or holds it."""
        known: dict[str, bool] = {}

        def says(text: str) -> bool:
            if text not in known:
                found: Any = json.loads(text)
                for name in field.split("."):
                    found = found.get(name) if isinstance(found, dict) else None
                known[text] = found == value or (isinstance(found, list) and value in found)
            return known[text]

        end = time.monotonic() + DEADLINE_S
        times: dict[int, float] = {}
        while len(times) < len(self.pupils) and time.monotonic() < end:
            for one in self.pupils:
                if one.number not in times:
                    first = next((at for at, text in one.heard if at >= after and says(text)), None)
                    if first is not None:
                        times[one.number] = first
            await asyncio.sleep(0.02)
        return {"times": list(times.values())}


class Pupils:
    """The program, spoken to from a loop."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """What came of a command."""
        sending, answers = self._process.stdin, self._process.stdout
        if sending is None or answers is None:
            raise PupilError("the pupils have no pipes")
        sending.write(json.dumps({"do": do, **more}).encode() + b"\n")
        line = await asyncio.wait_for(answers.readline(), DEADLINE_S + 10)
        if not line:
            raise PupilError("the pupils have ended: their last words stand above")
        found: dict[str, Any] = json.loads(line)
        return found


@asynccontextmanager
async def pupils(host: str) -> AsyncIterator[Pupils]:
    """A process of their own, so that they do not take the server's time for their own."""
    process = await asyncio.create_subprocess_exec(
        *tied([sys.executable, "-m", "dashboard.bench.training.participants", host]),
        cwd=BASE,
        env=environment_with(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 24,
    )
    try:
        yield Pupils(process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _serve(host: str) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    whole = Class(host)
    while line := await reader.readline():
        sys.stdout.write(json.dumps(await whole.do(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1]))
