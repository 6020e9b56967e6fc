"""A Docker Engine through the Docker SDK for Python: the only file that imports it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import docker
import docker.auth
import docker.errors
import docker.transport
import docker.utils
import requests

from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.experiments.networks import network_body
from dashboard.engine import decoding
from dashboard.engine.api_version import create_body, negotiated_api
from dashboard.engine.connection_errors import describe_timeout, explain, is_silent_registry, is_timeout
from dashboard.engine.daemon_process import detached_namespace, find_daemon
from dashboard.engine.event_stream import EventStream
from dashboard.engine.pid_namespaces import machine_pid
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
from dashboard.engine.transports.ssh import SshAdapter, ssh_command
from dashboard.engine.transports.tls import TlsAdapter
from dashboard.engine.transports.unix import UnixAdapter

Answer = TypeVar("Answer")

DEFAULT_SOCKET = "/var/run/docker.sock"
BODY_LIMIT_BYTES = 32 << 20
THREADS = 16
#: Connections in addition to those of calls: events and pulls.
STREAMS = 4
#: Timeout between two lines of a pull: the Engine sends nothing while it unpacks a large layer.
PULL_SILENCE_S = 120.0
#: Deadline of a request that costs the Engine nothing; without an answer by then it hangs.
PING_DEADLINE_S = 5.0


def default_endpoint() -> str:
    """DOCKER_HOST, otherwise the machine's socket, otherwise that of a rootless engine (Docker's documentation)."""
    given = os.environ.get("DOCKER_HOST")
    if given:
        return given
    rootless = Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")) / "docker.sock"
    if not Path(DEFAULT_SOCKET).exists() and rootless.exists():
        return f"unix://{rootless}"
    return f"unix://{DEFAULT_SOCKET}"


class _Client(docker.APIClient):
    """The SDK's client with bodies limited in size and time, and without redirects.

    requests limits neither: its timeout is per read, so an engine that sends slowly would block a thread forever.
    """

    def __init__(self, endpoint: str, **options: Any) -> None:
        self.endpoint = endpoint
        self._ssh = ssh_command(endpoint) if endpoint.startswith("ssh://") else []
        # The SDK would use paramiko for ssh: it is given a unix socket, whose adapter is replaced.
        super().__init__(base_url="unix:///ssh" if self._ssh else endpoint, **options)

    def _retrieve_server_version(self) -> str:
        """The negotiated API version. The SDK would take the engine's newest, whichever that is, and hide errors."""
        return negotiated_api(self.version(api_version=False), self.endpoint)

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """The request, without the proxies, certificates and .netrc of the environment. This holds for the first
        request too, which the constructor sends."""
        self.trust_env = False
        return super().prepare_request(request)

    def get_adapter(self, url: str) -> requests.adapters.BaseAdapter:
        """The adapters for unix sockets, ssh and TLS that replace the SDK's."""
        adapter = super().get_adapter(url)
        if isinstance(adapter, docker.transport.UnixHTTPAdapter):
            adapter.close()
            adapter = (
                SshAdapter(self._ssh, self.timeout)
                if self._ssh
                else UnixAdapter(adapter.socket_path, self.timeout, THREADS + STREAMS)
            )
            self.mount("http+docker://", adapter)
        elif url.startswith("https://") and not isinstance(adapter, TlsAdapter):
            adapter.close()
            adapter = TlsAdapter(pool_maxsize=THREADS + STREAMS)
            self.mount("https://", adapter)
        return adapter

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        streamed = options.get("stream", False)
        options.update(stream=True, allow_redirects=False, timeout=options.get("timeout") or self.timeout)
        response = super().send(request, **options)
        if streamed:
            return response
        limit = options["timeout"]
        end = time.monotonic() + (limit if isinstance(limit, int | float) else self.timeout)
        body = bytearray()
        for chunk in response.iter_content(1 << 16):
            body += chunk
            if len(body) > BODY_LIMIT_BYTES:
                response.close()
                raise EngineError("The Engine sent an answer of more than 32 MB.")
            if time.monotonic() > end:
                response.close()
                raise TimeoutError
        response._content = bytes(body)  # requests has no public way to limit a body
        return response


class DockerEngine:
    """``protocol.Engine`` for the engine at ``endpoint`` (default: ``default_endpoint()``).

    Nothing is sent before the first call. Every call runs in one of this object's threads and ends within ``timeout_s``
    (plus the grace period of a stop) with a result, EngineError or EngineUnreachable. ``describe_loss`` is the sentence
    for a connection that fails, instead of the advice for an engine that runs as a service.
    """

    def __init__(
        self, endpoint: str | None = None, timeout_s: float = 15.0, describe_loss: Callable[[], str] | None = None
    ) -> None:
        self._describe_loss = describe_loss
        self.endpoint = endpoint or default_endpoint()
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="netmodes-engine")
        self._client: _Client | None = None
        self._lock = Lock()
        self._closed = False
        self._streams: set[EventStream] = set()
        self._pulls: set[StreamedAnswer] = set()
        self._kind = EngineKind.DOCKER

    # -- calls ---------------------------------------------------------------------------------

    def _connected(self) -> _Client:
        """The client, its API version negotiated once per connection to an engine. Blocks."""
        if self._client is not None:
            return self._client
        options: dict[str, Any] = {}
        if self.endpoint.startswith(("tcp://", "https://")):
            options = {k: v for k, v in docker.utils.kwargs_from_env().items() if k == "tls"}
        fresh = _Client(self.endpoint, timeout=self._timeout_s, max_pool_size=THREADS + STREAMS, **options)
        with self._lock:
            if self._client is None and not self._closed:
                self._client = fresh
            current = self._client
        if current is not fresh:  # another call connected first, or the connection was closed
            fresh.close()
        if current is None:
            raise EngineUnreachable("This connection to the Docker Engine is closed.", 503)
        return current

    def _forget(self) -> None:
        """Drop the client after a lost connection: the next engine may have another API version."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _translated(self, error: Exception) -> EngineError:
        """Docker's message, or the reason why there was no answer."""
        if isinstance(error, EngineError):
            return error
        if isinstance(error, docker.errors.APIError):
            status = error.status_code if isinstance(error.status_code, int) else 500
            words = decoding.text(error.explanation).strip()
            # A proxy before the engine answers with a page.
            return EngineError(
                words if words and not words.startswith("<") else decoding.describe_status(status), status
            )
        sentence = explain(error, self.endpoint, self._timeout_s)
        if sentence is not None:
            if not is_timeout(error):
                self._forget()
                if self._describe_loss is not None:
                    sentence = self._describe_loss()
            return EngineUnreachable(sentence, 503)
        if isinstance(error, docker.errors.DockerException):
            return EngineUnreachable(f"The endpoint {self.endpoint} cannot be used: {error}", 503)
        return EngineError(f"What answers at {self.endpoint} does not speak Docker's API ({type(error).__name__}).")

    def _ask(self, ask: Callable[[_Client], Answer]) -> Answer:
        """Make one blocking call and translate its errors."""
        client: _Client | None = None
        try:
            client = self._connected()
            return ask(client)
        except Exception as error:
            raise self._translated(error) from error
        finally:
            # A client dropped during the call has reopened its pool; close it here.
            if client is not None and client is not self._client:
                client.close()

    async def _call(self, ask: Callable[[_Client], Answer], deadline_s: float | None = None) -> Answer:
        """Run ``ask`` in a thread with a deadline. Translates its errors."""
        limit = self._timeout_s if deadline_s is None else deadline_s
        try:
            future = asyncio.get_running_loop().run_in_executor(self._threads, self._ask, ask)
        except RuntimeError as error:
            raise EngineUnreachable("This connection to the Docker Engine is closed.", 503) from error
        try:
            # Slightly longer than the socket's deadline, whose error is more precise.
            return await asyncio.wait_for(future, limit + 0.25)
        except TimeoutError:
            raise EngineUnreachable(describe_timeout(self.endpoint, limit), 503) from None

    async def close(self) -> None:
        """End event streams, drop queued calls and close the connections. Idempotent."""
        self._closed = True
        for stream in list(self._streams):
            stream.stop()
        for pull in list(self._pulls):
            pull.shutdown()
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._forget)  # ending ssh blocks

    # -- the engine ---------------------------------------------------------------------------

    async def info(self) -> EngineInfo:
        """The engine's version, configuration and process."""

        def ask(client: _Client) -> EngineInfo:
            version = client.version()
            self._kind = decoding.engine_kind(version)
            info = decoding.engine_info(
                version,
                client.info(),
                api=client.api_version,
                pid=find_daemon(self.endpoint, self._kind),
                endpoint=self.endpoint,
            )
            if self._kind is EngineKind.PODMAN:
                return replace(info, programs=decoding.podman_programs(_libpod(client, "info")))
            return replace(info, netns=detached_namespace(info.pid)) if info.rootless else info

        return await self._call(ask)

    async def ping(self) -> None:
        """Return if the Engine answers."""
        await self._call(lambda client: client.ping(), deadline_s=PING_DEADLINE_S)

    def events(self) -> AsyncIterator[EngineEvent]:
        """Container and network events; ``stream`` events are ``connected`` and ``lost`` (with a reason)."""
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
        def ask(client: _Client) -> StreamedAnswer:
            response = client.get(
                f"{client.base_url}/v{client.api_version}/events",
                params={"filters": json.dumps({"type": ["container", "network", "daemon"]})},
                headers={"Accept": "application/x-ndjson"},
                stream=True,
                timeout=self._timeout_s,
            )
            if response.status_code >= 400:
                raise decoding.refusal(response.status_code, response.content)
            stream = StreamedAnswer(response, self._translated)
            stream.wait_at_most(None)
            return stream

        return self._ask(ask)

    # -- containers ---------------------------------------------------------------------------

    async def create_container(self, name: str, config: dict[str, Any]) -> Created:
        """Create from the body as it is; the SDK's HostConfig builder refuses host mode with ports."""

        def ask(client: _Client) -> object:
            body = create_body(config, client.api_version)
            return _untyped(client).create_container_from_config(body, name=name)

        answer = decoding.mapping(await self._call(ask))
        identity = decoding.text(answer.get("Id"), 128)
        if not identity:
            raise EngineError("The Engine created a container but returned no id.")
        return Created(identity, decoding.texts(answer.get("Warnings")))

    async def start_container(self, container: str) -> None:
        """Start a container. Raises EngineError with Docker's message if it refuses."""
        await self._call(lambda client: client.start(container))

    async def inspect_container(self, container: str) -> ContainerFacts:
        """The current facts of a container. Raises EngineError with status 404 if it does not exist."""

        def ask(client: _Client) -> ContainerFacts:
            facts = decoding.container_facts(client.inspect_container(container))
            return (
                replace(facts, pid=machine_pid(facts.pid, find_daemon(self.endpoint, self._kind)))
                if facts.pid
                else facts
            )

        return await self._call(ask)

    async def inspect(self, container: str) -> dict[str, Any]:
        """The complete inspect answer as JSON values."""
        return decoding.mapping(await self._call(lambda client: client.inspect_container(container)))

    async def execute(self, container: str, argv: Sequence[str]) -> tuple[int, str]:
        """``docker exec``: exit code and output (stdout and stderr), decoded with replacement."""

        def ask(client: _Client) -> tuple[object, object]:
            started = decoding.text(decoding.mapping(client.exec_create(container, list(argv))).get("Id"), 128)
            output = client.exec_start(started)
            return output, decoding.mapping(client.exec_inspect(started)).get("ExitCode")

        output, code = await self._call(ask)
        text = output.decode("utf-8", "replace") if isinstance(output, bytes) else ""
        return decoding.integer(code, -1), text

    async def statistics(self, container: str) -> dict[str, Any]:
        """One answer of ``GET /containers/ID/stats`` as JSON values."""
        return decoding.mapping(
            await self._call(lambda client: _untyped(client).stats(container, stream=False, one_shot=True))
        )

    async def stop_container(self, container: str, grace_s: int = 1) -> None:
        """Send the image's stop signal, then SIGKILL after ``grace_s``; no error if it does not run."""
        await self._call(lambda client: client.stop(container, timeout=grace_s), deadline_s=self._timeout_s + grace_s)

    async def remove_container(self, container: str) -> None:
        """Kill and remove a container with its volumes; no error if it is gone or being removed."""
        try:
            await self._call(lambda client: client.remove_container(container, v=True, force=True))
        except EngineError as error:
            if error.status != 404 and not (error.status == 409 and "already in progress" in str(error)):
                raise

    async def container_logs(self, container: str, lines: int = 20) -> tuple[str, ...]:
        """The last lines of stdout and stderr, decoded with replacement, each at most 500 characters."""
        data = await self._call(
            lambda client: client.logs(container, stdout=True, stderr=True, stream=False, tail=max(lines, 0))
        )
        return decoding.log_lines(data if isinstance(data, bytes) else b"", lines)

    async def containers(self, labels: dict[str, str]) -> tuple[ContainerFacts, ...]:
        """All containers with these labels, including stopped ones; those removed meanwhile are omitted."""
        found = await self._call(lambda client: client.containers(all=True, filters={"label": _label_filter(labels)}))
        names = [decoding.text(decoding.mapping(one).get("Id"), 128) for one in decoding.sequence(found)]
        facts = await asyncio.gather(*(self._inspected(name) for name in names if name))
        return tuple(one for one in facts if one is not None)

    async def _inspected(self, container: str) -> ContainerFacts | None:
        try:
            return await self.inspect_container(container)
        except EngineError as error:
            if error.status == 404:
                return None
            raise

    # -- networks -----------------------------------------------------------------------------

    async def create_network(self, name: str, driver: str, labels: dict[str, str], options: dict[str, Any]) -> str:
        """Create a network and return its id. ``options``: see ``network_body``. A name that exists is refused with
        status 409."""
        body = network_body(name, driver, labels, options)

        def ask(client: _Client) -> object:
            url = f"{client.base_url}/v{client.api_version}/networks/create"
            response = client.post(url, json=body, timeout=self._timeout_s)
            if response.status_code >= 400:
                raise decoding.refusal(response.status_code, response.content)
            return response.json()

        identity = decoding.text(decoding.mapping(await self._call(ask)).get("Id"), 128)
        if not identity:
            raise EngineError("The Engine created a network but returned no id.")
        return identity

    async def connect_network(self, network: str, container: str) -> None:
        """``docker network connect``. Raises EngineError with Docker's message if it refuses."""
        await self._call(lambda client: client.connect_container_to_network(container, network))

    async def remove_network(self, network: str) -> None:
        """Remove a network; no error if it does not exist."""
        try:
            await self._call(lambda client: client.remove_network(network))
        except EngineError as error:
            if error.status != 404:
                raise

    async def networks(self, labels: dict[str, str]) -> tuple[NetworkFacts, ...]:
        """All networks with these labels."""

        def ask(client: _Client) -> tuple[NetworkFacts, ...]:
            listed = client.networks(filters={"label": _label_filter(labels)})
            found = tuple(decoding.network_facts(one) for one in decoding.sequence(listed))
            if self._kind is not EngineKind.PODMAN:
                return found
            bridges = decoding.podman_bridges(_libpod(client, "networks/json"))
            return tuple(replace(one, bridge=bridges.get(one.id)) for one in found)

        return await self._call(ask)

    # -- images -------------------------------------------------------------------------------

    async def images(self) -> tuple[ImageFacts, ...]:
        """The local images that have a name."""
        found = await self._call(lambda client: client.images())
        names = [
            decoding.text(decoding.mapping(one).get("Id"), 128)
            for one in decoding.sequence(found)
            if decoding.texts(decoding.mapping(one).get("RepoTags"))
        ]
        facts = await asyncio.gather(*(self.image(name) for name in names if name))
        return tuple(one for one in facts if one is not None)

    async def image(self, reference: str) -> ImageFacts | None:
        """A local image, or None if it does not exist."""
        try:
            return decoding.image_facts(await self._call(lambda client: _untyped(client).inspect_image(reference)))
        except EngineError as error:
            if error.status == 404:
                return None
            raise

    async def tag_image(self, image: str, reference: str) -> None:
        """Give a local image another name."""
        repository, tag = _split_reference(reference)
        await self._call(lambda client: client.tag(image, repository, tag))

    async def import_image(self, archive: str, reference: str, changes: tuple[str, ...]) -> str:
        """``docker import FILE``: create an image from the archive of a root file system; returns its id."""
        repository, tag = _split_reference(reference)

        def ask(client: _Client) -> str:
            with Path(archive).open("rb") as file:
                response = client.post(
                    f"{client.base_url}/v{client.api_version}/images/create",
                    params={"fromSrc": "-", "repo": repository, "tag": tag, "changes": list(changes)},
                    data=file,
                    headers={"Content-Type": "application/tar"},
                    timeout=120.0,
                )
            if response.status_code >= 400:
                raise decoding.refusal(response.status_code, response.content)
            identity = ""
            for line in response.content.split(b"\n"):
                step = decoding.progress_step(line)
                # Podman repeats the id.
                identity = step.text.partition(" ")[0] if step is not None else identity
            return identity

        return await self._call(ask, deadline_s=150.0)

    async def pull(self, reference: str, wait_s: float = 8.0) -> AsyncIterator[PullProgress]:
        """Pull an image. Raises EngineUnreachable if no registry answers within ``wait_s``, EngineError if one
        refuses."""
        repository, tag = _split_reference(reference)

        def begin(client: _Client) -> StreamedAnswer:
            registry, _ = docker.auth.resolve_repository_name(repository)
            header = docker.auth.get_config_header(client, registry)
            try:
                response = client.post(
                    f"{client.base_url}/v{client.api_version}/images/create",
                    params={"fromImage": repository, "tag": tag},
                    headers={"X-Registry-Auth": header} if header else {},
                    stream=True,
                    timeout=wait_s,
                )
            except requests.exceptions.ReadTimeout:
                raise EngineUnreachable(f"No registry answered within {wait_s:g} s.", 504) from None
            if response.status_code >= 400:
                raise decoding.refusal(response.status_code, response.content)
            stream = StreamedAnswer(response, self._translated)
            stream.wait_at_most(PULL_SILENCE_S)
            self._pulls.add(stream)
            return stream

        loop = asyncio.get_running_loop()
        stream: StreamedAnswer | None = None
        try:
            stream = await self._call(begin, deadline_s=wait_s + 2)
            lines = stream.lines()
            while (line := await loop.run_in_executor(self._threads, next, lines, None)) is not None:
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
            if stream is not None:
                stream.shutdown()
                self._pulls.discard(stream)


def _libpod(client: _Client, path: str) -> object:
    """An answer of Podman's own API, for what Docker's lacks; None if it refuses."""
    response = client.get(f"{client.base_url}/v4.0.0/libpod/{path}")
    try:
        return json.loads(response.content) if response.status_code == HTTPStatus.OK else None
    except ValueError:
        return None


def _label_filter(labels: dict[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in labels.items()]


def _split_reference(reference: str) -> tuple[str, str]:
    """``host:5000/name:tag`` → repository and tag; the default tag is ``latest``, as with docker."""
    repository, tag = docker.utils.parse_repository_tag(reference)
    return repository, tag or "latest"


def _untyped(client: _Client) -> Any:
    """The client, for methods without types in its stubs."""
    return client
