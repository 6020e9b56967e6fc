"""A program without root on a low port."""

from dashboard.core.claims.catalogue.low_port_in_host_mode import CLAIM
from dashboard.core.claims.misconception import Misconception

MISCONCEPTION = Misconception(
    id="no-root-low-port",
    title="A program without root on a low port",
    expected="It ran as user 1000 on port 81 in bridge mode, so it will in host mode.",
    question="docker run -d --network host --user 1000 …: does the program get port 81?",
    choices=("Yes", "No: permission denied, and it exits", "The Engine refuses to start it"),
    right=1,
    claim=CLAIM,
    happened="The program exited with “Permission denied”.",
    why="For bridge containers the Engine sets ip_unprivileged_port_start=0. In host mode the machine's value applies:"
    " 1024.",
    remedy="Use a port of 1024 or above, or lower ip_unprivileged_port_start on the machine.",
    remedy_lines=("docker run -d --network host --user 1000 -e NETMODES_PORT=8081 netmodes-lab:1",),
)
