"""What “Try” found, in one sentence."""

from __future__ import annotations

import pytest

from dashboard.core.experiments.messages import Column
from dashboard.core.paths.attempts import describe_attempts
from dashboard.core.paths.model import PathKind
from dashboard.core.paths.requests import Attempt

COLUMNS = (Column("host", "host", "host"), Column("bridge", "bridge", "bridge"))


def attempt(server: str, kind: PathKind, client: str = "", *, error: str = "", unavailable: str = "") -> Attempt:
    status = None if error or unavailable else 200
    return Attempt(
        str(kind), "", "machine", server, "", "", status, client_seen=client, error=error, unavailable=unavailable
    )


LOOPBACK = attempt("host", PathKind.LOOPBACK, "127.0.0.1:40000")
PROXY = attempt("bridge", PathKind.PUBLISHED_PROXY, "172.17.0.1:40001")
DNAT = attempt("bridge", PathKind.PUBLISHED_DNAT, "192.0.2.2:40002")
IPV6 = attempt("bridge", PathKind.PUBLISHED_PROXY, "[fd00::1]:40003")
REFUSED = attempt("bridge", PathKind.PUBLISHED_PROXY, error="Connection refused.")
DISCARDED = attempt("host", PathKind.PUBLISHED_DNAT, unavailable="the Engine discarded -p")


@pytest.mark.parametrize(
    ("attempts", "sentence"),
    [
        ((), ""),
        ((DISCARDED,), ""),
        ((LOOPBACK,), "The only path answered."),
        ((LOOPBACK, PROXY), "Every path answered; bridge saw the client 172.17.0.1 through docker-proxy."),
        (
            (LOOPBACK, PROXY, DNAT, IPV6, DISCARDED),
            "Every path answered; bridge saw the client 172.17.0.1 through docker-proxy and 192.0.2.2 through DNAT.",
        ),
        ((IPV6, LOOPBACK), "Every path answered; bridge saw the client fd00::1 through docker-proxy."),
        (
            (LOOPBACK, REFUSED, DNAT),
            (
                "2 of 3 paths answered, not bridge through docker-proxy (Connection refused); "
                "bridge saw the client 192.0.2.2 through DNAT."
            ),
        ),
        ((REFUSED,), "No path answered: bridge through docker-proxy (Connection refused)."),
    ],
)
def test_attempts_are_described_by_count_failures_and_the_client_seen(
    attempts: tuple[Attempt, ...], sentence: str
) -> None:
    assert describe_attempts(attempts, COLUMNS) == sentence
