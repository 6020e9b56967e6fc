"""A container in host mode reaches published ports at 127.0.0.1."""

from dashboard.core.claims.exchanges import Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Need, Topic

LINES = (
    "docker run -d --name web -p 8153:80 IMAGE",
    "docker run -d --name client --network host IMAGE sleep 60",
)

CLAIM = Claim(
    id="host-mode-reaches-published",
    topic=Topic.PUBLISHING,
    statement="A container in host mode reaches the published port of a bridge container at 127.0.0.1.",
    source="Docker documentation, “Host network driver”",
    observe=observe_exchanges(LINES, Ask("client", "127.0.0.1", 8153)),
    judge=judge_exchanges(answers()),
    lines=(*LINES, "docker exec client wget -O- http://127.0.0.1:8153/"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network host": "--network bridge"},
)
