"""HTTP over ``ssh HOST docker system dial-stdio``, which the docker command also uses for ``DOCKER_HOST=ssh://``.

The SDK's own transport does not report ssh's messages, and needs the package paramiko even if it runs the program ssh.
OpenSSH reads the user's configuration: keys, jump hosts, connection sharing.
"""

import http.client
import os
import re
import shlex
import socket
import subprocess
from typing import Any
from urllib.parse import urlsplit

import urllib3
import urllib3.connection

from dashboard.engine.connection_errors import SshError
from dashboard.engine.protocol import EngineUnreachable
from dashboard.engine.transports.pool_adapter import PoolAdapter

#: sshd refuses more than ten connections that have not authenticated yet (sshd_config(5), MaxStartups).
MAX_CONNECTIONS = 8
CONNECT_TIMEOUT_S = 10
END_TIMEOUT_S = 0.5


def ssh_command(endpoint: str) -> list[str]:
    """Returns the command that connects to ``ssh://[USER@]HOST[:PORT][SOCKET]``. Raises EngineUnreachable if
    ``endpoint`` has another form."""
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        raise _not_a_host(endpoint) from None
    host, user = _host(parts.netloc), parts.username
    if not host or parts.password or parts.query or parts.fragment or host.startswith("-"):
        raise _not_a_host(endpoint)
    command = ["ssh", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_TIMEOUT_S}", "-T"]
    command += ["-l", user] if user else []
    command += ["-p", str(port)] if port else []
    # ssh joins these words with spaces, and the host's shell splits them.
    socket_option = ["--host", shlex.quote(f"unix://{parts.path}")] if parts.path.strip("/") else []
    return [*command, "--", host, "docker", *socket_option, "system", "dial-stdio"]


def _host(netloc: str) -> str:
    """Returns the host as the user wrote it. ``SplitResult.hostname`` is in lower case, but aliases in ssh_config(5)
    are case-sensitive."""
    address = netloc.rpartition("@")[2]
    return address[1:].partition("]")[0] if address.startswith("[") else address.partition(":")[0]


def _not_a_host(endpoint: str) -> EngineUnreachable:
    """Returns the error for an address that ssh cannot use. Its message omits a password in the address."""
    shown = re.sub(r"^(ssh://[^:@/\[]*):.*@", r"\1@", endpoint)
    return EngineUnreachable(f"“{shown}” is not the address of a host: write DOCKER_HOST=ssh://user@host:22.", 503)


class SshConnection(urllib3.connection.HTTPConnection):
    """A connection over an ssh process, whose input and output are a socket."""

    def __init__(self, command: list[str], timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._message = ""

    def connect(self) -> None:
        """Starts ssh. Raises OSError if it cannot be started; if the remote host refuses, ``getresponse`` raises the
        error."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                ours.settimeout(self.timeout if isinstance(self.timeout, int | float) else None)
                self._process = subprocess.Popen(
                    self._command,
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
            except BaseException:
                ours.close()
                raise
        self.sock = ours

    def getresponse(self) -> Any:
        """Returns the response. Raises SshError with ssh's last message if ssh has failed."""
        try:
            return super().getresponse()
        except (ConnectionError, http.client.BadStatusLine) as error:
            self.close()
            raise (SshError(self._message) if self._message else error) from error

    def close(self) -> None:
        """Closes the connection and ends ssh. If ssh has failed, keeps its last message for ``getresponse``."""
        super().close()
        process, self._process = self._process, None
        if process is None or process.stderr is None:
            return
        with process.stderr:
            try:
                code = process.wait(END_TIMEOUT_S)  # without a connection it ends by itself
            except subprocess.TimeoutExpired:
                process.terminate()
                try:
                    code = process.wait(END_TIMEOUT_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    code = process.wait()
            # A shared connection that stays in the background (ControlPersist) keeps the pipe open.
            os.set_blocking(process.stderr.fileno(), False)
            lines = (process.stderr.read() or b"").decode(errors="replace").strip().splitlines()
        self._message = lines[-1].strip().rstrip(".") if lines and code > 0 else ""


class SshPool(urllib3.HTTPConnectionPool):
    """A pool of at most MAX_CONNECTIONS connections to one host. Further requests wait for a free connection."""

    def __init__(self, command: list[str], timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s, maxsize=MAX_CONNECTIONS, block=True)
        self._command = command
        self._timeout_s = timeout_s

    def _new_conn(self) -> SshConnection:
        self.num_connections += 1
        return SshConnection(self._command, self._timeout_s)


class SshAdapter(PoolAdapter):
    """The adapter of ``requests`` for an engine over SSH. ``command`` is the command that connects to the engine
    (``ssh_command``)."""

    def __init__(self, command: list[str], timeout_s: float) -> None:
        super().__init__(SshPool(command, timeout_s))
