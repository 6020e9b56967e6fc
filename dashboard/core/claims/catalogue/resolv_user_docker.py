"""User-defined network: Docker's resolver."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.extract import nameservers, on_one_line
from dashboard.core.claims.model import Claim, Expectation, Judgement, Topic, holds_if
from dashboard.core.claims.observers import observe_file

NETWORK = "docker network create lab"
LINE = "docker run -d --network {lab} IMAGE sleep 60"


def judge(resolv_conf: str) -> Judgement:
    """Holds if 127.0.0.11 is the only server."""
    evidence = f"resolv.conf in the container: {on_one_line(resolv_conf)}"
    proved = nameservers(resolv_conf) == ("127.0.0.11",) and "ndots:0" in resolv_conf
    return holds_if(proved, "It is not Docker's resolver.", evidence)


CLAIM = Claim(
    id="resolv-user-docker",
    topic=Topic.DNS,
    statement="Only on a user-defined network does resolv.conf name Docker's own resolver: 127.0.0.11, ndots:0.",
    source="Docker documentation, “Networking overview”, DNS services",
    observe=observe_file("/etc/resolv.conf", NETWORK, LINE),
    judge=judge,
    lines=(NETWORK, LINE, "docker exec ID cat /etc/resolv.conf"),
    otherwise=(
        Expectation(
            PODMAN,
            not_testable="On Podman aardvark-dns answers at the address of the network's bridge, not inside the "
            "container's namespace.",
        ),
    ),
    mutation={"--network {lab}": "--network bridge"},
)
