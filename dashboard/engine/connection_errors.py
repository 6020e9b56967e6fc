"""Explains failed connections to an engine in sentences that say what to do."""

import os
import re
import socket
import ssl
from collections.abc import Iterator

#: Exceptions of requests, urllib3 and http.client, by name, so that this module does not import them.
TIMEOUTS = frozenset({"ReadTimeout", "ConnectTimeout", "ReadTimeoutError", "ConnectTimeoutError"})
BROKEN = frozenset({"ConnectionError", "ProtocolError", "ChunkedEncodingError", "RemoteDisconnected", "IncompleteRead"})
#: The name of urllib3's exception for a certificate of another host.
WRONG_NAME = "CertificateError"
#: The sockets of engines that are services of systemd, of the machine or of a user.
_SERVICE = re.compile(r"(?:/var)?/run/(?:user/(?P<user>[0-9]+)/)?(?:docker|(?P<podman>podman/podman))\.sock")


class SshError(OSError):
    """The program ssh failed; ``str()`` is the last line that it printed."""


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yields the error and, recursively, the exceptions that led to it: those in the attributes ``__cause__``,
    ``__context__``, ``args`` and ``reason``. Each is yielded once, at most 50 in total."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting and len(seen) < 50:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__]
        waiting += [inner for inner in one.args if isinstance(inner, BaseException)]
        reason = getattr(one, "reason", None)
        waiting.append(reason if isinstance(reason, BaseException) else None)


def _service(endpoint: str) -> re.Match[str] | None:
    """Returns the match of ``_SERVICE`` if the engine at ``endpoint`` is a service. Links are followed: the package
    podman-docker makes /run/docker.sock a link to the socket of Podman."""
    path = endpoint.removeprefix("unix://")
    return _SERVICE.fullmatch(os.path.realpath(path)) if path.startswith("/") else None


def _command(endpoint: str, program: str, verb: str) -> str:
    """Returns a blank and, in brackets, the command line for the service of the engine at ``endpoint``; empty if that
    engine is not known to be a service. Podman's service is started by its socket."""
    service = _service(endpoint)
    if service is None:
        return ""
    unit = "docker" if service["podman"] is None else "podman.socket" if verb == "start" else "podman"
    if service["user"] is not None:
        return f" (as user {service['user']}: {program} --user {verb} {unit})"
    return f" ({'sudo ' if program == 'systemctl' else ''}{program} {verb} {unit})"


def name_log(endpoint: str) -> str:
    """Returns the words that name the log of the engine at ``endpoint``, with the command that shows it if known."""
    return f"its log{_command(endpoint, 'journalctl', '-u')}"


def describe_timeout(endpoint: str, deadline_s: float) -> str:
    """Returns the sentence for a call that the engine at ``endpoint`` did not answer within ``deadline_s``."""
    return (
        f"The Docker Engine at {endpoint} did not answer within {deadline_s:g} s: it hangs or is overloaded. "
        f"Read {name_log(endpoint)} or restart it{_command(endpoint, 'systemctl', 'restart')}."
    )


def is_timeout(error: BaseException) -> bool:
    """Returns whether the error means that the deadline of a call or the timeout of a socket has passed."""
    return any(isinstance(cause, TimeoutError) or type(cause).__name__ in TIMEOUTS for cause in causes(error))


def explain(error: BaseException, endpoint: str, deadline_s: float) -> str | None:
    """Returns the sentence that explains a failed connection to the engine at ``endpoint``. ``deadline_s`` is the
    deadline of the call, which the sentence for a timeout contains. Returns None if the error is not a connection
    error."""
    chain = list(causes(error))
    if endpoint.partition("://")[0] in {"ssh", "tcp", "http", "https"}:
        return _explain_remote(chain, error, endpoint, deadline_s)
    if any(isinstance(one, PermissionError) for one in chain):
        service = _service(endpoint)
        remedy = "Start Netmodes with sudo"
        if service is not None and service["user"] is not None:
            remedy = f"Start Netmodes as user {service['user']} or with sudo"
        elif service is not None and service["podman"] is None:
            remedy = "Run `sudo usermod -aG docker $USER` and sign in again, or start Netmodes with sudo"
        return f"Permission to use the Docker Engine at {endpoint} is denied. {remedy}."
    if any(isinstance(one, FileNotFoundError | ConnectionRefusedError | NotADirectoryError) for one in chain):
        return (
            f"No Docker Engine answers at {endpoint}. Start it{_command(endpoint, 'systemctl', 'start')}, "
            "or name another one in DOCKER_HOST."
        )
    if is_timeout(error):
        return describe_timeout(endpoint, deadline_s)
    if any(isinstance(one, OSError) or type(one).__name__ in BROKEN for one in chain):
        return (
            f"The connection to the Docker Engine at {endpoint} broke: it stopped or was restarted. "
            f"Start it again if it does not come back{_command(endpoint, 'systemctl', 'start')}."
        )
    return None


def _explain_remote(chain: list[BaseException], error: BaseException, endpoint: str, deadline_s: float) -> str | None:
    """Returns the sentence that explains a failed connection over SSH or TCP. ``chain`` is the result of
    ``causes(error)``. For the other arguments, see ``explain``. Returns None if the error is not a connection error."""
    for one in chain:
        if isinstance(one, SshError):
            return (
                f"SSH cannot reach the Docker Engine at {endpoint}: {one}. Run `ssh` to that host by hand to see why."
            )
        if isinstance(one, FileNotFoundError) and endpoint.startswith("ssh://"):
            return (
                f"Cannot connect to the Docker Engine at {endpoint}: the program ssh is missing. "
                "Install it: apt-get install openssh-client."
            )
        wrong_name = type(one).__name__ == WRONG_NAME
        if wrong_name or isinstance(one, ssl.SSLError):
            reason = getattr(one, "verify_message", "") or getattr(one, "reason", "")
            reason = reason or (str(one) if wrong_name else "no TLS")
            return (
                f"The TLS connection to the Docker Engine at {endpoint} failed: {reason}. "
                "Compare ca.pem, cert.pem and key.pem in DOCKER_CERT_PATH with those of the engine."
            )
        if isinstance(one, socket.gaierror):
            return f"The host name of the Docker Engine at {endpoint} is unknown. Correct DOCKER_HOST."
        if isinstance(one, ConnectionRefusedError):
            return (
                f"No Docker Engine answers at {endpoint}. Start it on that machine, or name another one in DOCKER_HOST."
            )
    if is_timeout(error):
        return (
            f"The Docker Engine at {endpoint} did not answer within {deadline_s:g} s: it hangs, or the network drops "
            "the connection."
        )
    if any(isinstance(one, OSError) or type(one).__name__ in BROKEN for one in chain):
        tls = "" if endpoint.startswith("ssh") else " If it expects TLS, set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH."
        return (
            f"The connection to the Docker Engine at {endpoint} was lost: the engine or the network failed. "
            f"If it does not come back, start the engine on that machine.{tls}"
        )
    return None


#: The Engine's messages when no registry answers (from Go's net and net/http packages).
NO_REGISTRY = (
    "dial tcp",
    "dial udp",
    "no such host",
    "i/o timeout",
    "connection refused",
    "network is unreachable",
    "no route to host",
    "server misbehaving",
    "handshake timeout",
    "deadline exceeded",
    "request canceled while waiting",
    "proxyconnect",
)


def is_silent_registry(message: str) -> bool:
    """Returns whether ``message``, with which the Engine refused a pull, means that no registry answers. Returns False
    if a registry answered that the image does not exist."""
    return any(sign in message.lower() for sign in NO_REGISTRY)
