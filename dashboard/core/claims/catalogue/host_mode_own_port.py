"""In host mode -p does not change the port."""

from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.modes import MACHINE

LINES = ("docker run -d --name web --network host -p 8155:8156 -e NETMODES_PORT=8156 IMAGE",)

CLAIM = Claim(
    id="host-mode-own-port",
    topic=Topic.PUBLISHING,
    statement="With --network host -p 8155:8156 nothing listens on port 8155: the server stays on its own port 8156.",
    source="Docker documentation, “Host network driver”",
    exact="Configure the program itself to listen on another port.",
    observe=observe_exchanges(LINES, Ask(MACHINE, "127.0.0.1", 8155), Ask(MACHINE, "127.0.0.1", 8156)),
    judge=judge_exchanges(NO_CONNECTION, answers()),
    lines=(*LINES, "curl http://127.0.0.1:8155/", "curl http://127.0.0.1:8156/"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network host": "--network bridge"},
)
