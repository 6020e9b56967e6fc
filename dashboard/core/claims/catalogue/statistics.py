"""Claims about the network statistics of docker stats, in host mode and in a shared namespace."""

from collections.abc import Mapping
from typing import Any

from dashboard.core.claims.extract import describe_list
from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Testbed
from dashboard.core.modes import MACHINE

LINE = "docker run -d --network host IMAGE sleep 60"
OWNER = "docker run -d --name owner IMAGE"
GUEST = "docker run -d --network container:{owner} IMAGE sleep 60"
TRIES = 10

Networks = Mapping[str, Any]


async def observe_networks(testbed: Testbed) -> Networks:
    """Returns the networks in one response of docker stats for a container in host mode."""
    return (await testbed.stats(await testbed.run(LINE))).get("networks") or {}


def judge_none(networks: Networks) -> Judgement:
    """The claim holds if docker stats reports no networks."""
    evidence = f"networks in the statistics: {describe_list(sorted(networks))}"
    return holds_if(not networks, "The container has network statistics.", evidence)


async def observe_both(testbed: Testbed) -> tuple[Networks, Networks]:
    """Returns the network statistics of a container ``owner`` and of a second container in its network namespace. Sends
    a request to ``owner`` first. The statistics may change between the two responses, so both are read up to ``TRIES``
    times until they are equal."""
    owner, guest = await run_lines(testbed, OWNER, GUEST)
    await testbed.wait_listening(owner, 80)
    await testbed.request(MACHINE, owner.address, 80)
    first: Networks = {}
    second: Networks = {}
    for _ in range(TRIES):
        first = (await testbed.stats(owner)).get("networks") or {}
        second = (await testbed.stats(guest)).get("networks") or {}
        if first == second:
            break
    return first, second


def judge_same(networks: tuple[Networks, Networks]) -> Judgement:
    """The claim holds if docker stats reports the same network statistics for the two containers."""
    owner, guest = networks
    evidence = [
        f"{name}: {counters.get('eth0', {}).get('rx_bytes', 'unknown')} bytes received"
        for name, counters in (("owner", owner), ("guest", guest))
    ]
    return holds_if(bool(owner) and owner == guest, "The counters of the two containers differ.", *evidence)


CLAIMS = (
    Claim(
        id="stats-without-networks",
        topic=Topic.LIFECYCLE,
        statement="docker stats has no network figures for a container in host mode.",
        source="Docker Engine API, GET /containers/ID/stats",
        exact="It shows 0 B, which is not a measurement: nothing was counted.",
        observe=observe_networks,
        judge=judge_none,
        lines=(LINE, "docker stats --no-stream ID"),
        mutation={"--network host": "--network bridge"},
    ),
    Claim(
        id="stats-counted-twice",
        topic=Topic.LIFECYCLE,
        statement="Containers that share a network namespace report the same counters: adding them up counts every "
        "byte twice.",
        source="Docker Engine API, GET /containers/ID/stats",
        observe=observe_both,
        judge=judge_same,
        lines=(OWNER, GUEST, "docker stats --no-stream"),
        mutation={"--network container:{owner}": "--network bridge"},
    ),
)
