"""Claims about a container on two networks: its interfaces, the network of its default route, and where its published
port leads."""

from dashboard.core.claims.constructors import NO_RULES, ONE_NETWORK
from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.judges import judge_default_network
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import ContainerState, observe_container_and_state, run_lines
from dashboard.core.claims.prepared import prepared
from dashboard.core.claims.testbed import Container, Testbed

NETWORKS = ("docker network create zulu", "docker network create alpha")
BY_NAME = (*NETWORKS, "docker run -d --network {zulu} --network {alpha} IMAGE sleep 60")
BY_PRIORITY = (*NETWORKS, "docker run -d --network name={zulu},gw-priority=1 --network {alpha} IMAGE sleep 60")
PUBLISHED = (*NETWORKS, "docker run -d --network {zulu} --network {alpha} -p 8188:80 IMAGE sleep 60")
INTERFACES = (
    "docker network create one",
    "docker network create two",
    "docker run -d --network {one} --network {two} IMAGE sleep 60",
)
ROUTES = "docker exec ID ip route"
SEVERAL = "Docker documentation, “Networking overview”: Connecting to multiple networks"

#: A container, and the DNAT rules of its published port.
WithRules = tuple[Container, tuple[str, ...]]


@prepared
def judge_routes(observed: ContainerState, expected: int, otherwise: str) -> Judgement:
    """The claim holds if the container has two interfaces with addresses and the expected number of default routes.
    Otherwise the verdict is ``differs``, with the reason ``otherwise``."""
    container, state = observed
    links = [link.name for link in state.interfaces if link.kind != "loopback" and link.addresses]
    defaults = [route.gateway for route in state.routes if route.destination == "default" and route.family == "inet"]
    evidence = (
        f"interfaces with an address: {', '.join(links) or 'none'}",
        f"addresses by network: {len([address for address in container.addresses.values() if address])}",
        f"default routes: {', '.join(str(gateway) for gateway in defaults) or 'none'}",
    )
    return holds_if(len(links) == 2 and len(defaults) == expected, otherwise, *evidence)


async def observe_rules(testbed: Testbed) -> WithRules:
    """Returns a container on two networks, and the DNAT rules of its published port."""
    container = (await run_lines(testbed, *PUBLISHED))[-1]
    return container, tuple(rule for rule in await testbed.nat_rules() if "8188" in rule and "DNAT" in rule)


def judge_rules(observed: WithRules) -> Judgement:
    """The claim holds if a DNAT rule names the container's address on the network alpha."""
    container, rules = observed
    addresses = {name.rpartition("-")[2]: address for name, address in container.addresses.items()}
    evidence = (
        *(f"address on the network {name}: {address}" for name, address in addresses.items()),
        *(f"rule: {rule}" for rule in rules),
    )
    wanted = addresses.get("alpha", "")
    proved = bool(wanted) and any(f"{wanted}:80" in rule for rule in rules)
    return holds_if(proved, "No rule leads to that address.", *evidence)


CLAIMS = (
    Claim(
        id="two-networks-two-interfaces",
        topic=Topic.BRIDGE,
        statement="A container on two bridge networks has an interface and an address for each, and one default route.",
        source=SEVERAL,
        observe=observe_container_and_state(*INTERFACES),
        judge=judge_routes(1, "The container does not have two interfaces and one default route."),
        lines=(*INTERFACES, ROUTES),
        mutation={" --network {two}": ""},
        otherwise=(
            Expectation(
                PODMAN,
                statement="A container on two bridge networks has an interface, an address and a default route for "
                "each.",
                judge=judge_routes(2, "The container does not have two interfaces and two default routes."),
            ),
            ONE_NETWORK,
        ),
    ),
    Claim(
        id="two-networks-gateway",
        topic=Topic.BRIDGE,
        statement="For a container on two networks, the network with the alphabetically first name provides the "
        "default route, in whichever order they are listed.",
        source=f"{SEVERAL}; Moby, libnetwork/sandbox.go",
        exact="Since Engine 28.0 gw-priority decides, and the name only if priorities are equal.",
        observe=observe_container_and_state(*BY_NAME),
        judge=judge_default_network("alpha"),
        lines=(*BY_NAME, ROUTES),
        mutation={" --network {alpha}": ""},
        otherwise=(ONE_NETWORK, Expectation(PODMAN, not_testable="Podman sets a default route for each network.")),
    ),
    Claim(
        id="gateway-priority",
        topic=Topic.BRIDGE,
        statement="With gw-priority the network with the highest priority provides the default route, whatever its "
        "name.",
        source=SEVERAL,
        observe=observe_container_and_state(*BY_PRIORITY),
        judge=judge_default_network("zulu"),
        lines=(*BY_PRIORITY, ROUTES),
        mutation={"gw-priority=1": "gw-priority=0"},
        otherwise=(
            Expectation(EngineCondition(before=(28, 0)), not_testable="gw-priority exists since Engine 28.0."),
            Expectation(PODMAN, not_testable="Podman does not have gw-priority."),
        ),
    ),
    Claim(
        id="two-networks-published",
        topic=Topic.PUBLISHING,
        statement="A port published from a container on two networks leads to its address on the network that "
        "provides the default route.",
        source=f"{SEVERAL}; Moby, libnetwork/drivers/bridge",
        observe=observe_rules,
        judge=judge_rules,
        lines=(*PUBLISHED, "iptables-save -t nat"),
        needs=frozenset({Need.PRIVATE}),
        mutation={" --network {alpha}": ""},
        otherwise=(
            ONE_NETWORK,
            NO_RULES,
            Expectation(PODMAN, not_testable="Podman writes other rules."),
            Expectation(EngineCondition(gateway_mode="routed"), not_testable="A routed network has no such rule."),
        ),
    ),
)
