"""A Podman service in namespaces of its own, as the engine behind Docker's API."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.images import ensure_image
from dashboard.engine.lab_image import LAB_REFERENCE
from dashboard.engine.protocol import EngineError
from tests.support.polling import eventually
from tests.support.private_engine import CACHE, build_lab_image

SCRIPT = Path(__file__).with_suffix(".sh")
NOT_INSTALLED = "no podman here: apt-get install --no-install-recommends podman netavark aardvark-dns nftables conmon"


class PodmanService:
    """A running service, on a machine that has eth0 with 192.0.2.2 and no other listener."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        self.pid = process.pid
        self.endpoint = f"unix://{folder}/podman.sock"

    def left(self) -> list[str]:
        """Containers, and networks other than the default one."""
        containers = self.podman("ps", "--all", "--format", "{{.Names}}").split()
        networks = self.podman("network", "ls", "--format", "{{.Name}}").split()
        return [*containers, *(name for name in networks if name != "podman")]

    def on_machine(self, *command: str) -> str:
        """stdout of a command in the namespaces of the service."""
        network = ["nsenter", f"--net={self.folder}/netns", "--", *command]
        enter = ["nsenter", "-t", str(self.pid), "--mount", "--uts", "--", *network]
        return subprocess.run(enter, capture_output=True, text=True, timeout=30, check=True).stdout

    def podman(self, *arguments: str) -> str:
        """stdout of the podman command against the service."""
        return self.on_machine("podman", "--url", self.endpoint, *arguments)

    def inspect(self, container: str) -> dict[str, Any]:
        """Podman's own description of a container, not that of Docker's API."""
        return dict(json.loads(self.podman("inspect", container))[0])


async def _ready(endpoint: str) -> None:
    engine = DockerEngine(endpoint, timeout_s=60)
    try:

        async def answers() -> bool:
            try:
                await engine.ping()
            except EngineError:
                return False
            return True

        await eventually(answers)
        for image in (LAB_REFERENCE, "nginx"):
            await ensure_image(engine, image, CACHE, lambda _text, _fraction: None, private=True)
    finally:
        await engine.close()


@contextmanager
def podman_service() -> Iterator[PodmanService]:
    """A service with the lab image, which is also tagged ``nginx``; everything is removed at the end."""
    if shutil.which("podman") is None:
        pytest.skip(NOT_INSTALLED)
    build_lab_image()
    # Podman's conmon puts sockets below this folder, and the path of a socket is short.
    folder = Path(tempfile.mkdtemp(prefix="nm-podman-"))
    runtime = "runc" if shutil.which("runc") else "crun"
    unshare = ["unshare", "--net", "--mount", "--uts", "sh", str(SCRIPT), str(folder), runtime]
    command = ["setpriv", "--pdeathsig", "KILL", *unshare]
    with (folder / "service.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    service = PodmanService(folder, process)
    try:
        asyncio.run(_ready(service.endpoint))
        yield service
    finally:
        if process.poll() is None:
            service.podman("rm", "--all", "--force", "--time", "0")
            process.terminate()
        process.wait(30)
        shutil.rmtree(folder)
