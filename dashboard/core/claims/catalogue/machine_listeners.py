"""Claims about the processes that listen on the machine's ports: with and without -p, in host mode, and after a
container has stopped."""

from dashboard.core.claims.engine_facts import ROOTLESS_PODMAN, ROOTLESS_PODMAN_BRIDGES
from dashboard.core.claims.extract import describe_listeners, listeners_on
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, differs, holds_if, not_testable
from dashboard.core.claims.testbed import Response, Testbed
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState

IN_BRIDGE_MODE = "docker run -d --network bridge IMAGE"
IN_HOST_MODE = "docker run -d --network host IMAGE"
PUBLISHED = "docker run -d -p 8080:80 IMAGE sleep 60"
STOPPED = "docker run -d --rm --network host IMAGE httpd -f -p 8120"

#: The machine's sockets, and a response.
Requested = tuple[NamespaceState, Response]
Listed = tuple[str, NamespaceState]
Stopped = tuple[NamespaceState, NamespaceState, str]


def _on_port(port: int, state: NamespaceState) -> str:
    return describe_listeners(listeners_on(state, port))


async def observe_container_address(testbed: Testbed) -> Requested:
    """Sends a request from the machine to a bridge container's own address; returns the machine's state and the
    response."""
    container = await testbed.run(IN_BRIDGE_MODE)
    await testbed.wait_listening(container, 80)
    return await testbed.state(MACHINE), await testbed.request(MACHINE, container.address, 80)


def judge_only_inside(observed: Requested) -> Judgement:
    """The claim holds if no process listens on the machine's port 80 and a server answers at the container's
    address."""
    machine, response = observed
    evidence = (
        f"the machine's port 80: {_on_port(80, machine)}",
        f"GET at the container's address: {response.summary}",
    )
    if listeners_on(machine, 80):
        return differs("A process listens on the machine's port 80.", *evidence)
    return holds_if(response.status == 200, "The container's own address does not answer.", *evidence)


async def observe_machine_port(testbed: Testbed) -> Requested:
    """Runs a server in host mode and sends a request to port 80 of the machine; returns the machine's state and the
    response."""
    await testbed.run(IN_HOST_MODE)
    await testbed.wait_listening(MACHINE, 80)
    return await testbed.state(MACHINE), await testbed.request(MACHINE, "127.0.0.1", 80)


def judge_own_process(observed: Requested) -> Judgement:
    """The claim holds if an nginx process listens on the machine's port 80 and the server answers."""
    machine, response = observed
    evidence = (f"the machine's port 80: {_on_port(80, machine)}", f"GET http://127.0.0.1/: {response.summary}")
    if response.status != 200:
        return differs("Nothing answers on the machine's port 80.", *evidence)
    proved = any(listener.process == "nginx" for listener in listeners_on(machine, 80))
    return holds_if(proved, "Another process listens on the port.", *evidence)


async def observe_netstat(testbed: Testbed) -> Listed:
    """Publishes a port; returns the output of netstat and the machine's state."""
    await testbed.run(PUBLISHED)
    _, output = await testbed.execute(MACHINE, "netstat -tln")
    return output, await testbed.state(MACHINE)


def judge_grep(observed: Listed) -> Judgement:
    """The claim holds if netstat's output has a line with ``:80``, such as one for port 8080, although the machine's
    port 80 is free."""
    output, machine = observed
    matched = [" ".join(line.split()) for line in output.splitlines() if ":80" in line]
    evidence = (
        *(f"netstat -tln | grep :80 → {line}" for line in matched),
        f"port 80 exactly: {_on_port(80, machine)}",
    )
    if listeners_on(machine, 80):
        return not_testable("A process listens on port 80 here.", *evidence)
    return holds_if(bool(matched), "grep finds nothing.", *evidence)


async def observe_stop(testbed: Testbed) -> Stopped:
    """Stops a container, then starts a server of the machine on the port that the container used. Returns the machine's
    state before and after the stop, and the kernel's error when the server binds the port. The error is empty if the
    server listens."""
    container = await testbed.run(STOPPED)
    await testbed.wait_listening(container, 8120)
    before = await testbed.state(MACHINE)
    await testbed.stop(container)
    return before, await testbed.state(MACHINE), await testbed.serve_on_machine("127.0.0.1", 8120)


def judge_free(observed: Stopped) -> Judgement:
    """The claim holds if the port is in use before the container is stopped, and free afterwards."""
    before, after, refusal = observed
    evidence = (
        f"port 8120 while it ran: {_on_port(8120, before)}",
        f"after docker stop: {_on_port(8120, after)}",
        f"the next server on the port: {refusal or 'listens'}",
    )
    if not listeners_on(before, 8120):
        return differs("The server did not listen on the machine's port.", *evidence)
    return holds_if(not listeners_on(after, 8120) and not refusal, "The port is still in use.", *evidence)


CLAIMS = (
    Claim(
        id="bridge-needs-p",
        topic=Topic.PUBLISHING,
        statement="Without -p a server in bridge mode is not on the machine's ports, but answers at the container's "
        "address.",
        source="Docker documentation, “Port publishing and mapping”",
        exact="“Not reachable” means from other machines: from the machine itself the container's address always "
        "answers.",
        observe=observe_container_address,
        judge=judge_only_inside,
        lines=(IN_BRIDGE_MODE,),
        needs=frozenset({Need.PORT_80}),
        mutation={"--network bridge": "--network bridge -p 80:80"},
        otherwise=(Expectation(ROOTLESS_PODMAN, not_testable=ROOTLESS_PODMAN_BRIDGES),),
    ),
    Claim(
        id="host-port-without-p",
        topic=Topic.PUBLISHING,
        statement="A server in host mode answers on the machine's port 80 without -p: its own process listens there.",
        source="Docker documentation, “Networking using the host network”",
        observe=observe_machine_port,
        judge=judge_own_process,
        lines=(IN_HOST_MODE, "curl http://127.0.0.1/", "ss -Hltnp 'sport = :80'"),
        needs=frozenset({Need.PORT_80}),
        mutation={"--network host": "--network bridge"},
        otherwise=(
            Expectation(ROOTLESS_PODMAN, not_testable="Without root, a program in host mode cannot bind port 80."),
        ),
    ),
    Claim(
        id="grep-80",
        topic=Topic.PUBLISHING,
        statement="netstat -tulpn | grep :80 also matches port 8080, even if nothing listens on port 80.",
        source="grep(1); ss(8)",
        exact="The exact query is ss -Hltnp 'sport = :80'. Seeing other users' processes needs root.",
        observe=observe_netstat,
        judge=judge_grep,
        lines=(PUBLISHED, "netstat -tln | grep :80", "ss -Hltnp 'sport = :80'"),
        needs=frozenset({Need.PORT_80}),
        mutation={"-p 8080:80": "-p 9090:80"},
    ),
    Claim(
        id="port-free-after-stop",
        topic=Topic.LIFECYCLE,
        statement="When a container in host mode stops, its port on the machine is free at once.",
        source="Docker documentation, “Networking using the host network”; listen(2)",
        observe=observe_stop,
        judge=judge_free,
        lines=(STOPPED, "docker stop ID", "ss -Hltn 'sport = :8120'"),
        needs=frozenset({Need.PRIVATE}),
        mutation={"--network host": "--network bridge"},
    ),
)
