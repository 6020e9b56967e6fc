"""The claim that the default bridge has no IPv6 unless it is enabled."""

from dashboard.core.claims.engine_facts import EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import observe_state
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d --network bridge IMAGE sleep 60"


def _addresses(inside: NamespaceState) -> list[str]:
    return [
        f"{link.name} {address.address}"
        for link in inside.interfaces
        for address in link.addresses
        if address.family == "inet6" and address.scope == "global"
    ]


def _evidence(inside: NamespaceState) -> str:
    return f"global IPv6 addresses in the container: {', '.join(_addresses(inside)) or 'none'}"


def judge(inside: NamespaceState) -> Judgement:
    """The claim holds if no interface of the container has a global IPv6 address."""
    return holds_if(not _addresses(inside), "The container has a global IPv6 address.", _evidence(inside))


def judge_with_ipv6(inside: NamespaceState) -> Judgement:
    """The claim holds if an interface of the container has a global IPv6 address."""
    return holds_if(bool(_addresses(inside)), "The container has no global IPv6 address.", _evidence(inside))


CLAIM = Claim(
    id="bridge-without-ipv6",
    topic=Topic.BRIDGE,
    statement="On the default bridge a container has no global IPv6 address unless the Engine is configured for it; in "
    "host mode it has all of the machine's.",
    source="Docker documentation, “Use IPv6 networking”",
    observe=observe_state(LINE),
    judge=judge,
    lines=(LINE,),
    needs=frozenset({Need.PRIVATE, Need.IPV6}),
    mutation={"--network bridge": "--network host"},
    otherwise=(
        Expectation(
            EngineCondition(bridge_ipv6=True),
            statement="On the default bridge a container has a global IPv6 address of its own.",
            judge=judge_with_ipv6,
            exact="The Engine was configured for it (ipv6 in daemon.json): otherwise the default bridge is IPv4 only.",
            mutation={"--network bridge": "--network none"},
        ),
    ),
)
