"""grep :80 finds port 8080 as well."""

from dashboard.core.claims.extract import describe_listeners, listeners_on
from dashboard.core.claims.model import Claim, Judgement, Need, Topic, holds_if, not_testable
from dashboard.core.claims.testbed import Testbed
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d -p 8080:80 IMAGE sleep 60"

Observed = tuple[str, NamespaceState]


async def observe(testbed: Testbed) -> Observed:
    """The output of netstat, and the machine's sockets."""
    await testbed.run(LINE)
    _, output = await testbed.execute(MACHINE, "netstat -tln")
    return output, await testbed.state(MACHINE)


def judge(observed: Observed) -> Judgement:
    """Holds if a line matches although port 80 is free."""
    output, machine = observed
    matched = [" ".join(line.split()) for line in output.splitlines() if ":80" in line]
    listeners = listeners_on(machine, 80)
    evidence = (
        *(f"netstat -tln | grep :80 → {line}" for line in matched),
        f"port 80 exactly: {describe_listeners(listeners)}",
    )
    if listeners:
        return not_testable("A process listens on port 80 here.", *evidence)
    return holds_if(bool(matched), "grep finds nothing.", *evidence)


CLAIM = Claim(
    id="grep-80",
    topic=Topic.PUBLISHING,
    statement="netstat -tulpn | grep :80 also matches port 8080, even if nothing listens on port 80.",
    source="grep(1); ss(8)",
    exact="The exact query is ss -Hltnp 'sport = :80'. Seeing other users' processes needs root.",
    observe=observe,
    judge=judge,
    lines=(LINE, "netstat -tln | grep :80", "ss -Hltnp 'sport = :80'"),
    needs=frozenset({Need.PORT_80}),
    mutation={"-p 8080:80": "-p 9090:80"},
)
