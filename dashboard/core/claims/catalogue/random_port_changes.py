"""A port that the Engine chose changes when the container restarts."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Testbed

LINES = ("docker run -d -P IMAGE sleep 60",)

Observed = tuple[str, str]


async def observe(testbed: Testbed) -> Observed:
    """The port of the machine before and after a restart; empty without one."""
    (container,) = await run_lines(testbed, *LINES)
    again = await testbed.restart(container)
    before, after = (one.setting("NetworkSettings", "Ports") or {} for one in (container, again))
    return tuple((ports.get("80/tcp") or [{}])[0].get("HostPort", "") for ports in (before, after))


def judge(observed: Observed) -> Judgement:
    """Holds if both ports exist and differ."""
    before, after = observed
    evidence = (f"port before: {before or 'none'}", f"port after: {after or 'none'}")
    return holds_if(bool(before and after) and before != after, "It is the same.", *evidence)


CLAIM = Claim(
    id="random-port-changes",
    topic=Topic.LIFECYCLE,
    statement="A port that the Engine chose for -P changes when the container restarts.",
    source="docker-run(1), --publish-all; Moby, libnetwork/portallocator",
    observe=observe,
    judge=judge,
    lines=(*LINES, "docker port ID", "docker restart ID", "docker port ID"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"docker run -d -P": "docker run -d -p 8191:80"},
    otherwise=(Expectation(PODMAN, not_testable="Podman keeps the port that it chose."),),
)
