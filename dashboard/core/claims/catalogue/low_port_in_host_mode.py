"""In host mode an unprivileged program cannot bind a low port."""

from dashboard.core.claims.judges import judge_exit
from dashboard.core.claims.model import Claim, Judgement, Need, Topic
from dashboard.core.claims.observers import ServerOutcome, wait_served_or_exited
from dashboard.core.claims.testbed import Testbed

LINE = "docker run -d --network host --user 1000:1000 --cap-drop ALL IMAGE httpd -f -p 81"


async def observe(testbed: Testbed) -> ServerOutcome:
    """The container once it serves or has exited."""
    return await wait_served_or_exited(testbed, await testbed.run(LINE), 81)


def judge(outcome: ServerOutcome) -> Judgement:
    """Holds if the program exited with the kernel's refusal."""
    return judge_exit(outcome, "denied", "It bound the port.", f"the container: {outcome[0].summary}")


CLAIM = Claim(
    id="low-port-in-host-mode",
    topic=Topic.WHEN,
    statement="In host mode a program without root and capabilities gets “Permission denied” on port 81: the machine's "
    "ports below 1024 are privileged.",
    source="ip(7), ip_unprivileged_port_start",
    exact="An image that runs as another user works in bridge mode and fails in host mode, unless it listens on a "
    "high port. --cap-add NET_BIND_SERVICE does not help: Docker gives it to root only.",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker logs ID"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network host": "--network bridge"},
)
