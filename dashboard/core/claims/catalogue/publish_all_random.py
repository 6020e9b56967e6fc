"""-P publishes on ports that the Engine chooses."""

from dashboard.core.claims.extract import describe_ports
from dashboard.core.claims.model import Claim, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Container, Testbed
from dashboard.core.modes import MACHINE

LINES = ("docker run -d -P IMAGE sleep 60",)

Observed = tuple[Container, str]


async def observe(testbed: Testbed) -> Observed:
    """The container, and the range of automatic ports."""
    (container,) = await run_lines(testbed, *LINES)
    _code, text = await testbed.execute(MACHINE, "cat /proc/sys/net/ipv4/ip_local_port_range")
    return container, text


def judge(observed: Observed) -> Judgement:
    """Holds if the port is in the range."""
    container, text = observed
    ports = container.setting("NetworkSettings", "Ports") or {}
    first, last = (int(word) for word in text.split())
    chosen = [int(binding["HostPort"]) for binding in ports.get("80/tcp") or ()]
    evidence = (f"NetworkSettings.Ports: {describe_ports(ports)}", f"ip_local_port_range: {first} to {last}")
    return holds_if(
        bool(chosen) and all(first <= port <= last for port in chosen), "The port is outside the range.", *evidence
    )


CLAIM = Claim(
    id="publish-all-random",
    topic=Topic.PUBLISHING,
    statement="-P publishes each exposed port on a port of the machine that the Engine chooses from the kernel's "
    "range of automatic ports.",
    source="docker-run(1), --publish-all; ip(7), ip_local_port_range",
    observe=observe,
    judge=judge,
    lines=(*LINES, "docker port ID"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"docker run -d -P": "docker run -d -p 8189:80"},
)
