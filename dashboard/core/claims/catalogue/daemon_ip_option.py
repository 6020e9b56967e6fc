"""dockerd --ip decides where the default bridge publishes."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, answers, judge_exchanges, observe_exchanges_on
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR
from dashboard.core.modes import MACHINE

DAEMON = "dockerd --ip=127.0.0.1"
LINES = ("docker run -d --name web -p 8161:80 IMAGE",)

CLAIM = Claim(
    id="daemon-ip-option",
    topic=Topic.PUBLISHING,
    statement="With dockerd --ip=127.0.0.1 a bare -p on the default bridge publishes on the machine's loopback only.",
    source="dockerd(8), --ip",
    observe=observe_exchanges_on(DAEMON, LINES, Ask(MACHINE, "127.0.0.1", 8161), Ask(NEIGHBOUR, "{machine}", 8161)),
    judge=judge_exchanges(answers(), NO_CONNECTION),
    lines=(DAEMON, *LINES, "curl http://127.0.0.1:8161/", "curl http://{machine}:8161/  # on another machine"),
    needs=frozenset({Need.OWN_HOST}),
    mutation={"--ip=127.0.0.1": "--ip=0.0.0.0"},
    otherwise=(Expectation(PODMAN, not_testable="Podman has no dockerd with this option."),),
)
