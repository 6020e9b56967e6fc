"""Claims about which container names a container resolves."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack

from dashboard.core.claims.constructors import ONE_NETWORK, Details
from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.judges import judge_names, judge_no_names
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic
from dashboard.core.claims.observers import observe_names

BRIDGE_DRIVER = "Docker documentation, “Bridge network driver”"


def _claim(
    claim_id: str,
    *,
    statement: str,
    lines: Sequence[str],
    names: Sequence[str],
    judge: Callable[[Any], Judgement],
    mutation: Mapping[str, str],
    source: str = BRIDGE_DRIVER,
    needs: frozenset[Need] = frozenset(),
    typed: str = "",
    **details: Unpack[Details],
) -> Claim:
    """Builds a claim about lookups of ``names`` in the container ``client``. Pages show ``nslookup`` with each name, or
    the command ``typed`` if it is given."""
    lookups = [f"nslookup {name.strip('{}')}" for name in names]
    return Claim(
        id=claim_id,
        topic=Topic.DNS,
        statement=statement,
        source=source,
        observe=observe_names(lines, "client", *names),
        judge=judge,
        lines=(*lines, *(f"docker exec client {command}" for command in ([typed] if typed else lookups))),
        needs=needs,
        mutation=mutation,
        **details,
    )


CLAIMS = (
    _claim(
        "host-mode-name-unknown",
        statement="The name of a container in host mode does not resolve on any network: use host.docker.internal or "
        "the gateway's address.",
        source="Docker documentation, “Host network driver”",
        lines=(
            "docker network create lab",
            "docker run -d --name web --network host IMAGE sleep 60",
            "docker run -d --name client --network {lab} IMAGE sleep 60",
        ),
        names=("{web}",),
        judge=judge_no_names,
        needs=frozenset({Need.PRIVATE}),
        mutation={"--network host": "--network {lab}"},
    ),
    _claim(
        "link-on-default-bridge",
        statement="On the default bridge the legacy option --link adds a name for the other container to the hosts "
        "file.",
        source="Docker documentation, “Legacy container links”",
        lines=(
            "docker run -d --name web IMAGE sleep 60",
            "docker run -d --name client --link {web}:db IMAGE sleep 60",
        ),
        names=("db",),
        judge=judge_names,
        typed="cat /etc/hosts",
        mutation={" --link {web}:db": ""},
        otherwise=(Expectation(PODMAN, not_testable="Podman does not support --link."),),
    ),
    _claim(
        "name-not-across-networks",
        statement="A container's name does not resolve on another network, even if both networks are user-defined.",
        lines=(
            "docker network create one",
            "docker network create two",
            "docker run -d --name web --network {one} IMAGE sleep 60",
            "docker run -d --name client --network {two} IMAGE sleep 60",
        ),
        names=("{web}",),
        judge=judge_no_names,
        mutation={"--network {two}": "--network {one}"},
    ),
    _claim(
        "two-networks-names",
        statement="A container on two networks resolves the names of both.",
        lines=(
            "docker network create one",
            "docker network create two",
            "docker run -d --name web --network {one} IMAGE sleep 60",
            "docker run -d --name db --network {two} IMAGE sleep 60",
            "docker run -d --name client --network {one} --network {two} IMAGE sleep 60",
        ),
        names=("{web}", "{db}"),
        judge=judge_names,
        mutation={"--network {one} --network {two}": "--network {one}"},
        otherwise=(ONE_NETWORK,),
    ),
    _claim(
        "no-internal-name",
        statement="On Linux host.docker.internal does not resolve unless the container was started with --add-host "
        "host.docker.internal:host-gateway.",
        source="docker-run(1), --add-host",
        exact="On Docker Desktop the name always exists.",
        lines=("docker run -d --name client IMAGE sleep 60",),
        names=("host.docker.internal",),
        judge=judge_no_names,
        needs=frozenset({Need.PRIVATE}),
        mutation={"--name client": "--name client --add-host host.docker.internal:host-gateway"},
        otherwise=(Expectation(PODMAN, not_testable="Podman adds the name itself."),),
    ),
)
