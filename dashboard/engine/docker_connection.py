"""Calls to a Docker Engine through the Docker SDK for Python: the only file that imports it."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from threading import Lock
from typing import Any, TypeVar

import docker
import docker.auth
import docker.errors
import docker.transport
import docker.utils
import requests

from dashboard.engine import decoding
from dashboard.engine.api_version import negotiated_api
from dashboard.engine.connection_errors import describe_timeout, explain, is_timeout
from dashboard.engine.protocol import EngineError, EngineUnreachable
from dashboard.engine.transports.ssh import SshAdapter, ssh_command
from dashboard.engine.transports.tls import TlsAdapter
from dashboard.engine.transports.unix import UnixAdapter

Answer = TypeVar("Answer")

BODY_LIMIT_BYTES = 32 << 20
#: The end of Podman's answer with status 500 about a container that it has just removed.
REMOVED_MEANWHILE = "no such container"
THREADS = 16
#: Connections in addition to those of calls: events and pulls.
STREAMS = 4


class Client(docker.APIClient):
    """The SDK's client with bodies limited in size and time, and without redirects.

    The library ``requests`` limits neither: its timeout is per read, so an engine that sends slowly would block a
    thread forever.
    """

    def __init__(self, endpoint: str, **options: Any) -> None:
        self.endpoint = endpoint
        self._ssh = ssh_command(endpoint) if endpoint.startswith("ssh://") else []
        # The SDK would use paramiko for ssh: it is given a unix socket, whose adapter is replaced.
        super().__init__(base_url="unix:///ssh" if self._ssh else endpoint, **options)

    def _retrieve_server_version(self) -> str:
        """The negotiated API version. The SDK would take the engine's newest without checking it, and hide errors."""
        return negotiated_api(self.version(api_version=False), self.endpoint)

    def start_within(self, container: str, timeout_s: float) -> None:
        """``start`` with its own timeout; the SDK's method uses the client's."""
        sdk: Any = self
        answer = sdk._post(sdk._url("/containers/{0}/start", container), timeout=timeout_s)
        sdk._raise_for_status(answer)

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """The request, without the proxies, certificates and .netrc of the environment. This also applies to the first
        request, which the constructor sends."""
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
        """The response; its body is read here unless it is streamed. EngineError if the body is too large."""
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


class DockerConnection:
    """The connection to the engine at ``endpoint``. Nothing is sent before the first call. Every call runs in one of
    this object's threads and ends within ``timeout_s`` with a result, EngineError or EngineUnreachable.
    ``describe_loss`` is the sentence for a connection that fails, instead of the advice for an engine that runs as a
    service."""

    def __init__(self, endpoint: str, timeout_s: float, describe_loss: Callable[[], str] | None) -> None:
        self.endpoint = endpoint
        self.timeout_s = timeout_s
        self._describe_loss = describe_loss
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="netmodes-engine")
        self._client: Client | None = None
        self._lock = Lock()
        self._closed = False

    def _connected(self) -> Client:
        """The client, its API version negotiated once per connection to an engine. Blocks."""
        if self._client is not None:
            return self._client
        options: dict[str, Any] = {}
        if self.endpoint.startswith(("tcp://", "https://")):
            options = {k: v for k, v in docker.utils.kwargs_from_env().items() if k == "tls"}
        fresh = Client(self.endpoint, timeout=self.timeout_s, max_pool_size=THREADS + STREAMS, **options)
        with self._lock:
            if self._client is None and not self._closed:
                self._client = fresh
            current = self._client
        if current is not fresh:  # another call connected first, or the connection was closed
            fresh.close()
        if current is None:
            raise EngineUnreachable("This connection to the Docker Engine is closed.", 503)
        return current

    def forget(self) -> None:
        """Drop the client after a lost connection: the next engine may have another API version."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def translated(self, error: Exception, deadline_s: float | None = None) -> EngineError:
        """Docker's message, or the reason why there was no answer within ``deadline_s``, by default ``timeout_s``."""
        if isinstance(error, EngineError):
            return error
        if isinstance(error, docker.errors.APIError):
            status = error.status_code if isinstance(error.status_code, int) else 500
            words = decoding.text(error.explanation).strip()
            if status == HTTPStatus.INTERNAL_SERVER_ERROR and words.endswith(REMOVED_MEANWHILE):
                status = HTTPStatus.NOT_FOUND
            # A proxy in front of the engine answers with an HTML page.
            return EngineError(
                words if words and not words.startswith("<") else decoding.describe_status(status), status
            )
        sentence = explain(error, self.endpoint, self.timeout_s if deadline_s is None else deadline_s)
        if sentence is not None:
            if not is_timeout(error):
                self.forget()
                if self._describe_loss is not None:
                    sentence = self._describe_loss()
            return EngineUnreachable(sentence, 503)
        if isinstance(error, docker.errors.DockerException):
            return EngineUnreachable(f"The endpoint {self.endpoint} cannot be used: {error}", 503)
        return EngineError(f"What answers at {self.endpoint} does not speak Docker's API ({type(error).__name__}).")

    def ask(self, ask: Callable[[Client], Answer], deadline_s: float | None = None) -> Answer:
        """Make one blocking call and translate its errors."""
        client: Client | None = None
        try:
            client = self._connected()
            return ask(client)
        except Exception as error:
            raise self.translated(error, deadline_s) from error
        finally:
            # A client dropped during the call has reopened its pool; close it here.
            if client is not None and client is not self._client:
                client.close()

    async def call(self, ask: Callable[[Client], Answer], deadline_s: float | None = None) -> Answer:
        """Run ``ask`` in a thread with a deadline. Translates its errors."""
        limit = self.timeout_s if deadline_s is None else deadline_s
        try:
            future = asyncio.get_running_loop().run_in_executor(self.threads, self.ask, ask, deadline_s)
        except RuntimeError as error:
            raise EngineUnreachable("This connection to the Docker Engine is closed.", 503) from error
        try:
            # Slightly longer than the socket's deadline, whose error is more precise.
            return await asyncio.wait_for(future, limit + 0.25)
        except TimeoutError:
            raise EngineUnreachable(describe_timeout(self.endpoint, limit), 503) from None

    async def close(self) -> None:
        """Drop queued calls and close the connections. Idempotent."""
        self._closed = True
        self.threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self.forget)  # ending ssh blocks


def credentials(client: Client, repository: str) -> dict[str, bytes]:
    """The header with the user's credentials for the repository's registry, from the docker command's configuration;
    empty without any."""
    registry, _ = docker.auth.resolve_repository_name(repository)
    header = docker.auth.get_config_header(client, registry)
    return {"X-Registry-Auth": header} if header else {}


def split_reference(reference: str) -> tuple[str, str]:
    """``host:5000/name:tag`` → repository and tag; the default tag is ``latest``, as with docker."""
    repository, tag = docker.utils.parse_repository_tag(reference)
    return repository, tag or "latest"
