"""Claims about what the Engine refuses: certain options in host mode, certain options together with --network
container:, the connection of a host-mode container to a network, and overlapping subnets."""

from collections.abc import Mapping
from typing import Unpack

from dashboard.core.claims.constructors import Details
from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.judges import judge_refused
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import observe_refusal, run_lines
from dashboard.core.claims.testbed import Container, Testbed

NETWORK = "docker network create lab"
IN_HOST_MODE = "docker run -d --network host IMAGE sleep 60"
OWNER = "docker run -d --name owner IMAGE sleep 60"
OPTIONS = ("-p 8119:80", "--dns 192.0.2.53", "--hostname mine", "--add-host a:192.0.2.1", "--expose 81")
GUEST = "docker run -d --network container:{owner} OPTION IMAGE sleep 60"
SUBNET = "docker network create --subnet 10.213.204.0/24 one"
OVERLAPPING = "docker network create --subnet 10.213.204.0/25 two"


def _claim(
    claim_id: str,
    statement: str,
    source: str,
    *lines: str,
    mutation: Mapping[str, str],
    needs: frozenset[Need] = frozenset(),
    **details: Unpack[Details],
) -> Claim:
    """Builds the claim that the Engine refuses the last command in ``lines``. Commands in ``lines`` that create a
    network are executed, but pages do not show them: only the mutation (``Claim.mutation``) uses these networks."""
    return Claim(
        id=claim_id,
        topic=Topic.WHEN,
        statement=statement,
        source=source,
        observe=observe_refusal(*lines),
        judge=judge_refused,
        lines=tuple(line for line in lines if not line.startswith("docker network create")),
        needs=needs,
        mutation=mutation,
        **details,
    )


async def observe_connection(testbed: Testbed) -> str:
    """Runs ``docker network connect`` for a container in host mode; returns the Engine's refusal, empty if the Engine
    accepts the command."""
    (container,) = await run_lines(testbed, NETWORK, IN_HOST_MODE)
    return await testbed.connect_network("{lab}", container)


def judge_connection(refusal: str) -> Judgement:
    """The claim holds if the Engine refuses to connect the container."""
    return holds_if(
        bool(refusal), "The Engine connected the container.", f"docker network connect: {refusal or 'done'}"
    )


async def observe_guests(testbed: Testbed) -> Mapping[str, Container]:
    """For each of ``OPTIONS``, runs a container with this option that joins the network namespace of the container
    ``owner``. Returns the containers by option."""
    await testbed.run(OWNER)
    return {option: await testbed.try_run(GUEST.replace("OPTION", option)) for option in OPTIONS}


def judge_guests(containers: Mapping[str, Container]) -> Judgement:
    """The claim holds if the Engine refuses every container."""
    evidence = [f"{option}: {container.summary}" for option, container in containers.items()]
    accepted = [option for option, container in containers.items() if not container.refused]
    return holds_if(not accepted, f"Accepted: {', '.join(accepted)}.", *evidence)


async def observe_overlap(testbed: Testbed) -> str:
    """Creates two networks with overlapping subnets; returns the Engine's refusal of the second one, empty if the
    Engine creates it."""
    await testbed.create_network(SUBNET)
    return await testbed.try_create_network(OVERLAPPING)


def judge_overlap(refusal: str) -> Judgement:
    """The claim holds if the Engine refuses the second network."""
    return holds_if(bool(refusal), "The Engine created the network.", f"docker network create: {refusal or 'accepted'}")


CLAIMS = (
    _claim(
        "sysctl-refused",
        "Network sysctls are refused in host mode: they would change the machine.",
        "opencontainers/runc, libcontainer/configs/validate",
        "docker run -d --network host --sysctl net.ipv4.ip_forward=1 IMAGE sleep 60",
        exact="The runtime refuses them when the container starts, so it stays behind as Created.",
        mutation={"--network host": "--network bridge"},
    ),
    _claim(
        "alias-refused",
        "--network-alias is refused in host mode: it is for user-defined networks.",
        "Moby, daemon/container_operations.go: validateEndpointSettings",
        NETWORK,
        "docker run -d --network host --network-alias shop IMAGE sleep 60",
        mutation={"--network host": "--network {lab}"},
    ),
    _claim(
        "ip-refused",
        "--ip is refused in host mode: the container has no address of its own.",
        "Moby, daemon/container_operations.go: validateEndpointSettings",
        "docker network create --subnet 10.213.201.0/24 lab",
        "docker run -d --network host --ip 10.213.201.9 IMAGE sleep 60",
        needs=frozenset({Need.PRIVATE}),
        mutation={"--network host": "--network {lab}"},
    ),
    _claim(
        "link-refused",
        "--link is refused in host mode.",
        "Moby, runconfig/hostconfig_unix.go",
        "docker run -d --name web IMAGE sleep 60",
        "docker run -d --network host --link {web}:web IMAGE sleep 60",
        mutation={"--network host": "--network bridge"},
    ),
    _claim(
        "uts-host-refuses-hostname",
        "--hostname together with --uts host is refused: it would rename the machine.",
        "Moby, runconfig/hostconfig_unix.go",
        "docker run -d --network host --uts host --hostname mine IMAGE sleep 60",
        mutation={" --uts host": ""},
    ),
    Claim(
        id="no-switch",
        topic=Topic.WHEN,
        statement="A container in host mode cannot be connected to another network: create it again in the other mode.",
        source="Docker documentation, docker network connect; Moby, daemon/container_operations.go",
        observe=observe_connection,
        judge=judge_connection,
        lines=(NETWORK, IN_HOST_MODE, "docker network connect {lab} ID"),
        mutation={"--network host": "--network bridge"},
    ),
    Claim(
        id="container-refuses",
        topic=Topic.WHEN,
        statement="--network container: refuses -p, --dns, --hostname, --add-host and --expose: they belong to the "
        "owner of the namespace.",
        source="Moby, runconfig/hostconfig.go; docker-run(1), --network",
        observe=observe_guests,
        judge=judge_guests,
        lines=(OWNER, *(GUEST.replace("OPTION", option) for option in OPTIONS)),
        needs=frozenset({Need.PRIVATE}),
        mutation={"--network container:{owner}": "--network bridge"},
        otherwise=(
            Expectation(PODMAN, not_testable="Podman accepts -p, --dns, --hostname and --expose beside container:."),
        ),
    ),
    Claim(
        id="overlap-refused",
        topic=Topic.BRIDGE,
        statement="The Engine refuses a bridge network if its --subnet overlaps the subnet of another Docker network: "
        "“Pool overlaps”.",
        source="docker-network-create(1), --subnet",
        observe=observe_overlap,
        judge=judge_overlap,
        lines=(SUBNET, OVERLAPPING),
        needs=frozenset({Need.PRIVATE}),
        mutation={"10.213.204.0/25": "10.213.205.0/24"},
    ),
)
