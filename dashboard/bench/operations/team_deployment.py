"""Runs a team deployment: PostgreSQL, NATS, a lab with a Docker Engine, and web processes as an ordinary user."""

import os
import secrets
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dashboard.bench.operations.postgres_nats import (
    LOOPBACK,
    Nats,
    Postgres,
    Service,
    as_nobody,
    make_folder,
    temporary_folder,
)
from dashboard.bench.processes import BASE, with_death_signal
from dashboard.bench.server import SIGN_IN_LINK, free_port
from dashboard.core.operations.deployment import LAB_READY

INHERITED = {"PATH", "LANG", "HOME", "TZ", "VIRTUAL_ENV"}


class WebProcess(Service):
    """A web process. It keeps its port across restarts."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str], address: str = LOOPBACK) -> None:
        port = free_port()
        self.host = f"{LOOPBACK}:{port}"
        #: The address for machines that join.
        self.origin = f"http://{address}:{port}"
        listen = [] if address == LOOPBACK else ["--host", "0.0.0.0"]  # noqa: S104 - in a network namespace of its own
        command = as_ordinary_user(folder, ["manage.py", "up", "--role", "web", "--port", str(port), *listen])
        super().__init__(
            name,
            folder,
            with_death_signal(command),
            lambda: SIGN_IN_LINK.search(self.output()) is not None,
            stop_signal=signal.SIGINT,
            environment=environment,
            cwd=BASE,
        )

    @property
    def link(self) -> str:
        """The sign-in link that this web process has printed since it was last started; empty if it has printed
        none."""
        match = SIGN_IN_LINK.search(self.output())
        return match[0] if match else ""


@dataclass(slots=True)
class TeamDeployment:
    """The processes of a team deployment. ``lab`` is the installation's own lab."""

    folder: Path
    postgres: Postgres
    nats: Nats
    lab: Service
    webs: list[WebProcess]


def as_ordinary_user(folder: Path, arguments: Sequence[str]) -> list[str]:
    """Returns the command line that runs Python with these arguments as an ordinary user. That user may be unable to
    enter the folders of the checkout and of its Python environment. So the command mounts them, with their bytecode,
    below ``folder`` in a new mount namespace. If this process is not root, the command only runs Python."""
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
def team_deployment(endpoint: str | None, webs: int = 2, address: str = LOOPBACK) -> Iterator[TeamDeployment]:
    """Context manager that runs PostgreSQL, NATS, the installation's own lab, and ``webs`` web processes. ``endpoint``
    is the endpoint of the lab's engine; None if that lab must not run. ``address`` is the address at which machines
    reach PostgreSQL, NATS and the web processes."""
    secret_key = secrets.token_urlsafe(48)
    with (
        temporary_folder() as folder,
        Postgres(folder, address) as postgres,
        Nats(folder, secret_key, address) as nats,
    ):
        common = {name: value for name, value in os.environ.items() if name in INHERITED}
        common |= {"NETMODES_SECRET_KEY": secret_key, "PYTHONDONTWRITEBYTECODE": "1"}
        common["DATABASE_URL"] = postgres.url
        lab = _lab(folder, {**common, "NATS_URL": nats.lab_url, "DOCKER_HOST": endpoint or ""})
        deployment = TeamDeployment(folder, postgres, nats, lab, [])
        for number in range(1, webs + 1):
            data = folder / f"web{number}"
            make_folder(data)
            environment = {**common, "NATS_URL": nats.web_url, "NETMODES_DATA_DIR": str(data)}
            if address != LOOPBACK:
                environment["NETMODES_ALLOWED_HOSTS"] = address
            if sys.pycache_prefix:
                prefix = folder / "pycache" if os.geteuid() == 0 else sys.pycache_prefix
                environment["PYTHONPYCACHEPREFIX"] = str(prefix)
            deployment.webs.append(WebProcess(data.name, folder, environment, address))
        services = [*([lab] if endpoint is not None else []), *deployment.webs]
        try:
            for service in services:
                service.start()
            yield deployment
        finally:
            for service in reversed(services):
                service.stop()


def _lab(folder: Path, environment: dict[str, str]) -> Service:
    data = folder / "lab"
    data.mkdir(mode=0o700)
    pycache = sys.pycache_prefix or ""
    lab = Service(
        "lab",
        folder,
        with_death_signal([sys.executable, "manage.py", "up", "--role", "lab"]),
        lambda: LAB_READY in lab.output(),
        stop_signal=signal.SIGINT,
        environment={**environment, "NETMODES_DATA_DIR": str(data), "PYTHONPYCACHEPREFIX": pycache},
        cwd=BASE,
    )
    return lab
