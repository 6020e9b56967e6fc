"""Implements ``protocol.Engine`` with requests to the API of a Docker Engine."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import requests

from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.experiments.networks import network_body
from dashboard.engine import decoding
from dashboard.engine.api_version import create_body
from dashboard.engine.connection_errors import is_silent_registry
from dashboard.engine.daemon_process import detached_namespace, find_daemon
from dashboard.engine.docker_connection import Client, DockerConnection, credentials, split_reference
from dashboard.engine.event_stream import EventStream
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.engine.pid_namespaces import is_inside_host, machine_pid
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
from dashboard.engine.streamed_answer import StreamedAnswer

DEFAULT_SOCKET = "/var/run/docker.sock"
#: Timeout between two lines of a pull: the Engine sends nothing while it unpacks a large layer.
PULL_SILENCE_S = 120.0
#: Deadline of a request that costs the Engine nothing; without an answer by then it hangs.
PING_DEADLINE_S = 5.0


def default_endpoint() -> str:
    """Returns DOCKER_HOST if it is set; otherwise the address of the machine's socket. If only the socket of a rootless
    engine exists, returns the address of that socket."""
    given = os.environ.get("DOCKER_HOST")
    if given:
        return given
    rootless = Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")) / "docker.sock"
    if not Path(DEFAULT_SOCKET).exists() and rootless.exists():
        return f"unix://{rootless}"
    return f"unix://{DEFAULT_SOCKET}"


class DockerEngine:
    """Implements ``protocol.Engine`` for the engine at ``endpoint`` (default: ``default_endpoint()``).

    Nothing is sent before the first call. Every call runs in one of this object's threads and ends with a result,
    EngineError or EngineUnreachable. ``timeout_s`` is the deadline of a call. ``ping``, ``start_container``,
    ``import_image`` and ``pull`` have deadlines of their own, and ``stop_container`` adds its grace period. For
    ``describe_loss``, see ``DockerConnection``.

    ``host`` is the private host of the engine. If it has a user namespace, its root can replace the process behind the
    socket and all answers: only a process of the host is then accepted as the daemon, and the engine is not rootless.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        timeout_s: float = 15.0,
        describe_loss: Callable[[], str] | None = None,
        host: PrivateHost | None = None,
    ) -> None:
        self.endpoint = endpoint or default_endpoint()
        self._connection = DockerConnection(self.endpoint, timeout_s, describe_loss)
        self._streams: set[EventStream] = set()
        self._pulls: set[StreamedAnswer] = set()
        self._kind = EngineKind.DOCKER
        self._guarded = host.name if host is not None and host.owner else ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends event streams and pulls, cancels queued calls and closes the connections. Idempotent."""
        for stream in list(self._streams):
            stream.stop()
        for pull in list(self._pulls):
            pull.shutdown()
        await self._connection.close()

    # -- the engine ---------------------------------------------------------------------------

    async def info(self) -> EngineInfo:
        """Returns the engine's version, configuration and process."""

        def ask(client: Client) -> EngineInfo:
            version = client.version()
            self._kind = decoding.engine_kind(version)
            info = decoding.engine_info(
                version,
                client.info(),
                api=client.api_version,
                pid=self._find_daemon(),
                endpoint=self.endpoint,
            )
            if self._kind is EngineKind.PODMAN:
                return replace(info, programs=decoding.podman_programs(_libpod(client, "info")))
            if self._guarded:  # RootlessKit would be sought among the parents of the daemon, outside the host
                return replace(info, rootless=False)
            return replace(info, netns=detached_namespace(info.pid)) if info.rootless else info

        return await self._connection.call(ask)

    def _find_daemon(self) -> int | None:
        """Returns the pid of the daemon on this machine; None if it is unknown."""
        pid = find_daemon(self.endpoint, self._kind)
        is_foreign = pid is not None and self._guarded and not is_inside_host(pid, self._guarded)
        return None if is_foreign else pid

    async def ping(self) -> None:
        """Returns if the engine answers within PING_DEADLINE_S; otherwise raises EngineError."""
        await self._connection.call(lambda client: client.ping(), deadline_s=PING_DEADLINE_S)

    def events(self) -> AsyncIterator[EngineEvent]:
        """Yields the events of containers, networks and the daemon. An event of the kind ``stream`` reports that the
        connection was made or lost (``EngineEvent``)."""
        return self._events()

    async def _events(self) -> AsyncIterator[EngineEvent]:
        stream = EventStream(self._subscribe)
        self._streams.add(stream)
        iterator = stream.events()
        try:
            async for event in iterator:
                yield event
        finally:
            stream.stop()
            self._streams.discard(stream)

    def _subscribe(self) -> StreamedAnswer:
        def ask(client: Client) -> StreamedAnswer:
            response = client.call_api(
                "GET",
                "events",
                params={"filters": json.dumps({"type": ["container", "network", "daemon"]})},
                headers={"Accept": "application/x-ndjson"},
                stream=True,
                timeout=self._connection.timeout_s,
            )
            stream = StreamedAnswer(response, self._connection.translated)
            stream.wait_at_most(None)
            return stream

        return self._connection.ask(ask)

    # -- containers ---------------------------------------------------------------------------

    async def create_container(self, name: str, config: dict[str, Any]) -> Created:
        """Creates a container from the body of ``POST /containers/create``. The SDK's HostConfig builder is not used:
        it refuses host mode with ports."""

        def ask(client: Client) -> object:
            body = create_body(config, client.api_version)
            return _untyped(client).create_container_from_config(body, name=name)

        answer = decoding.mapping(await self._connection.call(ask))
        identity = decoding.text(answer.get("Id"), 128)
        if not identity:
            raise EngineError("The Engine created a container but returned no id.")
        return Created(identity, decoding.texts(answer.get("Warnings")))

    async def start_container(self, container: str, deadline_s: float | None = None) -> None:
        """Starts a container within ``deadline_s`` (default: ``timeout_s``). Raises EngineError with Docker's message
        if the Engine refuses."""
        limit = self._connection.timeout_s if deadline_s is None else deadline_s
        await self._connection.call(lambda client: client.start_within(container, limit), deadline_s=limit)

    async def inspect_container(self, container: str) -> ContainerFacts:
        """Returns the current facts of a container. Their ``pid`` is the pid on this machine, not in the engine's pid
        namespace; 0 if the engine's daemon is unknown. Raises EngineError with status 404 if the container does not
        exist."""

        def ask(client: Client) -> ContainerFacts:
            facts = decoding.container_facts(client.inspect_container(container))
            if not facts.pid:
                return facts
            return replace(facts, pid=machine_pid(facts.pid, self._find_daemon()))

        return await self._connection.call(ask)

    async def inspect(self, container: str) -> dict[str, Any]:
        """Returns the complete answer of ``docker inspect`` as JSON values."""
        return decoding.mapping(await self._connection.call(lambda client: client.inspect_container(container)))

    async def execute(self, container: str, argv: Sequence[str]) -> tuple[int, str]:
        """Runs a command with ``docker exec``. Returns the exit code (-1 if unknown), and stdout and stderr as one text
        in which invalid UTF-8 is replaced."""

        def ask(client: Client) -> tuple[bytes, object]:
            created = decoding.text(decoding.mapping(client.exec_create(container, list(argv))).get("Id"), 128)
            output = client.run_exec(created)
            return output, decoding.mapping(client.exec_inspect(created)).get("ExitCode")

        output, code = await self._connection.call(ask)
        return decoding.integer(code, -1), output.decode("utf-8", "replace")

    async def statistics(self, container: str) -> dict[str, Any]:
        """Returns one answer of ``GET /containers/ID/stats`` as JSON values."""
        return decoding.mapping(
            await self._connection.call(lambda client: _untyped(client).stats(container, stream=False, one_shot=True))
        )

    async def stop_container(self, container: str, grace_s: int = 1) -> None:
        """Sends the image's stop signal, then SIGKILL after ``grace_s``. No error if the container does not run."""
        await self._connection.call(
            lambda client: client.stop(container, timeout=grace_s), deadline_s=self._connection.timeout_s + grace_s
        )

    async def remove_container(self, container: str) -> None:
        """Kills and removes a container with its anonymous volumes. No error if it does not exist or is being
        removed."""
        if self._kind is EngineKind.PODMAN:
            # Podman's removal would send the stop signal first and wait ten seconds.
            with suppress(EngineError):
                await self._connection.call(lambda client: client.kill(container))
        try:
            await self._connection.call(lambda client: client.remove_container(container, v=True, force=True))
        except EngineError as error:
            if error.status != 404 and not (error.status == 409 and "already in progress" in str(error)):
                raise

    async def container_logs(self, container: str, lines: int = 20) -> tuple[str, ...]:
        """Returns the last ``lines`` lines of stdout and stderr, each cut at 500 characters. Invalid UTF-8 is
        replaced."""
        data = await self._connection.call(
            lambda client: client.logs(container, stdout=True, stderr=True, stream=False, tail=max(lines, 0))
        )
        return decoding.log_lines(data if isinstance(data, bytes) else b"", lines)

    async def containers(self, labels: dict[str, str]) -> tuple[ContainerFacts, ...]:
        """Returns all containers with these labels, including stopped ones. Containers that are removed meanwhile are
        omitted."""
        found = await self._connection.call(
            lambda client: client.containers(all=True, filters={"label": _label_filter(labels)})
        )
        facts = await asyncio.gather(*(self._inspected(name) for name in _identities(found, "container")))
        return tuple(one for one in facts if one is not None)

    async def _inspected(self, container: str) -> ContainerFacts | None:
        try:
            return replace(await self.inspect_container(container), id=container)
        except EngineError as error:
            if error.status == 404:
                return None
            raise

    # -- networks -----------------------------------------------------------------------------

    async def create_network(self, name: str, driver: str, labels: dict[str, str], options: dict[str, Any]) -> str:
        """Creates a network and returns its id. For ``options``, see ``network_body``. Raises EngineError with status
        409 if a network of this name exists."""
        body = network_body(name, driver, labels, options)
        limit = self._connection.timeout_s
        answer = await self._connection.call(
            lambda client: client.call_api("POST", "networks/create", json=body, timeout=limit).json()
        )
        identity = decoding.text(decoding.mapping(answer).get("Id"), 128)
        if not identity:
            raise EngineError("The Engine created a network but returned no id.")
        return identity

    async def connect_network(self, network: str, container: str) -> None:
        """Connects a container to a network (``docker network connect``). Raises EngineError with Docker's message if
        the Engine refuses."""
        await self._connection.call(lambda client: client.connect_container_to_network(container, network))

    async def remove_network(self, network: str) -> None:
        """Removes a network. No error if it does not exist."""
        try:
            await self._connection.call(lambda client: client.remove_network(network))
        except EngineError as error:
            if error.status != 404:
                raise

    async def networks(self, labels: dict[str, str]) -> tuple[NetworkFacts, ...]:
        """Returns all networks with these labels."""

        def ask(client: Client) -> tuple[NetworkFacts, ...]:
            listed = client.networks(filters={"label": _label_filter(labels)})
            _identities(listed, "network")
            found = tuple(decoding.network_facts(one) for one in decoding.sequence(listed))
            if self._kind is not EngineKind.PODMAN:
                return found
            bridges = decoding.podman_bridges(_libpod(client, "networks/json"))
            return tuple(replace(one, bridge=bridges.get(one.id)) for one in found)

        return await self._connection.call(ask)

    # -- images -------------------------------------------------------------------------------

    async def images(self) -> tuple[ImageFacts, ...]:
        """Returns the local images that have a name."""
        found = await self._connection.call(lambda client: client.images())
        names = [
            decoding.text(decoding.mapping(one).get("Id"), 128)
            for one in decoding.sequence(found)
            if decoding.texts(decoding.mapping(one).get("RepoTags"))
        ]
        facts = await asyncio.gather(*(self.image(name) for name in names if name))
        return tuple(one for one in facts if one is not None)

    async def image(self, reference: str) -> ImageFacts | None:
        """Returns a local image; None if it does not exist."""
        try:
            return decoding.image_facts(
                await self._connection.call(lambda client: _untyped(client).inspect_image(reference))
            )
        except EngineError as error:
            if error.status == 404:
                return None
            raise

    async def tag_image(self, image: str, reference: str) -> None:
        """Gives the local image ``image`` the additional name ``reference``."""
        repository, tag = split_reference(reference)
        await self._connection.call(lambda client: client.tag(image, repository, tag))

    async def import_image(self, archive: str, reference: str, changes: tuple[str, ...]) -> str:
        """Creates an image named ``reference`` from the archive of a root file system (``docker import``); returns the
        image's id. ``changes`` are Dockerfile instructions, such as CMD."""
        repository, tag = split_reference(reference)

        def ask(client: Client) -> str:
            with Path(archive).open("rb") as file:
                response = client.call_api(
                    "POST",
                    "images/create",
                    params={"fromSrc": "-", "repo": repository, "tag": tag, "changes": list(changes)},
                    data=file,
                    headers={"Content-Type": "application/tar"},
                    timeout=120.0,
                )
            identity = ""
            for line in response.content.split(b"\n"):
                step = decoding.progress_step(line)
                # Podman repeats the id.
                identity = step.text.partition(" ")[0] if step is not None else identity
            return identity

        return await self._connection.call(ask, deadline_s=150.0)

    async def pull(self, reference: str, wait_s: float = 8.0) -> AsyncIterator[PullProgress]:
        """Pulls an image and yields its progress. Raises EngineUnreachable if no registry answers within ``wait_s``,
        EngineError if the registry refuses."""
        repository, tag = split_reference(reference)
        stream: StreamedAnswer | None = None
        over = False

        def end() -> None:
            if stream is not None:
                stream.shutdown()
                self._pulls.discard(stream)

        def begin(client: Client) -> StreamedAnswer:
            nonlocal stream
            try:
                response = client.call_api(
                    "POST",
                    "images/create",
                    params={"fromImage": repository, "tag": tag},
                    headers=credentials(client, repository),
                    stream=True,
                    timeout=wait_s,
                )
            except requests.exceptions.ReadTimeout:
                raise EngineUnreachable(f"No registry answered within {wait_s:g} s.", 504) from None
            stream = StreamedAnswer(response, self._connection.translated)
            stream.wait_at_most(PULL_SILENCE_S)
            self._pulls.add(stream)
            if over:  # the pull was stopped or timed out while the registry was awaited
                end()
            return stream

        loop = asyncio.get_running_loop()
        try:
            lines = (await self._connection.call(begin, deadline_s=wait_s + 2)).lines()
            while (line := await loop.run_in_executor(self._connection.threads, next, lines, None)) is not None:
                step = decoding.progress_step(line)
                if step is not None:
                    yield step
        except EngineUnreachable:
            raise
        except EngineError as error:
            if is_silent_registry(str(error)):
                raise EngineUnreachable(f"No registry answers: {error}", 504) from error
            raise
        finally:
            over = True
            end()


def _identities(answer: object, kind: str) -> list[str]:
    """Returns the ids in ``answer``, the engine's list of containers or networks. ``kind`` (``container`` or
    ``network``) appears in error messages.

    Raises EngineError if ``answer`` is not a list, or if an object in it has no id. Such an object is not skipped,
    because callers would conclude that it was removed.
    """
    if not isinstance(answer, list | None):
        raise EngineError(f"The Engine did not answer with a list of {kind}s.")
    found = [decoding.text(decoding.mapping(one).get("Id"), 128) for one in decoding.sequence(answer)]
    if not all(found):
        raise EngineError(f"The Engine listed a {kind} without an id.")
    return found


def _libpod(client: Client, path: str) -> object:
    """Returns the answer of Podman's own API to a GET request below ``/libpod/``, for facts that Docker's API lacks.
    None if Podman refuses."""
    response = client.get(f"{client.base_url}/v4.0.0/libpod/{path}")
    try:
        return json.loads(response.content) if response.status_code == HTTPStatus.OK else None
    except ValueError:
        return None


def _label_filter(labels: dict[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in labels.items()]


def _untyped(client: Client) -> Any:
    """Returns the client as ``Any``, for methods that the type stubs of the SDK lack."""
    return client
