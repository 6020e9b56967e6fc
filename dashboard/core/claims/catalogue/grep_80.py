"""grep :80 finds port 8080 as well."""

from __future__ import annotations

from dashboard.core.claims.extract import holders, say_holders
from dashboard.core.claims.model import Claim, Judgement, Need, Stage, Topic, not_testable, proves
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d -p 8080:80 IMAGE sleep 60"

Seen = tuple[str, NamespaceState]


async def observe(stage: Stage) -> Seen:
    """The workshop's line, and the sockets."""
    await stage.run(LINE)
    _, output = await stage.inside(MACHINE, "netstat -tln")
    return output, await stage.state(MACHINE)


def judge(seen: Seen) -> Judgement:
    """Lines that match, and nobody on port 80."""
    output, machine = seen
    matched = [" ".join(line.split()) for line in output.splitlines() if ":80" in line]
    exact = holders(machine, 80)
    evidence = (*(f"netstat -tln | grep :80 → {line}" for line in matched), f"port 80 exactly: {say_holders(exact)}")
    if exact:
        return not_testable("Somebody listens on port 80 here.", *evidence)
    return proves(bool(matched), "grep finds nothing.", *evidence)


CLAIM = Claim(
    id="grep-80",
    topic=Topic.PUBLISHING,
    statement="netstat -tulpn | grep :80 also finds port 8080, where nobody listens on port 80.",
    source="grep(1); ss(8)",
    exact="The exact question is ss -Hltnp 'sport = :80'. Seeing other users' processes needs root.",
    observe=observe,
    judge=judge,
    lines=(LINE, "netstat -tln | grep :80", "ss -Hltnp 'sport = :80'"),
    needs=frozenset({Need.PORT_80}),
    counter={"-p 8080:80": "-p 9090:80"},
)
