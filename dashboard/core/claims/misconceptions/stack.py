"""Misconceptions about options and counters of the network stack."""

from dashboard.core.claims.catalogue import find_claim
from dashboard.core.claims.misconception import Misconception

MISCONCEPTIONS = (
    Misconception(
        id="sysctl-refused",
        title="A network sysctl in host mode",
        expected="--sysctl sets the value for this container only, as in bridge mode.",
        question="docker run -d --network host --sysctl net.ipv4.ip_forward=1 nginx: what happens?",
        choices=(
            "It is set in the container only",
            "It is set on the machine",
            "It is refused when the container starts",
            "It is ignored",
        ),
        right=2,
        claim=find_claim("sysctl-refused"),
        happened="The runtime refused it when the container started; the container stays behind as Created.",
        why="Network sysctls belong to the network namespace. In host mode that is the machine's: the option would "
        "change the machine.",
        remedy="To change the setting of the machine, set it there; to change it for the container only, use bridge "
        "mode.",
        remedy_lines=("docker run -d --sysctl net.ipv4.ip_forward=1 nginx",),
    ),
    Misconception(
        id="counted-twice",
        title="Adding up the traffic of two containers",
        expected="The traffic of a web server and its sidecar is the sum of what docker stats shows for both.",
        question="The sidecar shares the server's network (--network container:). What do their counters show after "
        "one request?",
        choices=("The server has the bytes, the sidecar zero", "Each has its own bytes", "Both show the same bytes"),
        right=2,
        claim=find_claim("stats-counted-twice"),
        happened="Both report the same counters, byte for byte.",
        why="Counters belong to the interfaces of a network namespace, and the two share one. Host mode goes further: "
        "it has no counters at all.",
        remedy="Add up per network namespace, not per container.",
        remedy_lines=("docker inspect --format '{{.NetworkSettings.SandboxKey}}' ID",),
    ),
    Misconception(
        id="wrong-interface",
        title="The program waits for an interface",
        expected="docker ps shows “Up”, so the program works.",
        question="A program waits for eth0 before it serves. With --network none, what do docker ps and the port show?",
        choices=("Up, and it serves", "Up, and it never serves", "It exits with an error"),
        right=1,
        claim=find_claim("waits-for-eth0"),
        happened="The container runs, and nothing listens: there is loopback and no eth0.",
        why="The interfaces depend on the mode: eth0 in bridge mode, the machine's own in host mode, only lo here. "
        "“Up” means that the process lives.",
        remedy="Do not wait for an interface by name: bind to all addresses, or take the name from the environment, "
        "and give the container a health check.",
        remedy_lines=("docker exec ID ip -brief address",),
    ),
)
