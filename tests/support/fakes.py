"""A Docker Engine in memory, for situations that a real engine cannot produce on demand."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.experiments.messages import PublishedPort
from dashboard.engine.protocol import (
    ContainerFacts,
    Created,
    EngineError,
    EngineEvent,
    EngineInfo,
    EngineUnreachable,
    ImageFacts,
    NetworkFacts,
    PullProgress,
)
from tests.support.polling import others_run

NEVER = "0001-01-01T00:00:00Z"
ENDPOINT = "unix:///nowhere/docker.sock"
NO_REGISTRY = 504


def make_info(**more: Any) -> EngineInfo:
    """An ordinary engine on this machine; its daemon is this process."""
    fields: dict[str, Any] = {
        "version": "26.1.5",
        "api": "1.45",
        "name": "fake",
        "kernel": "6.1",
        "system": "Debian GNU/Linux",
        "rootless": False,
        "userns_remap": False,
        "desktop": False,
        "swarm_active": False,
        "cgroup_version": "2",
        "network_plugins": ("bridge", "host", "ipvlan", "macvlan", "null", "overlay"),
        "firewall_backend": "iptables",
        "pid": os.getpid(),
        "endpoint": ENDPOINT,
    }
    return EngineInfo(**(fields | more))


def _carries(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(labels.get(name) == value for name, value in wanted.items())


class FakeEngine:
    """``dashboard.engine.protocol.Engine``. Containers "run" in the namespaces of process ``pid``.

    ``refuse[method]`` is the error that the method raises; ``away`` makes every call fail as if no engine answered;
    ``hold[method]`` makes it wait until the event is set; ``exits`` maps an image to the exit code and
    the log with which its containers end at once; ``calls`` lists the calls. As Podman, it refuses to remove a
    container whose namespace another one shares.
    """

    def __init__(self, *images: str, pid: int | None = None, info: EngineInfo | None = None) -> None:
        self.pid = os.getpid() if pid is None else pid
        self.facts = info or make_info(pid=self.pid)
        self.refuse: dict[str, EngineError] = {}
        self.hold: dict[str, asyncio.Event] = {}
        self.away = ""
        self.exits: dict[str, tuple[int, tuple[str, ...]]] = {}
        self.warnings: tuple[str, ...] = ()
        self.calls: list[str] = []
        self.made: dict[str, ContainerFacts] = {}
        self.nets: dict[str, NetworkFacts] = {
            name: NetworkFacts(f"{name:0<64}", name, driver, {})
            for name, driver in (("bridge", "bridge"), ("host", "host"), ("none", "null"))
        }
        self.local: dict[str, ImageFacts] = {}
        for image in images or ("nginx",):
            self.add_image(image)
        self._numbers = itertools.count(1)
        self._subscribers: set[asyncio.Queue[EngineEvent]] = set()

    # What a test does to it.

    def add_image(self, reference: str) -> None:
        tag = reference if ":" in reference else f"{reference}:latest"
        self.local[tag] = ImageFacts(f"sha256:{tag}", (tag,))

    def emit(self, kind: str, action: str, identity: str = "", **attributes: str) -> None:
        """Sends an event to all event streams."""
        labels = self.made[identity].labels if identity in self.made else {}
        event = EngineEvent(kind, action, identity, dict(labels), {**labels, **attributes})
        for queue in self._subscribers:
            queue.put_nowait(event)

    def lose(self, reason: str) -> None:
        """Closes the event streams and makes calls fail."""
        self.away = reason
        self.emit("stream", "lost", reason=reason)

    def come_back(self) -> None:
        """Makes calls succeed again."""
        self.away = ""
        self.emit("stream", "connected")

    def kill(self, name: str, exit_code: int = 137) -> None:
        """Ends the container's process."""
        facts = self._by_name(name)
        self.made[facts.id] = replace(facts, running=False, status="exited", pid=0, exit_code=exit_code)
        self.emit("container", "die", facts.id)

    # The port.

    async def _enter(self, call: str) -> None:
        self.calls.append(call)
        if call in self.hold:
            await self.hold[call].wait()
        if self.away:
            raise EngineUnreachable(self.away, 503)
        if call in self.refuse:
            raise self.refuse[call]
        await others_run()

    def _by_name(self, container: str) -> ContainerFacts:
        for facts in self.made.values():
            if container in {facts.id, facts.name}:
                return facts
        raise EngineError(f"No such container: {container}", 404)

    async def info(self) -> EngineInfo:
        await self._enter("info")
        return self.facts

    async def ping(self) -> None:
        if "ping" in self.hold:
            await self.hold["ping"].wait()
        if self.away:
            raise EngineUnreachable(self.away, 503)
        if "ping" in self.refuse:
            raise self.refuse["ping"]

    async def create_container(self, name: str, config: dict[str, Any]) -> Created:
        await self._enter("create_container")
        if any(facts.name == name for facts in self.made.values()):
            raise EngineError(f'Conflict. The container name "/{name}" is already in use', 409)
        if await self.image(config["Image"]) is None:
            raise EngineError(f"No such image: {config['Image']}", 404)
        identity = f"{next(self._numbers):064x}"
        asked = tuple(
            PublishedPort(int(port.partition("/")[0]), port.partition("/")[2], one["HostIp"], int(one["HostPort"] or 0))
            for port, bindings in config["HostConfig"]["PortBindings"].items()
            for one in bindings
        )
        self.made[identity] = ContainerFacts(
            id=identity,
            name=name,
            image=config["Image"],
            labels=dict(config["Labels"]),
            status="created",
            running=False,
            pid=0,
            started_at=NEVER,
            exit_code=0,
            error="",
            network_mode=config["HostConfig"]["NetworkMode"],
            resolv_conf_path="/etc/resolv.conf",
            hosts_path="/etc/hosts",
            published=(),
            asked=asked,
            networks={config["HostConfig"]["NetworkMode"]: ""},
        )
        self.emit("container", "create", identity)
        return Created(identity, self.warnings)

    async def start_container(self, container: str, deadline_s: float | None = None) -> None:
        await self._enter("start_container")
        facts = self._by_name(container)
        self.made[facts.id] = replace(facts, running=True, status="running", pid=self.pid, started_at=f"{facts.id}-1")
        self.emit("container", "start", facts.id)
        if facts.image in self.exits:
            self.kill(facts.name, self.exits[facts.image][0])

    async def inspect_container(self, container: str) -> ContainerFacts:
        await self._enter("inspect_container")
        return self._by_name(container)

    async def inspect(self, container: str) -> dict[str, Any]:
        await self._enter("inspect")
        facts = self._by_name(container)
        return {
            "Id": facts.id,
            "Name": f"/{facts.name}",
            "State": {"Status": facts.status, "Running": facts.running, "Pid": facts.pid, "ExitCode": facts.exit_code},
            "Config": {"Image": facts.image, "Labels": facts.labels},
            "HostConfig": {"NetworkMode": facts.network_mode},
            "NetworkSettings": {"Networks": {name: {"IPAddress": text} for name, text in facts.networks.items()}},
            "ResolvConfPath": facts.resolv_conf_path,
            "HostsPath": facts.hosts_path,
        }

    async def execute(self, container: str, argv: Sequence[str]) -> tuple[int, str]:
        await self._enter("execute")
        self._by_name(container)
        return 0, " ".join(argv[1:]) + "\n"

    async def statistics(self, container: str) -> dict[str, Any]:
        await self._enter("statistics")
        self._by_name(container)
        return {"read": NEVER}

    async def stop_container(self, container: str, grace_s: int = 1) -> None:
        await self._enter("stop_container")
        facts = self._by_name(container)
        if facts.running:
            self.kill(facts.name, 0)

    async def remove_container(self, container: str) -> None:
        await self._enter("remove_container")
        try:
            facts = self._by_name(container)
        except EngineError:
            return
        joined = [one.id for one in self.made.values() if one.network_mode == f"container:{facts.id}"]
        if self.facts.kind is EngineKind.PODMAN and joined:
            words = "has dependent containers which must be removed before it"
            raise EngineError(f"container {facts.id} {words}: {', '.join(joined)}: container already exists", 409)
        if facts.running:
            self.made[facts.id] = replace(facts, status="removing")
            self.emit("container", "die", facts.id)
        self.emit("container", "destroy", facts.id)
        del self.made[facts.id]

    async def container_logs(self, container: str, lines: int = 20) -> tuple[str, ...]:
        await self._enter("container_logs")
        facts = self._by_name(container)
        return self.exits.get(facts.image, (0, ()))[1][-lines:]

    async def containers(self, labels: dict[str, str]) -> tuple[ContainerFacts, ...]:
        await self._enter("containers")
        return tuple(one for one in self.made.values() if _carries(one.labels, labels))

    async def create_network(self, name: str, driver: str, labels: dict[str, str], options: dict[str, Any]) -> str:
        await self._enter("create_network")
        if any(one.name == name for one in self.nets.values()):
            raise EngineError(f"network with name {name} already exists", 409)
        identity = f"{next(self._numbers):064x}"
        self.nets[identity] = NetworkFacts(identity, name, driver, dict(labels), options.get("subnet"))
        return identity

    async def connect_network(self, network: str, container: str) -> None:
        await self._enter("connect_network")
        facts = self._by_name(container)
        if facts.network_mode == "host":
            raise EngineError("container sharing network namespace with host cannot be connected", 403)
        self.made[facts.id] = replace(facts, networks={**facts.networks, network: ""})

    async def remove_network(self, network: str) -> None:
        await self._enter("remove_network")
        for key, facts in list(self.nets.items()):
            if network in {facts.id, facts.name}:
                del self.nets[key]

    async def networks(self, labels: dict[str, str]) -> tuple[NetworkFacts, ...]:
        await self._enter("networks")
        return tuple(one for one in self.nets.values() if _carries(one.labels, labels))

    async def images(self) -> tuple[ImageFacts, ...]:
        await self._enter("images")
        return tuple(self.local.values())

    async def image(self, reference: str) -> ImageFacts | None:
        await self._enter("image")
        return self.local.get(reference if ":" in reference else f"{reference}:latest")

    async def tag_image(self, image: str, reference: str) -> None:
        await self._enter("tag_image")
        self.add_image(reference)

    async def pull(self, reference: str) -> AsyncIterator[PullProgress]:
        await self._enter("pull")
        yield PullProgress(f"Pulling {reference}", None)
        raise EngineUnreachable("No registry answers.", NO_REGISTRY)

    async def import_image(self, archive: str, reference: str, changes: tuple[str, ...]) -> str:
        await self._enter("import_image")
        self.add_image(reference)
        return f"sha256:{reference}"

    async def events(self) -> AsyncIterator[EngineEvent]:
        queue: asyncio.Queue[EngineEvent] = asyncio.Queue()
        self._subscribers.add(queue)
        try:
            yield EngineEvent("stream", "connected", "", {})
            while True:
                yield await queue.get()
        finally:
            self._subscribers.discard(queue)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def close(self) -> None:
        self.calls.append("close")
