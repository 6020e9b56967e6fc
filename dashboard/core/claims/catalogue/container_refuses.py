"""A container that shares another's network may set nothing of it."""

from __future__ import annotations

from collections.abc import Mapping

from dashboard.core.claims.model import Claim, Container, Judgement, Need, Stage, Topic, proves

FIRST = "docker run -d --name owner IMAGE sleep 60"
OPTIONS = ("-p 8119:80", "--dns 192.0.2.53", "--hostname mine", "--add-host a:192.0.2.1", "--expose 81")
LINE = "docker run -d --network container:{owner} OPTION IMAGE sleep 60"

Seen = Mapping[str, Container]


async def observe(stage: Stage) -> Seen:
    """Each option by itself."""
    await stage.run(FIRST)
    return {option: await stage.run(LINE.replace("OPTION", option)) for option in OPTIONS}


def judge(seen: Seen) -> Judgement:
    """All refused."""
    evidence = [f"{option}: {one.said}" for option, one in seen.items()]
    accepted = [option for option, one in seen.items() if not one.refused]
    return proves(not accepted, f"Accepted: {', '.join(accepted)}.", *evidence)


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
    counter={"--network container:{owner}": "--network bridge"},
)
