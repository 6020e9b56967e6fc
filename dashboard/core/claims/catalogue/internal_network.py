"""The claim that an internal network has no default route; before Engine 25.0, only firewall rules isolate it."""

import re

from dashboard.core.claims.engine_facts import EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Topic, differs, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Testbed
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState

NETWORK = "docker network create --internal lab"
LINE = "docker run -d --network {lab} IMAGE sleep 60"


#: The container's network state, its address, and the machine's filter rules.
Observed = tuple[NamespaceState, str, tuple[str, ...]]


async def observe(testbed: Testbed) -> Observed:
    """Returns the network state and the address of a container on an internal network; if the container has a default
    route, also the machine's filter rules."""
    (container,) = await run_lines(testbed, NETWORK, LINE)
    inside = await testbed.state(container)
    rules = (await testbed.execute(MACHINE, "iptables-save -t filter"))[1] if _has_default(inside) else ""
    return inside, container.address, tuple(rules.splitlines())


def _has_default(inside: NamespaceState) -> bool:
    return any(route.destination == "default" for route in inside.routes)


def _evidence(inside: NamespaceState) -> str:
    routes = [
        f"{route.destination} via {route.gateway or route.interface}"
        for route in inside.routes
        if route.family == "inet"
    ]
    return f"routes of the container: {', '.join(routes) or 'none'}"


def judge(observed: Observed) -> Judgement:
    """The claim holds if the container has no default route."""
    inside, _address, _rules = observed
    return holds_if(not _has_default(inside), "The container has a default route.", _evidence(inside))


def judge_before_25(observed: Observed) -> Judgement:
    """The claim holds if the container has a default route, and rules drop packets that leave or enter the network."""
    inside, address, rules = observed
    subnet = re.escape(address.rpartition(".")[0])
    drops = [rule for rule in rules if re.search(rf"! -[sd] {subnet}\.\d+/\d+ .*-j DROP", rule)]
    evidence = (_evidence(inside), *(f"rule: {rule}" for rule in drops))
    if not _has_default(inside):
        return differs("The container has no default route.", *evidence)
    return holds_if(len(drops) >= 2, "No rules isolate the network.", *evidence)


CLAIM = Claim(
    id="internal-network",
    topic=Topic.BRIDGE,
    statement="A container on an --internal network has no default route.",
    source="docker-network-create(1), --internal; Moby, libnetwork/drivers/bridge",
    observe=observe,
    judge=judge,
    lines=(NETWORK, LINE, "docker exec ID ip route"),
    mutation={" --internal": ""},
    otherwise=(
        Expectation(
            EngineCondition(before=(25, 0)),
            statement="A container on an --internal network has a default route, and firewall rules of the machine "
            "drop packets that leave the network.",
            judge=judge_before_25,
        ),
    ),
)
