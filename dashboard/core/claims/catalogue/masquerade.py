"""Packets that leave a bridge network get the machine's address."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Testbed
from dashboard.core.paths.nat_rules import read_masquerades

NETWORK = "docker network create lab"
LINE = "docker run -d --network {lab} IMAGE sleep 60"

Observed = tuple[str, tuple[str, ...]]


async def observe(testbed: Testbed) -> Observed:
    """The container's address, and the nat rules."""
    (container,) = await run_lines(testbed, NETWORK, LINE)
    return container.address, await testbed.nat_rules()


def judge(observed: Observed) -> Judgement:
    """Holds if a rule masquerades the container's subnet."""
    address, rules = observed
    subnet = address.rpartition(".")[0]
    matching = [rule.text for rule in read_masquerades(rules) if subnet and rule.source.rpartition(".")[0] == subnet]
    evidence = (f"address of the container: {address}", *(f"rule: {text}" for text in matching))
    return holds_if(bool(matching), "No rule masquerades its subnet.", *evidence)


CLAIM = Claim(
    id="masquerade",
    topic=Topic.BRIDGE,
    statement="Packets that leave a bridge network get the machine's address: a masquerade rule covers its subnet.",
    source="Docker documentation, “Packet filtering and firewalls”; iptables-extensions(8), MASQUERADE",
    observe=observe,
    judge=judge,
    lines=(NETWORK, LINE, "iptables-save -t nat"),
    mutation={
        "docker network create lab": "docker network create -o com.docker.network.bridge.enable_ip_masquerade=false lab"
    },
)
