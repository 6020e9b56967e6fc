"""Calls a Docker Engine through the Docker SDK for Python. This is the only file that imports the SDK."""

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
    """The SDK's client, without redirects and with limits on the size of a body and on the time to read it.

    The library ``requests`` has neither limit: its timeout is per read, so an engine that sends slowly would block a
    thread forever.
    """

    def __init__(self, endpoint: str, **options: Any) -> None:
        self.endpoint = endpoint
        self._ssh = ssh_command(endpoint) if endpoint.startswith("ssh://") else []
        # The SDK would use paramiko for ssh: it is given a unix socket, whose adapter is replaced.
        super().__init__(base_url="unix:///ssh" if self._ssh else endpoint, **options)

    def _retrieve_server_version(self) -> str:
        """Returns the negotiated API version. The SDK's own method would return the engine's newest version without
        checking it, and would hide the errors of ``negotiated_api``."""
        return negotiated_api(self.version(api_version=False), self.endpoint)

    def start_within(self, container: str, timeout_s: float) -> None:
        """Starts a container with the timeout ``timeout_s``; the SDK's ``start`` uses the client's timeout."""
        sdk: Any = self
        answer = sdk._post(sdk._url("/containers/{0}/start", container), timeout=timeout_s)
        sdk._raise_for_status(answer)

    def run_exec(self, identity: str) -> bytes:
        """Starts the existing exec instance with the id ``identity``, and returns its output. The SDK's ``exec_start``
        loses output that arrives together with the headers: it reads from the socket, not from the response's
        buffer."""
        sdk: Any = self
        answer = sdk._post_json(sdk._url("/exec/{0}/start", identity), data={"Tty": False, "Detach": False})
        return b"".join(sdk._multiplexed_buffer_helper(answer))

    def call_api(self, method: str, path: str, **options: Any) -> requests.Response:
        """Sends a request to ``path`` (such as ``images/create``) in the negotiated API version. Needed for calls and
        options that the SDK lacks. Raises EngineError if the Engine refuses."""
        response = self.request(method, f"{self.base_url}/v{self.api_version}/{path}", **options)
        if response.status_code >= 400:
            raise decoding.refusal(response.status_code, response.content, self.endpoint)
        return response

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Prepares the request without the proxies, certificates and .netrc of the environment. ``trust_env`` is set
        before each request, because the base class's constructor already sends one."""
        self.trust_env = False
        return super().prepare_request(request)

    def get_adapter(self, url: str) -> requests.adapters.BaseAdapter:
        """Returns the adapter for ``url``. The adapters of ``transports`` replace the SDK's for unix sockets, ssh and
        TLS."""
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
        """Sends the request and returns the response. Reads the whole body unless ``options`` ask for a stream. Raises
        EngineError if the body is too large, TimeoutError if it does not arrive in time."""
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
    """A connection to the engine at ``endpoint``. It sends nothing before the first call.

    ``timeout_s`` is the default deadline of a call. ``describe_loss`` returns the error message for a lost connection.
    If it is None, the message tells how to start an engine that runs as a service.
    """

    def __init__(self, endpoint: str, timeout_s: float, describe_loss: Callable[[], str] | None) -> None:
        self.endpoint = endpoint
        self.timeout_s = timeout_s
        self._describe_loss = describe_loss
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="netmodes-engine")
        self._client: Client | None = None
        self._lock = Lock()
        self._closed = False

    def _connected(self) -> Client:
        """Returns the client. If this connection has no client yet, creates one, which negotiates the API version.
        Raises EngineUnreachable if this connection is closed. Blocks."""
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
        """Closes the client after a lost connection. The next call creates a new client and negotiates the API version
        again, because another version of the engine may have been started."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def translated(self, error: Exception, deadline_s: float | None = None) -> EngineError:
        """Converts ``error`` to an EngineError. Its message is Docker's if the Engine refused the request; otherwise it
        explains why the engine cannot be used. ``deadline_s`` (default: ``timeout_s``) appears in the message for a
        timeout. If the connection was lost, also calls ``forget``."""
        if isinstance(error, EngineError):
            return error
        if isinstance(error, docker.errors.APIError):
            status = error.status_code if isinstance(error.status_code, int) else 500
            words = decoding.text(error.explanation).strip()
            if status == HTTPStatus.INTERNAL_SERVER_ERROR and words.endswith(REMOVED_MEANWHILE):
                status = HTTPStatus.NOT_FOUND
            # A proxy in front of the engine answers with an HTML page.
            unclear = not words or words.startswith("<")
            return EngineError(decoding.describe_status(status, self.endpoint) if unclear else words, status)
        sentence = explain(error, self.endpoint, self.timeout_s if deadline_s is None else deadline_s)
        if sentence is not None:
            if not is_timeout(error):
                self.forget()
                if self._describe_loss is not None:
                    sentence = self._describe_loss()
            return EngineUnreachable(sentence, 503)
        if isinstance(error, docker.errors.DockerException):
            return EngineUnreachable(f"The endpoint {self.endpoint} cannot be used: {error}", 503)
        return EngineError(
            f"The server at {self.endpoint} is not a Docker Engine: its answer cannot be read "
            f"({type(error).__name__}). Check DOCKER_HOST."
        )

    def ask(self, ask: Callable[[Client], Answer], deadline_s: float | None = None) -> Answer:
        """Calls the function ``ask`` with the client and returns its result. Converts every exception to an EngineError
        (``translated``). Does not enforce ``deadline_s``, which is only for the message about a timeout. Blocks."""
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
        """Calls the function ``ask`` with the client in one of this object's threads and returns its result. Converts
        every exception to an EngineError (``translated``). Raises EngineUnreachable if the call takes longer than
        ``deadline_s`` (default: ``timeout_s``)."""
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
        """Cancels queued calls and closes the connection. Idempotent."""
        self._closed = True
        self.threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self.forget)  # ending ssh blocks


def credentials(client: Client, repository: str) -> dict[str, bytes]:
    """Returns the HTTP header with the user's credentials for the registry of ``repository``, from the docker command's
    configuration. Empty if there are none. Raises EngineError if the command's credential helper is missing or
    fails."""
    registry, _ = docker.auth.resolve_repository_name(repository)
    try:
        header = docker.auth.get_config_header(client, registry)
    except (docker.errors.DockerException, KeyError, ValueError) as error:  # also for an invalid answer of the helper
        reason = str(error.__cause__ or error).rstrip(".")
        raise EngineError(
            f"The credentials for {registry} cannot be read: {reason}. Install or repair the credential helper, or "
            "remove it from the docker command's config.json."
        ) from error
    return {"X-Registry-Auth": header} if header else {}


def split_reference(reference: str) -> tuple[str, str]:
    """Splits an image reference, such as ``host:5000/name:tag``, into repository and tag. The default tag is
    ``latest``, as with docker."""
    repository, tag = docker.utils.parse_repository_tag(reference)
    return repository, tag or "latest"
