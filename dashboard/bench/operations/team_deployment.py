"""A team deployment as processes: PostgreSQL, NATS, a lab with a Docker Engine, web processes of ordinary users."""

import os
import secrets
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dashboard.bench.operations.postgres_nats import (
    Nats,
    Postgres,
    Service,
    as_nobody,
    make_folder,
    nats_server,
    postgres_server,
    temporary_folder,
)
from dashboard.bench.processes import BASE, tied
from dashboard.bench.server import SIGN_IN_LINK, free_port
from dashboard.core.operations.deployment import LAB_READY

INHERITED = {"PATH", "LANG", "HOME", "TZ", "VIRTUAL_ENV"}


class WebProcess(Service):
    """A web process on a port that it keeps across restarts."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        port = free_port()
        self.host = f"127.0.0.1:{port}"
        command = as_ordinary_user(folder, ["manage.py", "up", "--role", "web", "--port", str(port)])
        super().__init__(
            name,
            folder,
            tied(command),
            lambda: SIGN_IN_LINK.search(self.output()) is not None,
            stop_signal=signal.SIGINT,
            environment=environment,
            cwd=BASE,
        )

    @property
    def link(self) -> str:
        """The sign-in link that it printed."""
        found = SIGN_IN_LINK.search(self.output())
        return found[0] if found else ""


@dataclass(slots=True)
class TeamDeployment:
    """All processes. ``links`` are the sign-in links that the web processes printed."""

    folder: Path
    postgres: Postgres
    nats: Nats
    lab: Service
    webs: list[WebProcess]
    links: list[str] = field(default_factory=list)


def as_ordinary_user(folder: Path, arguments: Sequence[str]) -> list[str]:
    """Python as an ordinary user, who may not enter the checkout and its environment: its own mount namespace shows
    them in ``folder``, with their bytecode."""
    if os.geteuid() != 0:
        return [sys.executable, *arguments]
    checkout, venv = folder / "checkout", folder / "venv"
    shown = {checkout: BASE, venv: Path(sys.prefix)}
    if sys.pycache_prefix:
        # Below the prefix, bytecode has the path of its source.
        prefix, here = Path(sys.pycache_prefix), folder / "pycache"
        sources = {**shown, Path(sys.base_prefix): Path(sys.base_prefix)}
        shown |= {here / place.relative_to("/"): prefix / source.relative_to("/") for place, source in sources.items()}
    for place, source in shown.items():
        place.mkdir(parents=True, exist_ok=True)
        source.mkdir(parents=True, exist_ok=True)
    mounts = " && ".join(f"mount --bind {source} {place}" for place, source in shown.items())
    script = f"{mounts} && cd {checkout} && exec {' '.join(as_nobody([str(venv / 'bin' / 'python'), *arguments]))}"
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]


@contextmanager
def team_deployment(endpoint: str, webs: int = 2) -> Iterator[TeamDeployment]:
    """A running team deployment, removed after the block. ``endpoint`` is the engine that the lab uses."""
    secret_key = secrets.token_urlsafe(48)
    with temporary_folder() as folder, postgres_server(folder) as postgres, nats_server(folder, secret_key) as nats:
        common = {name: value for name, value in os.environ.items() if name in INHERITED}
        common |= {"NETMODES_SECRET_KEY": secret_key, "PYTHONDONTWRITEBYTECODE": "1"}
        common["DATABASE_URL"] = postgres.url
        (folder / "lab").mkdir(mode=0o700)
        lab = Service(
            "lab",
            folder,
            tied([sys.executable, "manage.py", "up", "--role", "lab"]),
            lambda: LAB_READY in lab.output(),
            stop_signal=signal.SIGINT,
            environment={
                **common,
                "NATS_URL": nats.lab_url,
                "NETMODES_DATA_DIR": str(folder / "lab"),
                "DOCKER_HOST": endpoint,
                "PYTHONPYCACHEPREFIX": sys.pycache_prefix or "",
            },
            cwd=BASE,
        )
        deployment = TeamDeployment(folder, postgres, nats, lab, [])
        for number in range(1, webs + 1):
            data = folder / f"web{number}"
            make_folder(data)
            environment = {**common, "NATS_URL": nats.web_url, "NETMODES_DATA_DIR": str(data)}
            if sys.pycache_prefix:
                prefix = folder / "pycache" if os.geteuid() == 0 else sys.pycache_prefix
                environment["PYTHONPYCACHEPREFIX"] = str(prefix)
            deployment.webs.append(WebProcess(data.name, folder, environment))
        try:
            for service in (lab, *deployment.webs):
                service.start()
            deployment.links = [web.link for web in deployment.webs]
            yield deployment
        finally:
            for service in (*deployment.webs, lab):
                service.stop()
