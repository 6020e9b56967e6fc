"""In bridge mode an unprivileged program can bind a low port."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.testbed import Container, Testbed

LINE = "docker run -d --network bridge --user 1000:1000 --cap-drop ALL IMAGE httpd -f -p 81"

Observed = tuple[bool, Container]


async def observe(testbed: Testbed) -> Observed:
    """Whether the program listens, and the container's state."""
    container = await testbed.run(LINE)
    return await testbed.wait_listening(container, 81), await testbed.inspect(container)


def judge(observed: Observed) -> Judgement:
    """Holds if the program listens."""
    listens, container = observed
    evidence = (f"port 81: {'listening' if listens else 'not listening'}", f"the container: {container.summary}")
    return holds_if(listens and container.status == "running", "It could not bind the port.", *evidence)


CLAIM = Claim(
    id="low-port-in-bridge",
    topic=Topic.WHEN,
    statement="In bridge mode a program without root and capabilities can bind port 81: the Engine sets "
    "ip_unprivileged_port_start=0 there.",
    source="Moby, daemon/daemon_unix.go (since 20.10); ip(7)",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network bridge": "--network host"},
    otherwise=(
        Expectation(
            PODMAN,
            not_testable="Podman leaves net.ipv4.ip_unprivileged_port_start as the kernel has it; Docker sets 0.",
        ),
    ),
)
