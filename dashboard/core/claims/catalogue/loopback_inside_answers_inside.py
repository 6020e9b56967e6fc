"""A program bound to 127.0.0.1 answers only inside its container."""

from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Topic

LINES = ("docker run -d --name web -e NETMODES_ADDRESS=127.0.0.1 IMAGE",)

CLAIM = Claim(
    id="loopback-inside-answers-inside",
    topic=Topic.PUBLISHING,
    statement="A program that binds to 127.0.0.1 inside a container answers only there: even the container's own "
    "address refuses.",
    source="ip(7); network_namespaces(7)",
    observe=observe_exchanges(LINES, Ask("web", "127.0.0.1", 80), Ask("web", "web.address", 80)),
    judge=judge_exchanges(answers(), NO_CONNECTION),
    lines=(*LINES, "docker exec web wget -O- http://127.0.0.1/", "docker exec web wget -O- http://ADDRESS/"),
    mutation={" -e NETMODES_ADDRESS=127.0.0.1": ""},
)
