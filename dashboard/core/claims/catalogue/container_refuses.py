"""A container that shares another container's network cannot configure it."""

from collections.abc import Mapping

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.testbed import Container, Testbed

FIRST = "docker run -d --name owner IMAGE sleep 60"
OPTIONS = ("-p 8119:80", "--dns 192.0.2.53", "--hostname mine", "--add-host a:192.0.2.1", "--expose 81")
LINE = "docker run -d --network container:{owner} OPTION IMAGE sleep 60"


async def observe(testbed: Testbed) -> Mapping[str, Container]:
    """One container for each option."""
    await testbed.run(FIRST)
    return {option: await testbed.try_run(LINE.replace("OPTION", option)) for option in OPTIONS}


def judge(containers: Mapping[str, Container]) -> Judgement:
    """Holds if all are refused."""
    evidence = [f"{option}: {container.summary}" for option, container in containers.items()]
    accepted = [option for option, container in containers.items() if not container.refused]
    return holds_if(not accepted, f"Accepted: {', '.join(accepted)}.", *evidence)


CLAIM = Claim(
    id="container-refuses",
    topic=Topic.WHEN,
    statement="--network container: refuses -p, --dns, --hostname, --add-host and --expose: they belong to the owner of"
    " the namespace.",
    source="Moby, runconfig/hostconfig.go; docker-run(1), --network",
    observe=observe,
    judge=judge,
    lines=(FIRST, *(LINE.replace("OPTION", option) for option in OPTIONS)),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network container:{owner}": "--network bridge"},
    otherwise=(
        Expectation(PODMAN, not_testable="Podman accepts -p, --dns, --hostname and --expose beside container:."),
    ),
)
