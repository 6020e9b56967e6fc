"""A port published on 127.0.0.1 refuses other machines."""

from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR
from dashboard.core.modes import MACHINE

LINES = ("docker run -d --name web -p 127.0.0.1:8159:80 IMAGE",)

CLAIM = Claim(
    id="loopback-publish-not-from-lan",
    topic=Topic.PUBLISHING,
    statement="A port published on 127.0.0.1 answers on the machine, but another machine cannot connect to it at "
    "the machine's address.",
    source="Docker documentation, “Port publishing and mapping”",
    observe=observe_exchanges(LINES, Ask(MACHINE, "127.0.0.1", 8159), Ask(NEIGHBOUR, "{machine}", 8159)),
    judge=judge_exchanges(answers(), NO_CONNECTION),
    lines=(*LINES, "curl http://127.0.0.1:8159/", "curl http://{machine}:8159/  # on another machine"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"-p 127.0.0.1:8159:80": "-p 8159:80"},
)
