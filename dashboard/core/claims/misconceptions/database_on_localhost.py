"""The database on the machine's localhost."""

from dashboard.core.claims.catalogue.loopback_not_from_bridge import CLAIM
from dashboard.core.claims.misconception import Misconception

MISCONCEPTION = Misconception(
    id="database-on-localhost",
    title="The database on the machine's localhost",
    expected="The database listens on localhost and the container runs on this machine, so localhost:8116 reaches it.",
    question="From a bridge container, which address reaches a service that the machine binds to 127.0.0.1?",
    choices=("127.0.0.1", "The gateway's address (host.docker.internal)", "The machine's address", "None of them"),
    right=3,
    claim=CLAIM,
    happened="No address reached it: not the container's loopback, not the gateway, not the machine's address.",
    why="127.0.0.1 in the container is the container's own. Packets to the other addresses reach the machine, but the "
    "service listens on its loopback only.",
    remedy="Bind the service to the bridge's address as well, or use host mode, which shares the machine's loopback.",
    remedy_lines=(
        "docker run -d --add-host host.docker.internal:host-gateway nginx",
        "docker run -d --network host nginx",
    ),
)
