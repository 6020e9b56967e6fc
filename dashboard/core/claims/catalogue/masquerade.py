"""Packets that leave a bridge network get the machine's address."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, proves
from dashboard.core.paths.nat_rules import read_masquerades

NETWORK = "docker network create lab"
LINE = "docker run -d --network {lab} IMAGE sleep 60"

Seen = tuple[str, tuple[str, ...]]


async def observe(stage: Stage) -> Seen:
    """A container's address, and the nat rules."""
    await stage.network(NETWORK)
    one = await stage.run(LINE)
    return one.address, await stage.rules()


def judge(seen: Seen) -> Judgement:
    """A masquerade rule for its subnet."""
    address, rules = seen
    front = address.rpartition(".")[0]
    found = [one.text for one in read_masquerades(rules) if front and one.source.rpartition(".")[0] == front]
    evidence = (f"address of the container: {address}", *(f"rule: {text}" for text in found))
    return proves(bool(found), "No rule masquerades its subnet.", *evidence)


CLAIM = Claim(
    id="masquerade",
    topic=Topic.BRIDGE,
    statement="What leaves a bridge network for the outside gets the machine's address: a masquerade rule for its "
    "subnet.",
    source="Docker documentation, “Packet filtering and firewalls”; iptables-extensions(8), MASQUERADE",
    observe=observe,
    judge=judge,
    lines=(NETWORK, LINE, "iptables-save -t nat"),
    counter={
        "docker network create lab": "docker network create -o com.docker.network.bridge.enable_ip_masquerade=false lab"
    },
)
