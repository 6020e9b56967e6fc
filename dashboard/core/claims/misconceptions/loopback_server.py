"""The server listens on 127.0.0.1 inside the container."""

from dashboard.core.claims.catalogue.loopback_inside_is_empty import CLAIM
from dashboard.core.claims.misconception import Misconception

MISCONCEPTION = Misconception(
    id="loopback-server",
    title="The server listens on 127.0.0.1 inside",
    expected="The server listens on localhost and the port is published with -p, so it answers on localhost.",
    question="curl http://127.0.0.1:8109/ on the machine: what comes back?",
    choices=("The page", "Connection refused", "A connection, then an empty response", "Nothing until the timeout"),
    right=2,
    claim=CLAIM,
    happened="docker-proxy accepted the connection on the machine and could not forward it: curl reports “empty reply "
    "from server”.",
    why="127.0.0.1 inside a bridge container is the container's own loopback. docker-proxy and DNAT arrive at its "
    "eth0, where this program does not listen.",
    remedy="Let the program bind to all addresses inside (0.0.0.0), and restrict the published port with -p "
    "127.0.0.1:8109:80.",
    remedy_lines=("docker run -d -p 127.0.0.1:8109:80 nginx",),
)
