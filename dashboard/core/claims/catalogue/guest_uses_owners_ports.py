"""A published port of the owner serves the guest's program."""

from dashboard.core.claims.engine_facts import SLIRP4NETNS, SLIRP4NETNS_LOOPBACK
from dashboard.core.claims.exchanges import Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.modes import MACHINE

LINES = (
    "docker run -d --name owner -p 8157:8158 IMAGE sleep 60",
    "docker run -d --name guest --network container:{owner} -e NETMODES_PORT=8158 IMAGE",
)

CLAIM = Claim(
    id="guest-uses-owners-ports",
    topic=Topic.BRIDGE,
    statement="With --network container: the ports that the owner publishes also serve the guest's programs.",
    source="docker-run(1), --network container:",
    exact="-p on the guest is refused: publish its ports on the owner.",
    observe=observe_exchanges(LINES, Ask(MACHINE, "{machine}", 8157)),
    judge=judge_exchanges(answers()),
    lines=(*LINES, "curl http://{machine}:8157/"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network container:{owner}": "--network bridge"},
    otherwise=(Expectation(SLIRP4NETNS, not_testable=SLIRP4NETNS_LOOPBACK),),
)
