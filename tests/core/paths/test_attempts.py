"""What “Try” found, in one sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.experiments.journal import NO_TRIAL, Attempt, Trial
from dashboard.core.experiments.messages import Column
from dashboard.core.paths.attempts import (
    MAX_ATTEMPTS,
    MAX_BODY,
    MAX_TRIALS,
    describe_attempts,
    group_attempts,
    name_client,
    next_trial,
)
from dashboard.core.paths.model import PathKind
from dashboard.core.paths.multicast import NOT_SENT

COLUMNS = (Column("host", "host", "host"), Column("bridge", "bridge", "bridge"))


def attempt(server: str, kind: PathKind, client: str = "", *, error: str = "", unavailable: str = "") -> Attempt:
    status = None if error or unavailable else 200
    return Attempt(
        str(kind), "", "machine", server, "", "", status, client_seen=client, error=error, unavailable=unavailable
    )


LOOPBACK = attempt("host", PathKind.LOOPBACK, "127.0.0.1:40000")
PROXY = attempt("bridge", PathKind.PUBLISHED_PROXY, "172.17.0.1:40001")
DNAT = attempt("bridge", PathKind.PUBLISHED_DNAT, "192.0.2.2:40002")
ROOTLESS = attempt("bridge", PathKind.PUBLISHED_ROOTLESS, "10.88.0.2:40006")
IPV6 = attempt("bridge", PathKind.PUBLISHED_PROXY, "[fd00::1]:40003")
TO_LAN = replace(attempt("neighbour", PathKind.TO_LAN, "192.0.2.2:40004"), origin="host")
REFUSED = attempt("bridge", PathKind.PUBLISHED_PROXY, error="Connection refused.")
FROM_LAB2 = replace(attempt("bridge", PathKind.FROM_MACHINE_PUBLISHED, error="No answer."), origin="@lab2")
RECEIVED = Attempt("multicast", "", "machine", "host", "udp://224.0.0.251%eth0:25353", "", reason="received")
LOST = replace(RECEIVED, server="bridge", reason="", error="The datagram did not arrive in bridge.")
ON_DOCKER0 = "udp://224.0.0.251%docker0:25353"
DISCARDED = attempt("host", PathKind.PUBLISHED_DNAT, unavailable="the Engine discarded -p")


def test_the_client_of_a_request_has_the_title_of_its_column_or_is_another_machine() -> None:
    columns = (*COLUMNS, Column("machine@2", "machine", "this machine (lab2)"))
    assert name_client("host", columns) == "host"
    assert name_client("machine@2", columns) == "this machine (lab2)"
    assert name_client("@lab2", columns) == "machine lab2"
    assert name_client("gone", columns) == "gone"


def test_attempts_are_grouped_by_the_machine_that_they_reached() -> None:
    there = replace(COLUMNS[0], key="host-lab2", machine="lab2")
    columns = (*(replace(column, machine="server") for column in COLUMNS), there)
    other = replace(LOOPBACK, server="host-lab2")
    assert group_attempts((LOOPBACK, other, PROXY), columns) == (("server", (LOOPBACK, PROXY)), ("lab2", (other,)))
    assert group_attempts((LOOPBACK, PROXY), COLUMNS) == (("", (LOOPBACK, PROXY)),)
    assert group_attempts((), COLUMNS) == ()


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
        (
            (ROOTLESS,),
            "The only path answered; bridge saw the client 10.88.0.2 through Podman's forwarder.",
        ),
        (
            (replace(DNAT, url="http://127.0.0.1:8080/", client_seen="172.17.0.1:40001"), DNAT),
            (
                "Every path answered; bridge saw the client 172.17.0.1 through DNAT over loopback "
                "and 192.0.2.2 through DNAT at the machine's address."
            ),
        ),
        (
            (replace(ROOTLESS, url="http://127.0.0.1:8080/"), ROOTLESS),
            "Every path answered; bridge saw the client 10.88.0.2 through Podman's forwarder.",
        ),
        (
            (TO_LAN, *(replace(TO_LAN, origin=key, client_seen="192.0.2.2:40005") for key in ("bridge", "none"))),
            "Every path answered; the neighbour saw host, bridge and none as 192.0.2.2.",
        ),
        (
            (LOOPBACK, replace(TO_LAN, origin="bridge", client_seen="", error="Network is unreachable.", status=None)),
            "1 of 2 paths answered, not the neighbour from bridge (Network is unreachable).",
        ),
        (
            (LOOPBACK, FROM_LAB2),
            "1 of 2 paths answered, not bridge at its published port, from lab2 (No answer).",
        ),
        (
            (replace(PROXY, url="http://127.0.0.1:8080/"), replace(IPV6, url="http://[2001:db8::2]:8080/")),
            "Every path answered; bridge saw the client 172.17.0.1 through docker-proxy.",
        ),
        ((IPV6, LOOPBACK), "Every path answered; bridge saw the client fd00::1 through docker-proxy."),
        (
            (LOOPBACK, REFUSED, DNAT),
            (
                "2 of 3 paths answered, not bridge through docker-proxy (Connection refused); "
                "bridge saw the client 192.0.2.2 through DNAT."
            ),
        ),
        (
            (
                LOOPBACK,
                RECEIVED,
                LOST,
                replace(RECEIVED, url=ON_DOCKER0, server="bridge"),
                replace(LOST, url=ON_DOCKER0, server="host"),
            ),
            (
                "The only path answered; multicast on eth0 reached host, not bridge; "
                "multicast on docker0 reached bridge, not host."
            ),
        ),
        ((RECEIVED, replace(LOST, error="", unavailable="as expected")), "multicast on eth0 reached host, not bridge."),
        ((NOT_SENT,), ""),
        ((LOST,), "multicast on eth0 reached no container."),
        ((REFUSED,), "No path answered: bridge through docker-proxy (Connection refused)."),
    ],
)
def test_attempts_are_described_by_count_failures_and_the_client_seen(
    attempts: tuple[Attempt, ...], sentence: str
) -> None:
    assert describe_attempts(attempts, COLUMNS) == sentence


def test_a_trial_is_stored_with_what_it_found_and_counted() -> None:
    first = next_trial(NO_TRIAL, (LOOPBACK, replace(PROXY, body_start="x" * 9000)), 5.0)
    assert first is not None
    assert (first.at, first.number, len(first.attempts[1].body_start)) == (5.0, 1, MAX_BODY)
    second = next_trial(first, (LOOPBACK,) * (MAX_ATTEMPTS + 1), 6.0)
    assert second is not None
    assert (second.number, len(second.attempts)) == (2, MAX_ATTEMPTS)
    assert next_trial(first, (), 7.0) is None


def test_a_round_has_a_bounded_number_of_trials_unless_they_find_something_else() -> None:
    full = Trial((LOOPBACK, PROXY), 5.0, MAX_TRIALS)
    again = (replace(LOOPBACK, time_us=9, client_seen="127.0.0.1:50000"), PROXY)
    assert next_trial(full, again, 6.0) is None
    assert next_trial(replace(full, number=MAX_TRIALS - 1), again, 6.0) is not None
    assert next_trial(full, (LOOPBACK, REFUSED), 6.0) is not None
