"""Claims about the name servers in a container's resolv.conf: the machine's, Docker's own resolver, or those that an
option gives."""

from dashboard.core.claims.engine_facts import PODMAN, ROOTLESS_PODMAN
from dashboard.core.claims.extract import nameservers, on_one_line
from dashboard.core.claims.judges import judge_stripped
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import Files, observe_files, observe_resolv_conf
from dashboard.core.claims.prepared import prepared
from dashboard.core.claims.testbed import Testbed
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.resolver import is_loopback

ON_MACHINE, IN_CONTAINER = "cat /etc/resolv.conf", "docker exec ID cat /etc/resolv.conf"
HOST = "docker run -d --network host IMAGE sleep 60"
BRIDGE = "docker run -d --network bridge IMAGE sleep 60"
NONE = "docker run -d --network none IMAGE sleep 60"
NETWORK = "docker network create lab"
ON_NETWORK = "docker run -d --network {lab} IMAGE sleep 60"
WITH_OPTION = "docker run -d --network host --dns 192.0.2.99 IMAGE sleep 60"
ONLY_LOOPBACK = "nameserver 127.0.0.53\n"
MIXED = "nameserver 127.0.0.53\nnameserver 192.0.2.53\n"
DOCUMENTED = "Docker documentation, “Networking overview”, DNS services"


def _evidence(files: Files) -> tuple[str, str]:
    machine, inside = files
    return f"resolv.conf of the machine: {on_one_line(machine)}", f"in the container: {on_one_line(inside)}"


def judge_copy(files: Files) -> Judgement:
    """The claim holds if the container has the machine's name servers."""
    machine, inside = map(nameservers, files)
    return holds_if(machine == inside, "The container does not have the machine's servers.", *_evidence(files))


def judge_fallback(files: Files) -> Judgement:
    """The claim holds if the container has name servers, none of them at a loopback address."""
    servers = nameservers(files[1])
    proved = bool(servers) and not any(map(is_loopback, servers))
    return holds_if(proved, "The container has the machine's servers, or none.", *_evidence(files))


async def observe_edit(testbed: Testbed) -> Files:
    """Changes the machine's resolv.conf after a container was started; returns the resolv.conf of the machine and of
    the container."""
    await testbed.write_file("/etc/resolv.conf", "nameserver 192.0.2.53\n")
    container = await testbed.run(HOST)
    await testbed.write_file("/etc/resolv.conf", "nameserver 192.0.2.54\n")
    return await testbed.read_file(MACHINE, "/etc/resolv.conf"), await testbed.read_file(container, "/etc/resolv.conf")


def judge_unedited(files: Files) -> Judgement:
    """The claim holds if the name servers of the machine and the container differ."""
    machine, inside = map(nameservers, files)
    return holds_if(machine != inside, "The container has the machine's current servers.", *_evidence(files))


@prepared
def judge_only(resolv_conf: str, server: str, otherwise: str, option: str = "") -> Judgement:
    """The claim holds if ``server`` is the only name server in the container's resolv.conf, and the file contains the
    text ``option``. Otherwise the verdict is ``differs``, with the reason ``otherwise``."""
    proved = nameservers(resolv_conf) == (server,) and option in resolv_conf
    return holds_if(proved, otherwise, f"resolv.conf in the container: {on_one_line(resolv_conf)}")


CLAIMS = (
    Claim(
        id="resolv-host-copy",
        topic=Topic.DNS,
        statement="In host mode DNS comes from the machine: resolv.conf is a copy of the machine's file, including "
        "loopback servers such as 127.0.0.53.",
        source=f"{DOCUMENTED}; Moby, libnetwork/sandbox_dns_unix.go",
        observe=observe_files("/etc/resolv.conf", f"{MIXED}search lab.example\n", HOST),
        judge=judge_copy,
        lines=(ON_MACHINE, HOST, IN_CONTAINER),
        needs=frozenset({Need.ALONE}),
        mutation={"--network host": "--network bridge"},
    ),
    Claim(
        id="resolv-bridge-stripped",
        topic=Topic.DNS,
        statement="On the default bridge resolv.conf has the machine's name servers, without those at loopback "
        "addresses.",
        source=f"{DOCUMENTED}; Moby, libnetwork/internal/resolvconf",
        exact="“The default bridge has Docker's own resolver” is wrong: 127.0.0.11 is for user-defined networks only.",
        observe=observe_files("/etc/resolv.conf", MIXED, BRIDGE),
        judge=judge_stripped,
        lines=(ON_MACHINE, BRIDGE, IN_CONTAINER),
        needs=frozenset({Need.ALONE}),
        mutation={"--network bridge": "--network host"},
        otherwise=(
            Expectation(
                ROOTLESS_PODMAN,
                not_testable="Without root, pasta's resolver 169.254.1.1 replaces the servers at loopback addresses.",
            ),
        ),
    ),
    Claim(
        id="resolv-bridge-fallback",
        topic=Topic.DNS,
        statement="On the default bridge, if the machine names loopback servers only, the container gets public ones.",
        source="Moby, libnetwork/internal/resolvconf: defaultIPv4NSs",
        exact="Names of a company's internal network then do not resolve, and lookups of them leave that network. "
        "If 127.0.0.53 is the only one and /run/systemd/resolve/resolv.conf exists, the Engine reads that file "
        "instead.",
        observe=observe_files("/etc/resolv.conf", ONLY_LOOPBACK, BRIDGE),
        judge=judge_fallback,
        lines=(ON_MACHINE, BRIDGE, IN_CONTAINER),
        needs=frozenset({Need.ALONE}),
        mutation={"--network bridge": "--network host"},
    ),
    Claim(
        id="resolv-none-stripped",
        topic=Topic.DNS,
        statement="With --network none resolv.conf is written as on the default bridge, although no server is "
        "reachable.",
        source="Moby, libnetwork/sandbox_dns_unix.go",
        observe=observe_files("/etc/resolv.conf", MIXED, NONE),
        judge=judge_stripped,
        lines=(NONE, IN_CONTAINER),
        needs=frozenset({Need.ALONE}),
        mutation={"--network none": "--network host"},
    ),
    Claim(
        id="resolv-is-a-copy",
        topic=Topic.DNS,
        statement="Host mode has a copy of resolv.conf: the container does not see later edits on the machine until it "
        "starts again.",
        source="Moby, libnetwork/sandbox_dns_unix.go",
        exact="“Uses the host's DNS” suggests that it follows changes. It does not: when a laptop changes networks, "
        "the container keeps the old servers.",
        observe=observe_edit,
        judge=judge_unedited,
        lines=(HOST, "echo nameserver 192.0.2.54 > /etc/resolv.conf", IN_CONTAINER),
        needs=frozenset({Need.ALONE}),
        mutation={"192.0.2.54": "192.0.2.53"},
    ),
    Claim(
        id="resolv-user-docker",
        topic=Topic.DNS,
        statement="Only on a user-defined network does resolv.conf name Docker's own resolver: 127.0.0.11, ndots:0.",
        source=DOCUMENTED,
        observe=observe_resolv_conf(NETWORK, ON_NETWORK),
        judge=judge_only("127.0.0.11", "The name server is not Docker's resolver.", "ndots:0"),
        lines=(NETWORK, ON_NETWORK, IN_CONTAINER),
        mutation={"--network {lab}": "--network bridge"},
        otherwise=(
            Expectation(
                PODMAN,
                not_testable="On Podman aardvark-dns answers at the address of the network's bridge, not inside the "
                "container's namespace.",
            ),
        ),
    ),
    Claim(
        id="dns-option-in-host-mode",
        topic=Topic.DNS,
        statement="--dns works in host mode as in the other modes.",
        source="docker-run(1), --dns",
        exact="Some tutorials say that it is ignored. Only --network container: refuses it.",
        observe=observe_resolv_conf(WITH_OPTION),
        judge=judge_only("192.0.2.99", "The option had no effect."),
        lines=(WITH_OPTION,),
        mutation={" --dns 192.0.2.99": ""},
    ),
)
