"""-p has no effect on a macvlan network."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = (
    "docker network create -d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0 lab",
    "docker run -d --name web --network {lab} --ip 192.0.2.55 -p 8172:80 IMAGE",
)

CLAIM = Claim(
    id="macvlan-ignores-p",
    topic=Topic.PUBLISHING,
    statement="On a macvlan network -p publishes nothing: the container answers at its own address and port.",
    source="Docker documentation, “Macvlan network driver”",
    observe=observe_exchanges(LINES, Ask(NEIGHBOUR, "{machine}", 8172), Ask(NEIGHBOUR, "192.0.2.55", 80)),
    judge=judge_exchanges(NO_CONNECTION, answers()),
    lines=(
        *LINES,
        "curl http://{machine}:8172/  # on another machine",
        "curl http://192.0.2.55/  # on another machine",
    ),
    needs=frozenset({Need.ALONE}),
    mutation={
        "-d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0": "--subnet 10.213.203.0/24",
        "--ip 192.0.2.55": "--ip 10.213.203.55",
    },
    otherwise=(
        Expectation(PODMAN, not_testable="Podman's conmon holds the port on the machine, where nothing answers."),
    ),
)
