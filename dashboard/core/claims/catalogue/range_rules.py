"""Each published port has its own rule."""

import re

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Testbed

LINES = ("docker run -d -p 8200-8219:8200-8219 IMAGE sleep 60",)


async def observe(testbed: Testbed) -> tuple[str, ...]:
    """The DNAT rules for the ports of the range."""
    await run_lines(testbed, *LINES)
    return tuple(
        rule for rule in await testbed.nat_rules() if "DNAT" in rule and re.search(r"--dport 82[01]\d\b", rule)
    )


def judge(rules: tuple[str, ...]) -> Judgement:
    """Holds if there are 20 rules."""
    evidence = (f"DNAT rules for 20 ports: {len(rules)}", *(f"rule: {rule}" for rule in rules[:2]))
    return holds_if(len(rules) == 20, "There are not 20 rules.", *evidence)


CLAIM = Claim(
    id="range-rules",
    topic=Topic.PUBLISHING,
    statement="A published range of 20 ports adds 20 DNAT rules: Docker writes no rule for a range.",
    source="Moby, libnetwork/drivers/bridge; iptables-extensions(8), DNAT",
    observe=observe,
    judge=judge,
    lines=(
        *LINES,
        "iptables-save -t nat | grep -c DNAT",
    ),
    needs=frozenset({Need.ALONE}),
    mutation={"docker run -d -p": "docker run -d --network host -p"},
    otherwise=(
        Expectation(
            EngineCondition(iptables=False), not_testable="This Engine runs with iptables=false: it writes no rules."
        ),
        Expectation(PODMAN, not_testable="Podman writes other rules."),
        Expectation(EngineCondition(gateway_mode="routed"), not_testable="A routed network has no such rules."),
    ),
)
