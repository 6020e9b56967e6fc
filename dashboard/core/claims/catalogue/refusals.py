"""Options that the Engine refuses in host mode."""

from collections.abc import Mapping
from typing import Unpack

from dashboard.core.claims.constructors import Details
from dashboard.core.claims.judges import judge_refused
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.observers import observe_refusal


def _claim(
    claim_id: str,
    statement: str,
    source: str,
    *lines: str,
    mutation: Mapping[str, str],
    needs: frozenset[Need] = frozenset(),
    **details: Unpack[Details],
) -> Claim:
    """The Engine refuses the last line. A network that only the mutation uses is not shown."""
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
        "docker network create lab",
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
)
