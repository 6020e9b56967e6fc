"""Claims about ports that the image exposes, and about those that the Engine chooses for -P."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.extract import describe_ports
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import observe_container
from dashboard.core.claims.testbed import Container, Testbed
from dashboard.core.modes import MACHINE

EXPOSED = "docker run -d IMAGE sleep 60"
LINE = "docker run -d -P IMAGE sleep 60"


def chosen_ports(container: Container) -> list[int]:
    """Returns the ports of the machine at which the container's port 80 is published."""
    bindings = container.setting("NetworkSettings", "Ports", "80/tcp") or ()
    return [int(binding.get("HostPort") or 0) for binding in bindings]


def judge_exposed(container: Container) -> Judgement:
    """The claim holds if the inspect response lists port 80 without a binding to a port of the machine."""
    ports = container.setting("NetworkSettings", "Ports") or {}
    evidence = f"NetworkSettings.Ports: {describe_ports(ports)}"
    return holds_if("80/tcp" in ports and not ports["80/tcp"], "The port is published, or not listed.", evidence)


async def observe_range(testbed: Testbed) -> tuple[Container, str]:
    """Runs a container with -P; returns the container and the content of ip_local_port_range, the kernel's range of
    ephemeral ports."""
    container = await testbed.run(LINE)
    _code, text = await testbed.execute(MACHINE, "cat /proc/sys/net/ipv4/ip_local_port_range")
    return container, text


def judge_in_range(observed: tuple[Container, str]) -> Judgement:
    """The claim holds if the port that the Engine chose is in the kernel's range of ephemeral ports."""
    container, text = observed
    first, last = (int(word) for word in text.split())
    evidence = (
        f"NetworkSettings.Ports: {describe_ports(container.setting('NetworkSettings', 'Ports'))}",
        f"ip_local_port_range: {first} to {last}",
    )
    chosen = chosen_ports(container)
    proved = bool(chosen) and all(first <= port <= last for port in chosen)
    return holds_if(proved, "The port is outside the range.", *evidence)


async def observe_restart(testbed: Testbed) -> tuple[list[int], list[int]]:
    """Restarts a container; returns the ports of the machine at which its port 80 is published, before and after the
    restart."""
    container = await testbed.run(LINE)
    return chosen_ports(container), chosen_ports(await testbed.restart(container))


def judge_changed(observed: tuple[list[int], list[int]]) -> Judgement:
    """The claim holds if the container's port was published before and after the restart, on two different ports of the
    machine."""
    before, after = (ports[0] if ports else 0 for ports in observed)
    evidence = (f"port before: {before or 'none'}", f"port after: {after or 'none'}")
    return holds_if(bool(before and after) and before != after, "The port is the same as before.", *evidence)


CLAIMS = (
    Claim(
        id="exposed-not-published",
        topic=Topic.PUBLISHING,
        statement="A port that docker ps shows without an arrow, such as 80/tcp, is exposed by the image and not "
        "published.",
        source="Dockerfile reference, EXPOSE; Docker Engine API, ContainerInspect",
        observe=observe_container(EXPOSED),
        judge=judge_exposed,
        lines=(EXPOSED, "docker ps", "docker port ID"),
        mutation={"docker run -d": "docker run -d -P"},
        otherwise=(Expectation(PODMAN, not_testable="Podman lists exposed ports elsewhere."),),
    ),
    Claim(
        id="publish-all-random",
        topic=Topic.PUBLISHING,
        statement="-P publishes each exposed port on a port of the machine that the Engine chooses from the kernel's "
        "range of automatic ports.",
        source="docker-run(1), --publish-all; ip(7), ip_local_port_range",
        observe=observe_range,
        judge=judge_in_range,
        lines=(LINE, "docker port ID"),
        needs=frozenset({Need.PRIVATE}),
        mutation={"docker run -d -P": "docker run -d -p 8189:80"},
    ),
    Claim(
        id="random-port-changes",
        topic=Topic.LIFECYCLE,
        statement="A port that the Engine chose for -P changes when the container restarts.",
        source="docker-run(1), --publish-all; Moby, libnetwork/portallocator",
        observe=observe_restart,
        judge=judge_changed,
        lines=(LINE, "docker port ID", "docker restart ID", "docker port ID"),
        needs=frozenset({Need.PRIVATE}),
        mutation={"docker run -d -P": "docker run -d -p 8191:80"},
        otherwise=(Expectation(PODMAN, not_testable="Podman keeps the port that it chose."),),
    ),
)
