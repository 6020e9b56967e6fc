"""The team shape as processes: PostgreSQL, Redis, one lab with a Docker Engine, and pages that ordinary users serve."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dashboard.bench.operations.postgres_redis import (
    NOBODY,
    Postgres,
    Redis,
    ServiceError,
    as_nobody,
    free_port,
    open_folder,
    services,
)
from dashboard.bench.processes import BASE, end, tied

READY_S = 60.0
STEP_S = 0.05
LINK = re.compile(r"http://\S+/sign-in/\?token=\S+")


@dataclass(slots=True)
class Member:
    """One process of the shape. ``out`` and ``err`` are what it printed; a web process keeps its port."""

    name: str
    command: list[str]
    environment: dict[str, str]
    folder: Path
    ready: re.Pattern[str]
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        """Name and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The running process's."""
        if self.process is None:
            raise ServiceError(f"{self.name} does not run")
        return self.process.pid

    def out(self) -> str:
        """What it has printed since it was started last."""
        return (self.folder / f"{self.name}.out").read_text()

    def err(self) -> str:
        """What it has ever complained."""
        return (self.folder / f"{self.name}.err").read_text()

    def start(self) -> str:
        """Starts it; what it printed once it is ready. ServiceError with its complaints if it ends instead."""
        with (self.folder / f"{self.name}.out").open("wb") as out, (self.folder / f"{self.name}.err").open("ab") as err:
            self.process = subprocess.Popen(
                tied(self.command), cwd=BASE, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )
        until = time.monotonic() + READY_S
        while (found := self.ready.search(self.out())) is None:
            if self.process.poll() is not None or time.monotonic() > until:
                raise ServiceError(f"{self.name} did not start: {self.err()[-2000:]}")
            time.sleep(STEP_S)
        return found[0]

    def kill(self) -> None:
        """As ``kill -9`` does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int | None:
        """Asks it to end; its exit code."""
        process, self.process = self.process, None
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                end(process)
        return process.returncode


@dataclass(slots=True)
class TeamShape:
    """All of it. ``links`` are the sign-in links that the web processes printed."""

    folder: Path
    postgres: Postgres
    redis: Redis
    lab: Member
    webs: list[Member]
    links: list[str] = field(default_factory=list)


def _environment(folder: Path, name: str, postgres: Postgres, redis: Redis, key: str) -> dict[str, str]:
    data = folder / name
    data.mkdir(mode=0o700)
    kept = {key: value for key, value in os.environ.items() if key in {"PATH", "LANG", "HOME", "TZ", "VIRTUAL_ENV"}}
    return {
        **kept,
        "NETMODES_DATA_DIR": str(data),
        "NETMODES_SECRET_KEY": key,
        "DATABASE_URL": postgres.url,
        "REDIS_URL": redis.url,
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _as_ordinary_user(folder: Path, command: Sequence[str]) -> list[str]:
    """The command as nobody, with the checkout and its environment where nobody can read them: a mount namespace of
    its own shows them there, whatever the folders above them forbid."""
    if os.geteuid() != 0:
        return list(command)
    here, venv = folder / "checkout", folder / "venv"
    for one in (here, venv):
        one.mkdir(exist_ok=True)
    python = Path(sys.prefix)
    script = (
        f"mount --bind {BASE} {here} && mount --bind {python} {venv} && cd {here} && "
        f"exec {' '.join(as_nobody([str(venv / 'bin' / 'python'), *command]))}"
    )
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]


@contextmanager
def team_shape(endpoint: str, webs: int = 2, more: dict[str, str] | None = None) -> Iterator[TeamShape]:
    """Everything, running; gone afterwards. ``endpoint`` is the engine that the lab drives."""
    key = secrets.token_urlsafe(48)
    with open_folder() as folder, services(folder) as (postgres, redis):
        environment = _environment(folder, "lab", postgres, redis, key) | {"DOCKER_HOST": endpoint} | (more or {})
        command = [sys.executable, "manage.py", "up", "--role", "lab"]
        lab = Member("lab", command, environment, folder, re.compile("The lab of Netmodes is here"))
        shape = TeamShape(folder, postgres, redis, lab, [])
        for number in range(webs):
            name, port = f"web{number + 1}", free_port()
            environment = _environment(folder, name, postgres, redis, key) | (more or {})
            if os.geteuid() == 0:
                os.chown(folder / name, NOBODY, NOBODY)
            command = _as_ordinary_user(folder, ["manage.py", "up", "--role", "web", "--port", str(port)])
            shape.webs.append(Member(name, command, environment, folder, LINK, port))
        try:
            lab.start()
            shape.links = [one.start() for one in shape.webs]
            yield shape
        finally:
            for one in (*shape.webs, lab):
                one.stop(signal.SIGINT)
