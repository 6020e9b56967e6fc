"""Two servers on one port in host mode."""

from dashboard.core.claims.catalogue.host_conflict_exits import CLAIM
from dashboard.core.claims.misconception import Misconception

MISCONCEPTION = Misconception(
    id="port-clash-host",
    title="Two servers on one port, in host mode",
    expected="If the port is taken, docker run fails with an error.",
    question="The second docker run -d --network host on the same port: what happens?",
    choices=(
        "docker run fails: port is already allocated",
        "docker run succeeds, then the container exits",
        "Both servers share the port",
        "The first server is stopped",
    ),
    right=1,
    claim=CLAIM,
    happened="docker run printed an id and returned 0. A moment later the program exited with “Address already in "
    "use”.",
    why="In host mode the Engine manages no ports, so it checks none. Only the kernel knows, and it refuses the "
    "program, not the Engine.",
    remedy="Check docker ps -a and docker logs after a start in host mode, give each server its own port, or publish "
    "with -p in bridge mode.",
    remedy_lines=("docker ps -a", "docker logs ID"),
)
