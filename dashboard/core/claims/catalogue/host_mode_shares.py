"""Claims about what a container in host mode shares with the machine and what it does not share. They explain the main
claim, which is in ``host_shares_netns.py``."""

from dashboard.core.claims.engine_facts import PODMAN, ROOTLESS_PODMAN, ROOTLESS_PODMAN_BRIDGES
from dashboard.core.claims.extract import describe_inodes, interface_names
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, differs, holds_if
from dashboard.core.claims.observers import Namespaces, States, observe_container, observe_namespaces, observe_states
from dashboard.core.claims.testbed import Container, Testbed
from dashboard.core.modes import MACHINE

LINE = "docker run -d --network host IMAGE sleep 60"
IN_BRIDGE_MODE = "docker run -d --network bridge IMAGE sleep 60"
WITH_UTS = "docker run -d --network host --uts host IMAGE sleep 60"
WITH_HOSTNAME = "docker run -d --network host --hostname mine IMAGE sleep 60"
KINDS = ("mnt", "pid", "ipc", "uts")
SYSCTLS = ("net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range")


def judge_rest(namespaces: Namespaces) -> Judgement:
    """The claim holds if the machine and the container have different mnt, pid, ipc and uts namespaces."""
    machine, inside = namespaces
    evidence = tuple(f"{kind}: machine {machine[kind]}, container {inside[kind]}" for kind in KINDS)
    shared = [kind for kind in KINDS if machine[kind] == inside[kind]]
    return holds_if(not shared, f"The container shares the machine's {', '.join(shared)} too.", *evidence)


def judge_uts(namespaces: Namespaces) -> Judgement:
    """The claim holds if the machine and the container are in the same uts namespace."""
    machine, inside = namespaces
    evidence = describe_inodes("uts", {"the machine": machine, "the container": inside})
    return holds_if(machine["uts"] == inside["uts"], "The container has its own uts namespace.", *evidence)


def judge_copied_hostname(states: States) -> Judgement:
    """The claim holds if the container has the machine's host name, although it has a uts namespace of its own."""
    machine, inside = states
    evidence = tuple(
        f"{place}: host name {state.hostname}, uts namespace {state.namespaces.get('uts', 'unknown')}"
        for place, state in (("machine", machine), ("container", inside))
    )
    if machine.namespaces.get("uts") == inside.namespaces.get("uts"):
        return differs("The uts namespace is shared.", *evidence)
    return holds_if(machine.hostname == inside.hostname, "The container has another name.", *evidence)


def judge_own_hostname(states: States) -> Judgement:
    """The claim holds if the container has the host name given with --hostname and the machine does not."""
    machine, inside = states
    evidence = (f"host name in the container: {inside.hostname}", f"host name of the machine: {machine.hostname}")
    return holds_if(inside.hostname == "mine" != machine.hostname, "The option had no effect.", *evidence)


def judge_sysctls(states: States) -> Judgement:
    """The claim holds if the machine and the container have the same values of the sysctls in ``SYSCTLS``."""
    machine, inside = states
    evidence = tuple(
        f"{name}: machine {machine.sysctls.get(name, 'unknown')}, container {inside.sysctls.get(name, 'unknown')}"
        for name in SYSCTLS
    )
    same = all(machine.sysctls.get(name) == inside.sysctls.get(name) for name in SYSCTLS)
    return holds_if(same, "The container has other values.", *evidence)


def judge_interfaces(states: States) -> Judgement:
    """The claim holds if the container sees bridges and veth interfaces."""
    machine, inside = states
    kinds = {link.kind for link in inside.interfaces}
    evidence = (
        f"interfaces of the machine: {', '.join(interface_names(machine))}",
        f"interfaces in the container: {', '.join(interface_names(inside))}",
    )
    return holds_if({"bridge", "veth"} <= kinds, "The container does not see the machine's interfaces.", *evidence)


def judge_own_stack(states: States) -> Judgement:
    """The claim holds if the container has a network namespace of its own, with the interfaces lo and eth0 only."""
    machine, inside = states
    evidence = (
        f"net namespaces: machine {machine.netns}, container {inside.netns}",
        f"interfaces in the container: {', '.join(interface_names(inside))}",
    )
    proved = machine.netns != inside.netns and interface_names(inside) == ("lo", "eth0")
    return holds_if(proved, "The container does not have its own stack with lo and eth0.", *evidence)


def judge_no_address(container: Container) -> Judgement:
    """The claim holds if the Engine assigned the container no address on any network."""
    evidence = [
        f"NetworkSettings.Networks.{name}.IPAddress: {address or 'empty'}"
        for name, address in container.addresses.items()
    ]
    return holds_if(not container.address, f"The Engine gave it {container.address}.", *evidence)


def judge_sandbox(container: Container) -> Judgement:
    """The claim holds if ``SandboxKey`` ends with ``/netns/default``, the Engine's name for the machine's namespace."""
    key = str(container.setting("NetworkSettings", "SandboxKey") or "")
    evidence = f"NetworkSettings.SandboxKey: {key or 'empty'}"
    return holds_if(key.endswith("/netns/default"), "The Engine created a sandbox.", evidence)


async def observe_launch(testbed: Testbed) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Launches a container; returns the names of the machine's interfaces before and after."""
    before = interface_names(await testbed.state(MACHINE))
    await testbed.run(LINE)
    return before, interface_names(await testbed.state(MACHINE))


def judge_no_interface(names: tuple[tuple[str, ...], tuple[str, ...]]) -> Judgement:
    """The claim holds if the machine has the same interfaces before and after the container is launched."""
    before, after = names
    evidence = (f"before: {', '.join(before)}", f"after: {', '.join(after)}")
    new = ", ".join(name for name in after if name not in before)
    return holds_if(set(before) == set(after), f"The machine has a new interface: {new}.", *evidence)


CLAIMS = (
    Claim(
        id="host-keeps-the-rest",
        topic=Topic.ISOLATION,
        statement="In host mode file system, processes, IPC and host name stay isolated: the container has its own "
        "mnt, pid, ipc and uts namespaces.",
        source="Docker documentation, “Networking using the host network”; namespaces(7)",
        exact="“No isolation” applies to the network only.",
        observe=observe_namespaces(LINE),
        judge=judge_rest,
        lines=(LINE,),
        mutation={"--network host": "--network host --pid host"},
    ),
    Claim(
        id="uts-host",
        topic=Topic.ISOLATION,
        statement="Only --uts host shares the machine's host name; --network host alone does not.",
        source="docker-run(1), --uts",
        observe=observe_namespaces(WITH_UTS),
        judge=judge_uts,
        lines=(WITH_UTS,),
        mutation={" --uts host": ""},
    ),
    Claim(
        id="host-copies-hostname",
        topic=Topic.ISOLATION,
        statement="In host mode the container has the machine's host name: a copy, in its own uts namespace.",
        source="Moby, daemon/container_operations.go",
        exact="Often described as “the host name is shared”. It is copied at start: neither the machine nor the "
        "container sees a later change of the other's name.",
        observe=observe_states(LINE),
        judge=judge_copied_hostname,
        lines=(LINE,),
        mutation={"--network host": "--network host --uts host"},
    ),
    Claim(
        id="hostname-in-host-mode",
        topic=Topic.ISOLATION,
        statement="--hostname works in host mode and does not change the machine's name.",
        source="docker-run(1), --hostname; uts_namespaces(7)",
        observe=observe_states(WITH_HOSTNAME),
        judge=judge_own_hostname,
        lines=(WITH_HOSTNAME,),
        mutation={" --hostname mine": ""},
    ),
    Claim(
        id="host-sysctls",
        topic=Topic.ISOLATION,
        statement="In host mode network sysctls are the machine's: low ports stay privileged and ping works as it does "
        "there.",
        source="Docker documentation, “Host network driver”; Moby, daemon/daemon_unix.go",
        exact="A bridge container gets ip_unprivileged_port_start=0 and an open ping_group_range, so a program that "
        "works there may lack privileges in host mode.",
        observe=observe_states(LINE),
        judge=judge_sysctls,
        lines=(LINE,),
        mutation={"--network host": "--network bridge"},
    ),
    Claim(
        id="host-sees-interfaces",
        topic=Topic.ISOLATION,
        statement="A container in host mode sees the machine's interfaces: docker0, every br-* and the veth ends of "
        "all other containers.",
        source="Docker documentation, “Networking using the host network”: examine all network interfaces",
        observe=observe_states(IN_BRIDGE_MODE, LINE),
        judge=judge_interfaces,
        lines=(IN_BRIDGE_MODE, LINE),
        mutation={"--network host": "--network none"},
        otherwise=(
            Expectation(ROOTLESS_PODMAN, not_testable=ROOTLESS_PODMAN_BRIDGES),
            Expectation(
                PODMAN,
                statement="A container in host mode sees the machine's interfaces: podman0, every podmanN and the veth "
                "ends of all other containers.",
                judge=judge_interfaces,
            ),
        ),
    ),
    Claim(
        id="bridge-own-stack",
        topic=Topic.BRIDGE,
        statement="In bridge mode the container has its own network namespace, with lo and eth0.",
        source="Docker documentation, “Bridge network driver”; network_namespaces(7)",
        observe=observe_states(IN_BRIDGE_MODE),
        judge=judge_own_stack,
        lines=(IN_BRIDGE_MODE,),
        mutation={"--network bridge": "--network host"},
    ),
    Claim(
        id="host-no-address",
        topic=Topic.ISOLATION,
        statement="In host mode the container gets no IP address of its own.",
        source="Docker documentation, “Host network driver”",
        observe=observe_container(LINE),
        judge=judge_no_address,
        lines=(LINE,),
        mutation={"--network host": "--network bridge"},
    ),
    Claim(
        id="host-sandbox",
        topic=Topic.ISOLATION,
        statement="In host mode the Engine creates no sandbox: SandboxKey ends in /netns/default.",
        source="Moby, libnetwork/sandbox.go; docker inspect",
        observe=observe_container(LINE),
        judge=judge_sandbox,
        lines=(LINE,),
        mutation={"--network host": "--network none"},
        otherwise=(
            Expectation(PODMAN, not_testable="Podman has no libnetwork sandboxes: SandboxKey is empty in host mode."),
        ),
    ),
    Claim(
        id="host-no-interface",
        topic=Topic.ISOLATION,
        statement="Launching a container in host mode creates no network interface on the machine.",
        source="Docker documentation, “Networking using the host network”: verify that a new one was not created",
        observe=observe_launch,
        judge=judge_no_interface,
        lines=("ip -o link", LINE, "ip -o link"),
        needs=frozenset({Need.ALONE}),
        mutation={"--network host": "--network bridge"},
    ),
)
