"""A service bound to 127.0.0.1 on the machine is reached from host mode."""

from __future__ import annotations

from dashboard.core.claims.model import Answer, Claim, Judgement, Need, Stage, Topic, proves

LINE = "docker run -d --network host IMAGE sleep 60"


async def observe(stage: Stage) -> Answer:
    """A request from the container to the machine's loopback."""
    await stage.serve_on_machine("127.0.0.1", 8115)
    return await stage.request(await stage.run(LINE), "127.0.0.1", 8115)


def judge(seen: Answer) -> Judgement:
    """An answer."""
    evidence = f"GET http://127.0.0.1:8115/ from the container: {seen.said}"
    return proves(seen.status == 200, "The machine's loopback is not reached.", evidence)


CLAIM = Claim(
    id="loopback-from-host",
    topic=Topic.INTERFERENCE,
    statement="A service that the machine binds to 127.0.0.1, such as a database, is reached from a container in host "
    "mode.",
    source="Docker documentation, “Host network driver”; network_namespaces(7)",
    exact="“Bound to loopback, so nobody gets at it” does not hold for containers in host mode.",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker exec ID wget -qO- http://127.0.0.1:8115/"),
    needs=frozenset({Need.PRIVATE}),
    counter={"--network host": "--network bridge"},
)
