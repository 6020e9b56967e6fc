"""Abstract unix sockets of the machine are not in a bridge container's namespace."""

from __future__ import annotations

from dashboard.core.claims.model import Answer, Claim, Judgement, Stage, Topic, proves

LINE = "docker run -d --network bridge IMAGE sleep 60"
NAME = "@netmodes-claim-bridge"


async def observe(stage: Stage) -> Answer:
    """A request over an abstract socket of the machine."""
    await stage.serve_on_machine(NAME)
    return await stage.request(await stage.run(LINE), NAME)


def judge(seen: Answer) -> Judgement:
    """Refused."""
    evidence = f"connect to {NAME} from the container: {'answered' if seen.connected else seen.error}"
    return proves(not seen.connected, "The socket is reached.", evidence)


CLAIM = Claim(
    id="abstract-not-from-bridge",
    topic=Topic.INTERFERENCE,
    statement="From a container in bridge mode the machine's abstract unix sockets are not reached.",
    source="unix(7), abstract sockets; network_namespaces(7)",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    counter={"--network bridge": "--network host"},
)
