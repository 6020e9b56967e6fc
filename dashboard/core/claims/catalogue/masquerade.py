"""The claim that packets that leave a bridge network get the machine's address as their source (masquerading)."""

from dashboard.core.claims.constructors import NO_RULES
from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Testbed
from dashboard.core.paths.nat_rules import read_masquerades

NETWORK = "docker network create lab"
LINE = "docker run -d --network {lab} IMAGE sleep 60"

Observed = tuple[str, tuple[str, ...]]


async def observe(testbed: Testbed) -> Observed:
    """Returns the container's address and the machine's nat rules."""
    (container,) = await run_lines(testbed, NETWORK, LINE)
    return container.address, await testbed.nat_rules()


def _matching(observed: Observed) -> list[str]:
    """Returns the rules that masquerade the container's subnet."""
    address, rules = observed
    subnet = address.rpartition(".")[0]
    return [rule.text for rule in read_masquerades(rules) if subnet and rule.source.rpartition(".")[0] == subnet]


def _evidence(observed: Observed) -> tuple[str, ...]:
    return f"address of the container: {observed[0]}", *(f"rule: {text}" for text in _matching(observed))


def judge(observed: Observed) -> Judgement:
    """The claim holds if a rule masquerades the container's subnet."""
    return holds_if(bool(_matching(observed)), "No rule masquerades the network's subnet.", *_evidence(observed))


def judge_routed(observed: Observed) -> Judgement:
    """The claim holds if no rule masquerades the container's subnet."""
    return holds_if(not _matching(observed), "A rule masquerades its subnet.", *_evidence(observed))


CLAIM = Claim(
    id="masquerade",
    topic=Topic.BRIDGE,
    statement="Packets that leave a bridge network get the machine's address: a masquerade rule covers its subnet.",
    source="Docker documentation, “Packet filtering and firewalls”; iptables-extensions(8), MASQUERADE",
    observe=observe,
    judge=judge,
    lines=(NETWORK, LINE, "iptables-save -t nat"),
    otherwise=(
        NO_RULES,
        Expectation(
            EngineCondition(gateway_mode="routed"),
            statement="Packets that leave a routed bridge network keep the container's address: no masquerade rule "
            "covers its subnet.",
            judge=judge_routed,
            exact="The machine's network needs a route to the subnet, or no response arrives.",
            mutation={"create lab": "create -o com.docker.network.bridge.gateway_mode_ipv4=nat lab"},
        ),
        Expectation(
            PODMAN,
            not_testable="Netavark masquerades in a chain of the network; the claim reads rules that name the subnet "
            "themselves.",
        ),
    ),
    mutation={
        "docker network create lab": "docker network create -o com.docker.network.bridge.enable_ip_masquerade=false lab"
    },
)
