"""Multicast works within one bridge network."""

from dashboard.core.claims.judges import judge_arrived
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.observers import observe_datagram

LINES = (
    "docker network create lab",
    "docker network create other",
    "docker run -d --name one --network {lab} IMAGE sleep 60",
    "docker run -d --name two --network {lab} IMAGE sleep 60",
)

CLAIM = Claim(
    id="multicast-between-containers",
    topic=Topic.BRIDGE,
    statement="Within one bridge network containers receive each other's multicast.",
    source="Linux, Documentation/networking/bridge.rst; RFC 1112",
    observe=observe_datagram(LINES, "one", "two", "239.1.2.6", 8183),
    judge=judge_arrived(),
    lines=(*LINES, "docker exec one socat - UDP4-DATAGRAM:239.1.2.6:8183"),
    needs=frozenset({Need.ALONE}),
    mutation={"--name two --network {lab}": "--name two --network {other}"},
)
