"""A port published from an IPv4-only bridge answers on IPv6 as well."""

from __future__ import annotations

from dashboard.core.claims.model import Answer, Claim, Judgement, Need, Stage, Topic, proves
from dashboard.core.modes import MACHINE

LINE = "docker run -d -p 8108:80 IMAGE"

Seen = tuple[Answer, str, tuple[str, ...]]


async def observe(stage: Stage) -> Seen:
    """A request at ::1; the container's addresses."""
    one = await stage.run(LINE)
    await stage.serving(one, 80)
    state = await stage.state(one)
    own = tuple(a.address for link in state.interfaces for a in link.addresses if link.kind != "loopback")
    return await stage.request(MACHINE, "::1", 8108), one.gateway, own


def judge(seen: Seen) -> Judgement:
    """An answer over IPv6 that the server saw come over IPv4."""
    answer, gateway, own = seen
    evidence = (f"GET http://[::1]:8108/: {answer.said}", f"addresses of the container: {', '.join(own) or 'none'}")
    proved = answer.status == 200 and answer.client_seen == gateway
    return proves(proved, "It does not answer there through docker-proxy.", *evidence)


CLAIM = Claim(
    id="published-on-ipv6",
    topic=Topic.PUBLISHING,
    statement="A port published from an IPv4-only bridge answers at the machine's IPv6 addresses too, through "
    "docker-proxy alone.",
    source="Moby, cmd/docker-proxy",
    exact="The server sees an IPv4 client. With --userland-proxy=false nobody answers at [::1].",
    observe=observe,
    judge=judge,
    lines=(LINE, "curl http://[::1]:8108/"),
    needs=frozenset({Need.PRIVATE, Need.IPV6}),
    counter={"-p 8108:80": "-p 127.0.0.1:8108:80"},
)
