"""The claim that the Engine sets the policy of the chain FORWARD to DROP."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.testbed import Testbed
from dashboard.core.modes import MACHINE

LINES = ("dockerd --ip-forward=true",)


async def observe(testbed: Testbed) -> str:
    """Starts an engine with the option in ``LINES``; returns the policy of the chain FORWARD as iptables-save prints
    it, empty if it prints none."""
    engine = await testbed.start_engine(LINES[0])
    _code, rules = await engine.execute(MACHINE, "iptables-save -t filter")
    return next((rule for rule in rules.splitlines() if rule.startswith(":FORWARD")), "")


def judge(policy: str) -> Judgement:
    """The claim holds if the policy is DROP."""
    return holds_if(" DROP " in policy, "The policy of FORWARD is not DROP.", f"policy: {policy or 'none'}")


CLAIM = Claim(
    id="forward-policy-drop",
    topic=Topic.BRIDGE,
    statement="If the Engine enables IP forwarding when it starts, it also sets the policy of FORWARD to DROP: the "
    "machine no longer routes for other machines.",
    source="Docker documentation, “Packet filtering and firewalls”: Docker on a router",
    exact="A machine that already forwarded before the Engine started keeps its policy.",
    observe=observe,
    judge=judge,
    lines=(*LINES, "iptables-save -t filter"),
    needs=frozenset({Need.OWN_HOST}),
    mutation={"--ip-forward=true": "--ip-forward=false"},
    otherwise=(
        Expectation(PODMAN, not_testable="Podman has no dockerd with this option."),
        Expectation(
            EngineCondition(iptables=False), not_testable="This Engine runs with iptables=false: it sets no policy."
        ),
    ),
)
