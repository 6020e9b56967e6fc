"""A published port leads to the network of the default route."""

from dashboard.core.claims.constructors import NO_RULES, ONE_NETWORK
from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Container, Testbed

LINES = (
    "docker network create zulu",
    "docker network create alpha",
    "docker run -d --network {zulu} --network {alpha} -p 8188:80 IMAGE sleep 60",
)

Observed = tuple[Container, tuple[str, ...]]


async def observe(testbed: Testbed) -> Observed:
    """The container, and the nat rules of its published port."""
    container = (await run_lines(testbed, *LINES))[-1]
    return container, tuple(rule for rule in await testbed.nat_rules() if "8188" in rule and "DNAT" in rule)


def judge(observed: Observed) -> Judgement:
    """Holds if the rule names the address on the network alpha."""
    container, rules = observed
    addresses = {name.rpartition("-")[2]: address for name, address in container.addresses.items()}
    evidence = (
        *(f"address on the network {name}: {address}" for name, address in addresses.items()),
        *(f"rule: {rule}" for rule in rules),
    )
    wanted = addresses.get("alpha", "")
    proved = bool(wanted) and any(f"{wanted}:80" in rule for rule in rules)
    return holds_if(proved, "No rule leads to that address.", *evidence)


CLAIM = Claim(
    id="two-networks-published",
    topic=Topic.PUBLISHING,
    statement="A port published from a container on two networks leads to its address on the network that "
    "provides the default route.",
    source="Docker documentation, “Networking overview”: Connecting to multiple networks; Moby, "
    "libnetwork/drivers/bridge",
    observe=observe,
    judge=judge,
    lines=(*LINES, "iptables-save -t nat"),
    needs=frozenset({Need.PRIVATE}),
    mutation={" --network {alpha}": ""},
    otherwise=(
        ONE_NETWORK,
        NO_RULES,
        Expectation(PODMAN, not_testable="Podman writes other rules."),
        Expectation(EngineCondition(gateway_mode="routed"), not_testable="A routed network has no such rule."),
    ),
)
