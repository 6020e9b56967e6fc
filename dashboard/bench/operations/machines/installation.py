"""Runs a team deployment on a LAN: PostgreSQL, NATS, two web processes, and machines that have joined the installation,
each with a lab.

The installation has no other lab.
"""

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dashboard.bench.benchmark import BenchmarkError, BenchmarkRun, until
from dashboard.bench.operations.chosen_engine import engine_settings
from dashboard.bench.operations.machines.isolated import SWITCH_ADDRESS, InsideService, IsolatedMachine, lan
from dashboard.bench.operations.team_deployment import INHERITED, TeamDeployment, team_deployment
from dashboard.bench.processes import BASE
from dashboard.bench.server import Server
from dashboard.core.operations.deployment import LAB_READY
from dashboard.engine.hosts.debian_root import DebianRootError
from dashboard.engine.lab_image import lab_image_archive

#: The machines and their engines (``engine.hosts.variants``); an empty name is the engine of this machine.
ENGINES = {"lab1": "", "lab2": "debian-forky", "lab3": "debian-bookworm"}
JOIN_S = 60.0


@dataclass(slots=True)
class JoinedMachine:
    """A machine that has joined the installation, with its lab. ``environment`` are the environment variables with
    which ``join`` and the lab run."""

    machine: IsolatedMachine
    lab: InsideService
    environment: dict[str, str]

    @property
    def name(self) -> str:
        """The machine's name in the installation."""
        return self.machine.name

    def join(self, token: str, name: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs ``netmodes join`` on the machine, without starting the lab. ``name`` is the name with which the machine
        joins (default: its own name), and the value of its label ``machine``. ``environment`` are additional
        environment variables."""
        name = name or self.name
        command = [sys.executable, str(BASE / "manage.py"), "join", token, "--no-start", "--name", name]
        return subprocess.run(
            self.machine.command([*command, "--label", f"machine={name}"]),
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=JOIN_S,
            check=False,
        )


@dataclass(slots=True)
class MachinesInstallation:
    """A team deployment with the machines that have joined it.

    ``owners`` has the owner's browser for each web process. ``machines`` maps names to machines. ``engines`` maps names
    of machines to the versions of their engines. ``seen_s`` has, for each lab, the seconds from its start until the
    pages of all web processes showed it. ``notes`` are sentences: which engines are used, and why others could not be
    used.
    """

    deployment: TeamDeployment
    owners: list[Server]
    machines: dict[str, JoinedMachine] = field(default_factory=dict)
    engines: dict[str, str] = field(default_factory=dict)
    seen_s: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def token(self) -> str:
        """Creates a join token on the Machines page and returns it."""
        page = self.owners[0].ask("POST", "/machines/tokens/", {"address": self.deployment.webs[0].origin})
        match = re.search(r"join (netmodes-[\w-]+)", page.data.decode())
        if match is None:
            raise BenchmarkError(f"a token was not created: {page.status}")
        return match[1]

    def is_connected(self, name: str) -> bool:
        """Whether the pages of all web processes show the machine as connected."""
        return all("connected" in self.rows(web).get(name, "") for web in range(len(self.owners)))

    def rows(self, web: int) -> dict[str, str]:
        """The text of each machine's row on the Machines page, by machine name. The page is requested from the web
        process with the number ``web``, from 0."""
        return rows_of(self.owners[web].get("/machines/").decode())


def rows_of(page: str) -> dict[str, str]:
    """The text of each row of the Machines page, by machine name."""
    rows = re.finditer(r'<tr>\s*<th scope="row">(?:<a [^>]*>)?([\w-]+).*?</tr>', page, re.DOTALL)
    return {row[1]: re.sub(r"<[^>]+>|\s+", " ", row[0]) for row in rows}


@asynccontextmanager
async def machines_installation(
    run: BenchmarkRun, engines: dict[str, str] | None = None
) -> AsyncIterator[MachinesInstallation]:
    """Context manager that runs an installation with several machines. ``engines`` maps the name of each machine to the
    name of its engine (default: ``ENGINES``). Until the ``with`` statement ends, this thread is in the network
    namespace of the LAN."""
    data_dir = run.folder.parents[1]
    notes: list[str] = []
    # Before the thread leaves the machine's network, from which the roots of the engines are installed.
    settings = {name: _settings(run, engine, data_dir, notes) for name, engine in (engines or ENGINES).items()}
    with ExitStack() as stack:
        stack.enter_context(lan())
        deployment = stack.enter_context(team_deployment(None, address=SWITCH_ADDRESS))
        owners = [Server(web.host) for web in deployment.webs]
        for owner, web in zip(owners, deployment.webs, strict=True):
            stack.callback(owner.close)
            owner.sign_in(web.link)
        installation = MachinesInstallation(deployment, owners, notes=notes)
        for number, (name, chosen) in enumerate(settings.items(), start=1):
            root = Path(chosen["NETMODES_ENGINE_ROOT"]) if chosen else None
            machine = IsolatedMachine(name, number, deployment.folder, root)
            stack.callback(machine.stop)
            installation.machines[name] = joined = _joined(machine, chosen, data_dir)
            stack.callback(joined.lab.stop)
        for joined in installation.machines.values():
            await _start(installation, joined, data_dir)
            run.say(f"{joined.name} has joined, with Docker Engine {installation.engines[joined.name]}")
        notes.insert(0, f"Engines: {', '.join(f'{name} {version}' for name, version in installation.engines.items())}.")
        yield installation


def _settings(run: BenchmarkRun, engine: str, data_dir: Path, notes: list[str]) -> dict[str, str]:
    """Returns the environment variables that select ``engine``. Without variables, the engine of this machine is used.
    Returns none if ``engine`` is empty. Also returns none, and adds a note to ``notes``, if the engine's root file
    system cannot be created."""
    try:
        return engine_settings(engine, data_dir, run.say) if engine else {}
    except DebianRootError as error:
        notes.append(f"Instead of {engine}, the engine of this machine: {error}")
        return {}


def _joined(machine: IsolatedMachine, settings: dict[str, str], data_dir: Path) -> JoinedMachine:
    archive = lab_image_archive(data_dir)
    (machine.folder / "cache").mkdir()
    (machine.folder / "cache" / archive.name).symlink_to(archive)
    environment = {name: value for name, value in os.environ.items() if name in INHERITED} | settings
    environment |= {"NETMODES_DATA_DIR": str(machine.folder), "DOCKER_HOST": "unix:///run/docker.sock"}
    environment |= {"PYTHONPYCACHEPREFIX": sys.pycache_prefix or ""}
    lab = InsideService(
        f"{machine.name}-lab",
        machine,
        [sys.executable, str(BASE / "manage.py"), "lab"],
        lambda: LAB_READY in lab.output(),
        environment,
    )
    return JoinedMachine(machine, lab, environment)


async def _start(installation: MachinesInstallation, joined: JoinedMachine, data_dir: Path) -> None:
    joined.machine.start()
    await joined.machine.load_image(data_dir)
    done = joined.join(installation.token())
    if done.returncode:
        raise BenchmarkError(f"{joined.name} cannot join: {done.stderr.strip()}")
    joined.lab.start()

    async def is_connected() -> bool:
        return installation.is_connected(joined.name)

    installation.seen_s.append(await until(is_connected, f"{joined.name} on the Machines pages", JOIN_S))
    installation.engines[joined.name] = joined.lab.output().partition("Docker Engine ")[2].partition("\n")[0]
