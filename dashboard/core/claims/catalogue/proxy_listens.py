"""Claims about the process that holds a published port on the machine: docker-proxy, with one process for each address
family, or dockerd."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.extract import describe_listeners, listeners_on
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, differs, holds_if
from dashboard.core.claims.prepared import prepared
from dashboard.core.claims.testbed import Testbed
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d -p 8103:80 IMAGE sleep 60"
WITHOUT_PROXY = "docker run -d -p 8193:80 IMAGE sleep 60"
DAEMON = "dockerd --userland-proxy=false"


async def observe(testbed: Testbed) -> NamespaceState:
    """Starts a container with a published port; returns the machine's state."""
    await testbed.run(LINE)
    return await testbed.state(MACHINE)


async def observe_without_proxy(testbed: Testbed) -> NamespaceState:
    """Starts a container with a published port on a further engine, which has no docker-proxy; returns the state of
    that engine's machine."""
    engine = await testbed.start_engine(DAEMON)
    await engine.run(WITHOUT_PROXY)
    return await engine.state(MACHINE)


def judge_proxies(machine: NamespaceState) -> Judgement:
    """The claim holds if one docker-proxy process listens on the port for IPv4 and a second one for IPv6."""
    listeners = listeners_on(machine, 8103)
    evidence = f"the machine's port 8103: {describe_listeners(listeners)}"
    if not listeners or any(listener.process != "docker-proxy" for listener in listeners):
        return differs("docker-proxy does not listen.", evidence)
    families = {listener.family for listener in listeners}
    processes = {listener.pid for listener in listeners}
    return holds_if(
        len(families) == len(processes) == 2, "docker-proxy does not run once per address family.", evidence
    )


@prepared
def judge_dockerd(machine: NamespaceState, port: int) -> Judgement:
    """The claim holds if dockerd listens on the port, and no other process does."""
    listeners = listeners_on(machine, port)
    proved = bool(listeners) and all(listener.process == "dockerd" for listener in listeners)
    evidence = f"the machine's port {port}: {describe_listeners(listeners)}"
    return holds_if(proved, "dockerd is not the only listener.", evidence)


CLAIMS = (
    Claim(
        id="proxy-listens",
        topic=Topic.PUBLISHING,
        statement="docker-proxy holds a published port on the machine, one process for IPv4 and one for IPv6.",
        source="Moby, cmd/docker-proxy; ss(8)",
        exact="With --userland-proxy=false dockerd holds the socket itself. Either way the program does not listen "
        "there.",
        observe=observe,
        judge=judge_proxies,
        lines=(LINE, "ss -Hltnp 'sport = :8103'"),
        needs=frozenset({Need.PRIVATE, Need.IPV6}),
        mutation={"-p 8103:80": "-p 127.0.0.1:8103:80"},
        otherwise=(
            Expectation(PODMAN, not_testable="Podman has no docker-proxy."),
            Expectation(
                EngineCondition(userland_proxy=False),
                statement="The Engine's own process, dockerd, holds a published port on the machine.",
                judge=judge_dockerd(8103),
                exact="It only reserves the port: the kernel translates (DNAT) the requests.",
                mutation={" -p 8103:80": ""},
            ),
        ),
    ),
    Claim(
        id="proxy-off-dockerd",
        topic=Topic.PUBLISHING,
        statement="With userland-proxy=false no docker-proxy runs: dockerd itself holds the socket of a published "
        "port.",
        source="dockerd(8), --userland-proxy; Moby, libnetwork/portmapper",
        observe=observe_without_proxy,
        judge=judge_dockerd(8193),
        lines=(WITHOUT_PROXY, DAEMON, "ss -Hltnp 'sport = :8193'"),
        needs=frozenset({Need.OWN_HOST}),
        mutation={"--userland-proxy=false": "--userland-proxy=true"},
        otherwise=(Expectation(PODMAN, not_testable="Podman has no dockerd with this option."),),
    ),
)
