"""In host mode a program without rights may not bind a low port."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Container, Judgement, Need, Stage, Topic, proves

LINE = "docker run -d --network host --user 1000:1000 --cap-drop ALL IMAGE httpd -f -p 81"


async def observe(stage: Stage) -> Container:
    """What became of it."""
    return await stage.ended(await stage.run(LINE), within_s=2)


def judge(seen: Container) -> Judgement:
    """Ended with the kernel's refusal."""
    evidence = f"the container: {seen.said}"
    proved = seen.status == "exited" and any("denied" in line.lower() for line in seen.logs)
    return proves(proved, "It bound the port.", evidence)


CLAIM = Claim(
    id="low-port-in-host-mode",
    topic=Topic.WHEN,
    statement="In host mode a program without root and capabilities gets “Permission denied” on port 81: the machine's "
    "ports below 1024 are privileged.",
    source="ip(7), ip_unprivileged_port_start",
    exact="An image that runs as another user works in bridge mode and fails in host mode, unless it listens on a "
    "high port. --cap-add NET_BIND_SERVICE is no remedy: Docker gives it to root only.",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker logs ID"),
    needs=frozenset({Need.PRIVATE}),
    counter={"--network host": "--network bridge"},
)
