"""Misconceptions about ports that are published, bound or in use."""

from dashboard.core.claims.catalogue import find_claim
from dashboard.core.claims.misconception import Misconception

MISCONCEPTIONS = (
    Misconception(
        id="port-clash-bridge",
        title="Two containers on one published port",
        expected="As in host mode, the second container starts and then exits.",
        question="The second docker run -d -p 8114:80: what happens?",
        choices=(
            "The Engine refuses to start it, and it stays Created",
            "It starts, then exits",
            "It gets another port",
            "Both answer in turn",
        ),
        right=0,
        claim=find_claim("bridge-conflict-refused"),
        happened="The Engine refused at start: “port is already allocated”. The container was created before and still "
        "exists.",
        why="The Engine owns published ports: it takes the port on the machine itself before it starts the program.",
        remedy="Remove the container that stayed behind, and publish on another port or let the Engine choose one.",
        remedy_lines=("docker rm ID", "docker run -d -p 80 nginx", "docker port ID"),
    ),
    Misconception(
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
        claim=find_claim("host-conflict-exits"),
        happened="docker run printed an id and returned 0. A moment later the program exited with “Address already in "
        "use”.",
        why="In host mode the Engine manages no ports, so it checks none. Only the kernel knows, and it refuses the "
        "program, not the Engine.",
        remedy="Check docker ps -a and docker logs after a start in host mode, give each server its own port, or "
        "publish with -p in bridge mode.",
        remedy_lines=("docker ps -a", "docker logs ID"),
    ),
    Misconception(
        id="publish-on-host",
        title="-p in host mode",
        expected="-p 8080:80 makes the program's port 80 answer on the machine's port 8080, in every mode.",
        question="docker run -d --network host -p 8080:80 nginx: what happens to port 8080?",
        choices=(
            "It leads to the program's port 80",
            "docker run refuses it",
            "It is discarded, with one warning",
            "It is silently discarded",
        ),
        right=2,
        claim=find_claim("discarded-publish"),
        happened="The create response had a warning; inspect never shows it, and HostConfig still lists the mapping.",
        why="In host mode the program's port is the machine's port: nothing in between could map one to the other.",
        remedy="Configure the program itself for the port you want, or leave host mode.",
        remedy_lines=("docker run -d -p 8080:80 nginx",),
    ),
    Misconception(
        id="published-on-ipv6",
        title="Published, and open on IPv6",
        expected="The bridge network has IPv4 only, so the port is not published on IPv6.",
        question="docker run -d -p 8108:80 nginx on an IPv4-only bridge: does http://[::1]:8108/ answer?",
        choices=("No: there is no IPv6 in the container", "Yes, through docker-proxy", "Yes, by NAT"),
        right=1,
        claim=find_claim("published-on-ipv6"),
        happened="It answered; the server saw the bridge's gateway as its client, over IPv4.",
        why="docker-proxy listens on [::] as well and connects to the container over IPv4. A firewall written for IPv4 "
        "does not see it.",
        remedy="Name the address to publish on.",
        remedy_lines=("docker run -d -p 0.0.0.0:8108:80 nginx", "docker run -d -p 127.0.0.1:8108:80 nginx"),
    ),
    Misconception(
        id="no-root-low-port",
        title="A program without root on a low port",
        expected="The program ran as user 1000 on port 81 in bridge mode, so it also runs in host mode.",
        question="docker run -d --network host --user 1000 …: does the program get port 81?",
        choices=("Yes", "No: permission denied, and it exits", "The Engine refuses to start it"),
        right=1,
        claim=find_claim("low-port-in-host-mode"),
        happened="The program exited with “Permission denied”.",
        why="For bridge containers the Engine sets ip_unprivileged_port_start=0. In host mode the machine's value "
        "applies: 1024.",
        remedy="Use a port of 1024 or above, or lower ip_unprivileged_port_start on the machine.",
        remedy_lines=("docker run -d --network host --user 1000 -e NETMODES_PORT=8081 netmodes-lab:1",),
    ),
    Misconception(
        id="grep-80",
        title="grep :80",
        expected="If netstat -tulpn | grep :80 prints a line, a program listens on port 80.",
        question="A container is published on port 8080 and nothing listens on port 80. What does grep :80 print?",
        choices=("Nothing", "The line of port 8080", "An error"),
        right=1,
        claim=find_claim("grep-80"),
        happened="grep found the line of port 8080: “:80” is part of “:8080”.",
        why="grep matches text, not a port. Nor does it show which container the process belongs to.",
        remedy="Ask for the exact port, as root, so that other users' processes are named too.",
        remedy_lines=("ss -Hltnp 'sport = :80'",),
    ),
    Misconception(
        id="loopback-server",
        title="The server listens on 127.0.0.1 inside",
        expected="The server listens on localhost and the port is published with -p, so it answers on localhost.",
        question="curl http://127.0.0.1:8109/ on the machine: what comes back?",
        choices=("The page", "Connection refused", "A connection, then an empty response", "Nothing until the timeout"),
        right=2,
        claim=find_claim("loopback-inside-is-empty"),
        happened="docker-proxy accepted the connection on the machine and could not forward it: curl reports “empty "
        "reply from server”.",
        why="127.0.0.1 inside a bridge container is the container's own loopback. docker-proxy and DNAT arrive at its "
        "eth0, where this program does not listen.",
        remedy="Let the program bind to all addresses inside (0.0.0.0), and restrict the published port with -p "
        "127.0.0.1:8109:80.",
        remedy_lines=("docker run -d -p 127.0.0.1:8109:80 nginx",),
    ),
    Misconception(
        id="database-on-localhost",
        title="The database on the machine's localhost",
        expected="The database listens on localhost and the container runs on this machine, so localhost:8116 reaches "
        "it.",
        question="From a bridge container, which address reaches a service that the machine binds to 127.0.0.1?",
        choices=("127.0.0.1", "The gateway's address (host.docker.internal)", "The machine's address", "None of them"),
        right=3,
        claim=find_claim("loopback-not-from-bridge"),
        happened="No address reached it: not the container's loopback, not the gateway, not the machine's address.",
        why="127.0.0.1 in the container is the container's own. Packets to the other addresses reach the machine, but "
        "the service listens on its loopback only.",
        remedy="Bind the service to the bridge's address as well, or use host mode, which shares the machine's "
        "loopback.",
        remedy_lines=(
            "docker run -d --add-host host.docker.internal:host-gateway nginx",
            "docker run -d --network host nginx",
        ),
    ),
)
