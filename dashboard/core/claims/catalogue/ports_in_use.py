"""Claims about ports that a program cannot bind: low ones without privileges, and those that another program uses."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.judges import judge_exit
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, differs, holds_if
from dashboard.core.claims.observers import ServerOutcome, observe_refusal, wait_served_or_exited
from dashboard.core.claims.testbed import Container, Testbed

CONFLICT = "docker run -d --network host IMAGE httpd -f -p 8113"
PUBLISHED = "docker run -d -p 8114:80 IMAGE sleep 60"
SAME_PORT = "docker run -d --network bridge IMAGE httpd -f -p 8117"
TAKEN = "docker run -d --network host IMAGE httpd -f -p 8118"
LOW_IN_HOST_MODE = "docker run -d --network host --user 1000:1000 --cap-drop ALL IMAGE httpd -f -p 81"
LOW_IN_BRIDGE_MODE = "docker run -d --network bridge --user 1000:1000 --cap-drop ALL IMAGE httpd -f -p 81"


async def observe_conflict(testbed: Testbed) -> ServerOutcome:
    """Starts two servers in host mode on the same port; returns the second container, and whether it listens."""
    first = await testbed.run(CONFLICT)
    await testbed.wait_listening(first, 8113)
    second = await testbed.try_run(CONFLICT)
    return (second, False) if second.refused else await wait_served_or_exited(testbed, second, 8113)


def judge_conflict(outcome: ServerOutcome) -> Judgement:
    """The claim holds if the Engine accepts the second container, but the kernel refuses the port to its program."""
    second, _ = outcome
    evidence = (f"docker run: {'refused' if second.refused else 'accepted'}", f"afterwards: {second.summary}")
    if second.refused:
        return differs("The Engine refused it.", *evidence)
    return judge_exit(outcome, "in use", "The second server runs too.", *evidence)


def judge_refused_at_start(second: Container) -> Judgement:
    """The claim holds if the Engine refuses to start the second container, which remains in the state created."""
    evidence = (f"docker run: {second.summary}", f"state of the second container: {second.status}")
    proved = second.refused_at == "start" and second.status == "created"
    return holds_if(proved, "The Engine did not refuse it at start.", *evidence)


async def observe_two_servers(testbed: Testbed) -> tuple[Container, Container]:
    """Starts two servers in bridge mode on the same port number; returns both containers."""
    first = await testbed.run(SAME_PORT)
    await testbed.wait_listening(first, 8117)
    second = await testbed.run(SAME_PORT)
    await testbed.wait_listening(second, 8117)
    return await testbed.inspect(first), await testbed.inspect(second)


def judge_both_run(pair: tuple[Container, Container]) -> Judgement:
    """The claim holds if both containers run, each with an address of its own."""
    evidence = [f"{container.address or 'no address'}:8117: {container.summary}" for container in pair]
    addresses = {container.address for container in pair if container.status == "running" and container.address}
    return holds_if(len(addresses) == len(pair), "The servers do not both run, each at its own address.", *evidence)


async def observe_taken(testbed: Testbed) -> str:
    """Starts a container in host mode, then a server of the machine on the same port. Returns the kernel's error when
    the server binds the port, empty if the server listens."""
    container = await testbed.run(TAKEN)
    await testbed.wait_listening(container, 8118)
    return await testbed.serve_on_machine("127.0.0.1", 8118)


def judge_taken(refusal: str) -> Judgement:
    """The claim holds if the kernel refuses the port to the server of the machine, because the port is in use."""
    evidence = f"the machine's own service on port 8118: {refusal or 'listens'}"
    return holds_if("in use" in refusal.lower(), "The machine's service got the port.", evidence)


async def observe_low_in_host_mode(testbed: Testbed) -> ServerOutcome:
    """Starts a server on port 81 in host mode without privileges; returns the container, and whether it listens."""
    return await wait_served_or_exited(testbed, await testbed.run(LOW_IN_HOST_MODE), 81)


def judge_denied(outcome: ServerOutcome) -> Judgement:
    """The claim holds if the program exited because the kernel denied the port."""
    return judge_exit(outcome, "denied", "The program bound the port.", f"the container: {outcome[0].summary}")


async def observe_low_in_bridge_mode(testbed: Testbed) -> ServerOutcome:
    """Starts a server on port 81 in bridge mode without privileges; returns the container, and whether it listens."""
    container = await testbed.run(LOW_IN_BRIDGE_MODE)
    listens = await testbed.wait_listening(container, 81)
    return await testbed.inspect(container), listens


def judge_bound(outcome: ServerOutcome) -> Judgement:
    """The claim holds if the program listens on port 81."""
    container, listens = outcome
    evidence = (f"port 81: {'listening' if listens else 'not listening'}", f"the container: {container.summary}")
    return holds_if(listens and container.status == "running", "The program could not bind the port.", *evidence)


CLAIMS = (
    Claim(
        id="host-conflict-exits",
        topic=Topic.INTERFERENCE,
        statement="Two servers on one port in host mode: docker run succeeds for the second as well, then the server "
        "exits with “Address already in use”.",
        source="Docker documentation, “Host network driver”; bind(2), EADDRINUSE",
        exact="The Engine checks no ports in host mode: look at docker ps -a and docker logs, not at the exit code of "
        "docker run -d.",
        observe=observe_conflict,
        judge=judge_conflict,
        lines=(CONFLICT, CONFLICT),
        needs=frozenset({Need.PRIVATE}),
        mutation={"--network host": "--network bridge"},
    ),
    Claim(
        id="bridge-conflict-refused",
        topic=Topic.INTERFERENCE,
        statement="Two containers on one published port: the Engine refuses to start the second, which stays Created.",
        source="Moby, libnetwork/portallocator",
        observe=observe_refusal(PUBLISHED, PUBLISHED),
        judge=judge_refused_at_start,
        lines=(PUBLISHED, PUBLISHED),
        needs=frozenset({Need.PRIVATE}),
        mutation={"-p 8114:80": "-p 80"},
    ),
    Claim(
        id="bridge-same-port",
        topic=Topic.INTERFERENCE,
        statement="In bridge mode any number of containers can listen on the same port: each has its own.",
        source="Docker documentation, “Bridge network driver”; network_namespaces(7)",
        observe=observe_two_servers,
        judge=judge_both_run,
        lines=(SAME_PORT, SAME_PORT),
        needs=frozenset({Need.PRIVATE}),
        mutation={"--network bridge": "--network host"},
    ),
    Claim(
        id="host-takes-port",
        topic=Topic.INTERFERENCE,
        statement="A server in host mode occupies its port on the machine: no service of the machine itself can "
        "listen on it.",
        source="Docker documentation, “Host network driver”; bind(2)",
        observe=observe_taken,
        judge=judge_taken,
        lines=(TAKEN,),
        needs=frozenset({Need.PRIVATE}),
        mutation={"--network host": "--network bridge"},
    ),
    Claim(
        id="low-port-in-host-mode",
        topic=Topic.WHEN,
        statement="In host mode a program without root and capabilities gets “Permission denied” on port 81: the "
        "machine's ports below 1024 are privileged.",
        source="ip(7), ip_unprivileged_port_start",
        exact="An image that runs as another user works in bridge mode and fails in host mode, unless it listens on a "
        "high port. --cap-add NET_BIND_SERVICE does not help: Docker gives it to root only.",
        observe=observe_low_in_host_mode,
        judge=judge_denied,
        lines=(LOW_IN_HOST_MODE, "docker logs ID"),
        needs=frozenset({Need.PRIVATE}),
        mutation={"--network host": "--network bridge"},
    ),
    Claim(
        id="low-port-in-bridge",
        topic=Topic.WHEN,
        statement="In bridge mode a program without root and capabilities can bind port 81: the Engine sets "
        "ip_unprivileged_port_start=0 there.",
        source="Moby, daemon/daemon_unix.go (since 20.10); ip(7)",
        observe=observe_low_in_bridge_mode,
        judge=judge_bound,
        lines=(LOW_IN_BRIDGE_MODE,),
        needs=frozenset({Need.PRIVATE}),
        mutation={"--network bridge": "--network host"},
        otherwise=(
            Expectation(
                PODMAN,
                not_testable="Podman leaves net.ipv4.ip_unprivileged_port_start as the kernel has it; Docker sets 0.",
            ),
        ),
    ),
)
