"""Containers on one network see each other's addresses."""

from dashboard.core.claims.exchanges import Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Topic

LINES = (
    "docker network create lab",
    "docker run -d --name web --network {lab} IMAGE",
    "docker run -d --name client --network {lab} IMAGE sleep 60",
)

CLAIM = Claim(
    id="client-between-containers",
    topic=Topic.BRIDGE,
    statement="Requests between containers on one bridge network are not translated: the server sees the client "
    "container's own address.",
    source="Docker documentation, “Bridge network driver”",
    observe=observe_exchanges(LINES, Ask("client", "web.address", 80)),
    judge=judge_exchanges(answers("client.address")),
    lines=(*LINES, "docker exec client wget -O- http://web/"),
    mutation={"--name client --network {lab}": "--name client --network none"},
)
