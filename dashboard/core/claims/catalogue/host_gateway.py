"""The claim that host-gateway is the default bridge's address, in host mode too."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.extract import host_entries
from dashboard.core.claims.model import Claim, Expectation, Judgement, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Testbed

FIRST = "docker run -d --network bridge IMAGE sleep 60"
LINE = "docker run -d --network host --add-host host.docker.internal:host-gateway IMAGE sleep 60"

Observed = tuple[str, str]


async def observe(testbed: Testbed) -> Observed:
    """Returns the address of the default bridge and the content of the container's hosts file."""
    neighbour, container = await run_lines(testbed, FIRST, LINE)
    return neighbour.gateway, await testbed.read_file(container, "/etc/hosts")


def judge(observed: Observed) -> Judgement:
    """The claim holds if the hosts file maps host.docker.internal to the address of the default bridge."""
    gateway, hosts = observed
    address = host_entries(hosts).get("host.docker.internal", "nothing")
    evidence = f"host.docker.internal is {address}; the default bridge's gateway is {gateway}"
    return holds_if(address == gateway, "The name has another address.", evidence)


CLAIM = Claim(
    id="host-gateway",
    topic=Topic.DNS,
    statement="host.docker.internal:host-gateway is the address of the default bridge, in host mode too.",
    source="docker-run(1), --add-host; dockerd(8), --host-gateway-ip",
    exact="It is not 127.0.0.1: a service of the machine that listens on loopback only is unreachable there.",
    observe=observe,
    judge=judge,
    lines=(FIRST, LINE, "docker exec ID cat /etc/hosts"),
    otherwise=(
        Expectation(
            PODMAN,
            not_testable="Podman takes host-gateway from its own configuration (containers.conf, "
            "host_containers_internal_ip).",
        ),
    ),
    mutation={"host-gateway": "192.0.2.7"},
)
