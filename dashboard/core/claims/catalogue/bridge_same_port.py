"""Two containers in bridge mode may listen on the same port."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Container, Judgement, Need, Stage, Topic, proves

LINE = "docker run -d --network bridge IMAGE httpd -f -p 8117"

Pair = tuple[Container, Container]


async def observe(stage: Stage) -> Pair:
    """Two servers on one port number."""
    one = await stage.run(LINE)
    await stage.serving(one, 8117)
    two = await stage.run(LINE)
    await stage.serving(two, 8117)
    return await stage.again(one), await stage.again(two)


def judge(seen: Pair) -> Judgement:
    """Both run."""
    evidence = [f"{one.address or 'no address'}:8117: {one.said}" for one in seen]
    return proves(all(one.status == "running" for one in seen), "They got into each other's way.", *evidence)


CLAIM = Claim(
    id="bridge-same-port",
    topic=Topic.INTERFERENCE,
    statement="In bridge mode any number of containers may listen on the same port: each has its own.",
    source="Docker documentation, “Bridge network driver”; network_namespaces(7)",
    observe=observe,
    judge=judge,
    lines=(LINE, LINE),
    needs=frozenset({Need.PRIVATE}),
    counter={"--network bridge": "--network host"},
)
