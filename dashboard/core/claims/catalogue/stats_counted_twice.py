"""Containers that share a namespace report the same counters."""

from collections.abc import Mapping
from typing import Any

from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Testbed
from dashboard.core.modes import MACHINE

FIRST = "docker run -d --name owner IMAGE"
LINE = "docker run -d --network container:{owner} IMAGE sleep 60"
TRIES = 10

Networks = tuple[Mapping[str, Any], Mapping[str, Any]]


async def observe(testbed: Testbed) -> Networks:
    """The counters of both after some traffic; read again if they changed in between."""
    owner, guest = await run_lines(testbed, FIRST, LINE)
    await testbed.wait_listening(owner, 80)
    await testbed.request(MACHINE, owner.address, 80)
    first: Mapping[str, Any] = {}
    second: Mapping[str, Any] = {}
    for _ in range(TRIES):
        first = (await testbed.stats(owner)).get("networks") or {}
        second = (await testbed.stats(guest)).get("networks") or {}
        if first == second:
            break
    return first, second


def judge(networks: Networks) -> Judgement:
    """Holds if both count the same bytes."""
    owner, guest = networks
    evidence = [
        f"{name}: {counters.get('eth0', {}).get('rx_bytes', 'unknown')} bytes received"
        for name, counters in (("owner", owner), ("guest", guest))
    ]
    return holds_if(bool(owner) and owner == guest, "Their counters differ.", *evidence)


CLAIM = Claim(
    id="stats-counted-twice",
    topic=Topic.LIFECYCLE,
    statement="Containers that share a network namespace report the same counters: adding them up counts every byte "
    "twice.",
    source="Docker Engine API, GET /containers/ID/stats",
    observe=observe,
    judge=judge,
    lines=(FIRST, LINE, "docker stats --no-stream"),
    mutation={"--network container:{owner}": "--network bridge"},
)
