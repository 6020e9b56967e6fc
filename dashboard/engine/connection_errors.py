"""Why no answer came from the Engine, in a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterator

#: Of requests, urllib3 and http.client, by name: this module needs none of them.
TIMEOUTS = frozenset({"ReadTimeout", "ConnectTimeout", "ReadTimeoutError", "ConnectTimeoutError"})
BROKEN = frozenset({"ConnectionError", "ProtocolError", "ChunkedEncodingError", "RemoteDisconnected", "IncompleteRead"})


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from, and the errors wrapped in its arguments, each once."""
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


def hung(endpoint: str, deadline_s: float) -> str:
    """What to say when the deadline passed."""
    return (
        f"The Docker Engine at {endpoint} did not answer within {deadline_s:g} s: it hangs or is overloaded. "
        "Look at its log (journalctl -u docker) or restart it (sudo systemctl restart docker)."
    )


def is_timeout(error: BaseException) -> bool:
    """Whether a deadline of ours or of the socket passed."""
    return any(isinstance(one, TimeoutError) or type(one).__name__ in TIMEOUTS for one in causes(error))


def explain(error: BaseException, endpoint: str, deadline_s: float) -> str | None:
    """The sentence for a connection that failed; None if the error says nothing about a connection."""
    chain = list(causes(error))
    if any(isinstance(one, PermissionError) for one in chain):
        return (
            f"Permission to use the Docker Engine at {endpoint} is denied. Run `sudo usermod -aG docker $USER` and "
            "sign in again, or start Netmodes with sudo."
        )
    if any(isinstance(one, FileNotFoundError | ConnectionRefusedError | NotADirectoryError) for one in chain):
        return (
            f"No Docker Engine answers at {endpoint}. Start it (sudo systemctl start docker), "
            "or name another one in DOCKER_HOST."
        )
    if is_timeout(error):
        return hung(endpoint, deadline_s)
    if any(isinstance(one, OSError) or type(one).__name__ in BROKEN for one in chain):
        return (
            f"The connection to the Docker Engine at {endpoint} broke: it stopped or was restarted. "
            "Start it again if it does not come back (sudo systemctl start docker)."
        )
    return None


#: What the Engine says when no registry answers (Go's net and net/http packages).
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


def is_silent_registry(words: str) -> bool:
    """Whether the Engine's words mean that no registry answers (and not that it has no such image)."""
    return any(sign in words.lower() for sign in NO_REGISTRY)
