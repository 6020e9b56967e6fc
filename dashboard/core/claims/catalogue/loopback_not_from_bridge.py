"""A service bound to 127.0.0.1 on the machine is not reached from bridge mode."""

from __future__ import annotations

from collections.abc import Mapping

from dashboard.core.claims.model import Answer, Claim, Judgement, Need, Stage, Topic, proves

LINE = "docker run -d --network bridge IMAGE sleep 60"

Seen = Mapping[str, Answer]


async def observe(stage: Stage) -> Seen:
    """Requests from the container to every address by which it might be."""
    await stage.serve_on_machine("127.0.0.1", 8116)
    one = await stage.run(LINE)
    places = {"its own loopback": "127.0.0.1", "the machine's address": "{machine}"}
    if one.gateway:
        places["the gateway"] = one.gateway
    return {name: await stage.request(one, address, 8116) for name, address in places.items()}


def judge(seen: Seen) -> Judgement:
    """None is accepted."""
    evidence = [f"GET at {name}: {answer.said}" for name, answer in seen.items()]
    return proves(not any(one.connected for one in seen.values()), "It is reached.", *evidence)


CLAIM = Claim(
    id="loopback-not-from-bridge",
    topic=Topic.INTERFERENCE,
    statement="From a container in bridge mode a service that the machine binds to 127.0.0.1 is not reached, by no "
    "address.",
    source="network_namespaces(7)",
    exact="Bind it to the gateway's address as well, or use host.docker.internal with a service that listens there.",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker exec ID wget -qO- http://127.0.0.1:8116/"),
    needs=frozenset({Need.PRIVATE}),
    counter={"--network bridge": "--network host"},
)
