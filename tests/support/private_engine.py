"""The suite's own Docker host. Tests never use the machine's engine and need no registry."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dashboard.engine.daemon_process import find_daemon
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.debian_root import DebianRootError, debian_root
from dashboard.engine.hosts.private_host import PrivateHost
from dashboard.engine.hosts.programs import engine_root, engine_setup
from dashboard.engine.hosts.variants import VARIANTS, Variant
from dashboard.engine.images import ensure_image
from dashboard.engine.lab_image import LAB_REFERENCE, lab_image_archive
from dashboard.engine.pid_namespaces import machine_pid
from dashboard.netns.namespace import namespace_file
from tests.support import engine_api
from tests.support.workers import outside

#: Kept between runs: the lab image is built once per recipe.
CACHE = Path(__file__).resolve().parents[2] / "var"


class PrivateEngine:
    """A running private host for tests."""

    def __init__(self, host: PrivateHost, data_dir: Path) -> None:
        self.host = host
        self.data_dir = data_dir
        self.socket = host.socket
        self.endpoint = host.endpoint
        #: The pid of the daemon, whose namespaces take the place of the machine's; with RootlessKit they are not the
        #: host's.
        self.pid = find_daemon(host.endpoint) or host.pid

    def docker(self, *arguments: str, timeout_s: float = 60.0) -> str:
        """stdout of the docker command on this host; AssertionError with its stderr if it fails."""
        done = self.try_docker(*arguments, timeout_s=timeout_s)
        assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr.strip()}"
        return done.stdout.strip()

    def try_docker(self, *arguments: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Runs the docker command on this host; returns the result, also of a failure."""
        command = ["docker", "-H", self.endpoint, *arguments]
        return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=timeout_s, check=False)

    def refusal(self, *arguments: str) -> str:
        """The engine's message when it refuses the command; AssertionError if the command succeeds."""
        done = self.try_docker(*arguments)
        assert done.returncode != 0, f"docker {' '.join(arguments)} was not refused"
        return done.stderr.strip()

    def on_machine(self, *command: str, timeout_s: float = 30.0) -> str:
        """stdout of a command in the namespaces of this host's machine."""
        return self.try_on_machine(*command, timeout_s=timeout_s).stdout

    def try_on_machine(self, *command: str, timeout_s: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Runs a command in the namespaces of this host's machine; returns the result, also of a failure."""
        # The main thread of Podman's service may be in the network namespace of a container.
        network = f"--net={namespace_file(self.pid, 'net')}"
        spaces = [network, "--mount", "--uts", *(["--pid"] if self.host.owner else [])]
        enter = ["nsenter", "-t", str(self.pid), *spaces, "--", *command]
        return subprocess.run(enter, capture_output=True, text=True, errors="replace", timeout=timeout_s, check=False)

    def in_network(self, *command: str) -> str:
        """stdout of a command in the network of this host's machine, which numbers processes as Netmodes does."""
        enter = ["nsenter", f"--net={namespace_file(self.pid, 'net')}", "--", *command]
        return subprocess.run(enter, capture_output=True, text=True, errors="replace", timeout=30, check=False).stdout

    def leave_nothing(self) -> None:
        """Removes all containers and user-defined networks. AssertionError with their names if there were any."""
        containers, networks = engine_api.containers(self.endpoint), engine_api.networks(self.endpoint)
        if containers:
            self.docker("rm", "-f", "-v", *containers)
        if networks:
            self.docker("network", "rm", *networks)
        assert not containers, f"containers stay: {containers}"
        assert not networks, f"networks stay: {networks}"

    def inspect(self, container: str, template: str) -> str:
        """The output of ``docker inspect --format``."""
        return self.docker("inspect", "--format", template, container)

    def container_pid(self, container: str) -> int:
        """The pid of a container's first process in this machine's pid namespace."""
        return machine_pid(int(self.inspect(container, "{{.State.Pid}}")), self.pid)


def build_lab_image() -> Path:
    """The lab image as an archive, built at the first call and kept."""
    with outside():
        return lab_image_archive(CACHE)


def root_of(variant: Variant) -> Path:
    """The root of an engine, made at the first call and kept. The test fails without mmdebstrap, and is skipped with
    the reason where no archive answers."""
    if shutil.which("mmdebstrap") is None:
        pytest.fail("mmdebstrap is not here: ./netmodes test installs it")
    try:
        with outside():
            return debian_root(variant.suite, CACHE, lambda _text: None, variant.packages)
    except DebianRootError as error:
        pytest.skip(str(error))


def share_lab_image(folder: Path) -> None:
    """Puts the lab image into a data folder, so that it is not built again there."""
    archive = build_lab_image()
    (folder / "cache").mkdir(parents=True, exist_ok=True)
    (folder / "cache" / archive.name).symlink_to(archive)


async def load_lab_image(host: PrivateHost) -> None:
    """Loads the lab image under its own name and as ``nginx``."""
    engine = DockerEngine(host.endpoint, timeout_s=60)
    try:
        await ensure_image(engine, LAB_REFERENCE, CACHE, lambda _text, _fraction: None, private=True)
        await ensure_image(engine, "nginx", CACHE, lambda _text, _fraction: None, private=True)
    finally:
        await engine.close()


@contextmanager
def engine_variant(name: str, folder: Path) -> Iterator[PrivateEngine]:
    """A private host with this engine of ``VARIANTS``; skips the test if ``--engine`` chose another one."""
    if engine_root() is not None and engine_setup() != name:
        pytest.skip("--engine chose another engine")
    with private_engine(folder, variant=VARIANTS[name]) as engine:
        yield engine


@contextmanager
def private_engine(
    data_dir: Path,
    daemon: Mapping[str, Any] | None = None,
    variant: Variant | None = None,
    runtime: str | None = None,
) -> Iterator[PrivateEngine]:
    """A private host with the lab image, of the engine ``variant`` if it is given; ``daemon`` is merged into its
    daemon.json; ``runtime`` as for ``private_host.start``. It is removed completely at the end, even if the tests are
    killed."""
    build_lab_image()
    root, setup = (root_of(variant), variant.setup) if variant is not None else (None, None)
    daemon = {**(variant.options if variant is not None else {}), **(daemon or {})}
    host = asyncio.run(
        private_host.start(data_dir, die_with_parent=True, daemon=daemon, root=root, setup=setup, runtime=runtime)
    )
    try:
        asyncio.run(load_lab_image(host))
        yield PrivateEngine(host, data_dir)
    finally:
        asyncio.run(private_host.stop(host))


@pytest.fixture(autouse=True)
def nothing_stays(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails the test if it leaves a container or a network on the suite's engine."""
    if "engine_host" not in request.fixturenames:
        yield
        return
    host: PrivateEngine = request.getfixturevalue("engine_host")
    yield
    host.leave_nothing()
