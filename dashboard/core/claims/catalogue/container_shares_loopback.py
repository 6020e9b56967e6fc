"""container: is one namespace with one loopback."""

from __future__ import annotations

from collections.abc import Mapping

from dashboard.core.claims.extract import say_inodes
from dashboard.core.claims.model import Answer, Claim, Judgement, Stage, Topic, proves

FIRST = "docker run -d --name owner IMAGE"
LINE = "docker run -d --network container:{owner} IMAGE sleep 60"

Seen = tuple[Mapping[str, int], Mapping[str, int], Answer]


async def observe(stage: Stage) -> Seen:
    """Both namespaces, and a request from the guest to its loopback."""
    owner = await stage.run(FIRST)
    guest = await stage.run(LINE)
    await stage.serving(owner, 80)
    return await stage.inodes(owner), await stage.inodes(guest), await stage.request(guest, "127.0.0.1", 80)


def judge(seen: Seen) -> Judgement:
    """One inode, and the owner answers."""
    owner, guest, answer = seen
    evidence = (*say_inodes("net", {"the owner": owner, "the guest": guest}), f"GET http://127.0.0.1/: {answer.said}")
    return proves(owner["net"] == guest["net"] and answer.status == 200, "They are apart.", *evidence)


CLAIM = Claim(
    id="container-shares-loopback",
    topic=Topic.BRIDGE,
    statement="--network container: puts two containers into one network namespace: they reach each "
    "other at 127.0.0.1.",
    source="docker-run(1), --network container:; network_namespaces(7)",
    observe=observe,
    judge=judge,
    lines=(FIRST, LINE),
    counter={"--network container:{owner}": "--network bridge"},
)
