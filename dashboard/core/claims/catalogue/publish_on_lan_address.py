"""A port published on the machine's address is not at 127.0.0.1."""

from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.modes import MACHINE

LINES = ("docker run -d --name web -p {machine}:8162:80 IMAGE",)

CLAIM = Claim(
    id="publish-on-lan-address",
    topic=Topic.PUBLISHING,
    statement="A port published on one address of the machine answers only there, not at 127.0.0.1.",
    source="Docker documentation, “Port publishing and mapping”",
    observe=observe_exchanges(LINES, Ask(MACHINE, "{machine}", 8162), Ask(MACHINE, "127.0.0.1", 8162)),
    judge=judge_exchanges(answers(), NO_CONNECTION),
    lines=(*LINES, "curl http://{machine}:8162/", "curl http://127.0.0.1:8162/"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"-p {machine}:8162:80": "-p 8162:80"},
)
