"""A container on two networks has two interfaces and one default route."""

from dashboard.core.claims.constructors import ONE_NETWORK
from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.model import Claim, Expectation, Judgement, Topic, holds_if
from dashboard.core.claims.observers import ContainerState, observe_container_and_state

LINES = (
    "docker network create one",
    "docker network create two",
    "docker run -d --network {one} --network {two} IMAGE sleep 60",
)


def judge(observed: ContainerState) -> Judgement:
    """Holds if there are two interfaces with addresses and one default route."""
    return judge_routes(observed, 1, "It does not have two interfaces and one default route.")


def judge_podman(observed: ContainerState) -> Judgement:
    """Holds if there are two interfaces with addresses and two default routes."""
    return judge_routes(observed, 2, "It does not have two interfaces and two default routes.")


def judge_routes(observed: ContainerState, expected: int, otherwise: str) -> Judgement:
    """Holds if there are two interfaces with addresses and the expected number of default routes."""
    container, state = observed
    links = [link.name for link in state.interfaces if link.kind != "loopback" and link.addresses]
    defaults = [route.gateway for route in state.routes if route.destination == "default" and route.family == "inet"]
    evidence = (
        f"interfaces with an address: {', '.join(links) or 'none'}",
        f"addresses by network: {len([address for address in container.addresses.values() if address])}",
        f"default routes: {', '.join(str(gateway) for gateway in defaults) or 'none'}",
    )
    return holds_if(len(links) == 2 and len(defaults) == expected, otherwise, *evidence)


CLAIM = Claim(
    id="two-networks-two-interfaces",
    topic=Topic.BRIDGE,
    statement="A container on two bridge networks has an interface and an address for each, and one default route.",
    source="Docker documentation, “Networking overview”: Connecting to multiple networks",
    observe=observe_container_and_state(*LINES),
    judge=judge,
    lines=(*LINES, "docker exec ID ip route"),
    mutation={" --network {two}": ""},
    otherwise=(
        Expectation(
            PODMAN,
            statement="A container on two bridge networks has an interface, an address and a default route for each.",
            judge=judge_podman,
        ),
        ONE_NETWORK,
    ),
)
