"""A port published from an IPv4-only bridge answers on IPv6 as well."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Judgement, Need, Topic, holds_if
from dashboard.core.claims.testbed import Response, Testbed
from dashboard.core.modes import MACHINE

LINE = "docker run -d -p 8108:80 IMAGE"

Observed = tuple[Response, str, tuple[str, ...]]


async def observe(testbed: Testbed) -> Observed:
    """A request to ::1, and the container's addresses."""
    container = await testbed.run(LINE)
    await testbed.wait_listening(container, 80)
    interfaces = (await testbed.state(container)).interfaces
    own = tuple(address.address for link in interfaces for address in link.addresses if link.kind != "loopback")
    return await testbed.request(MACHINE, "::1", 8108), container.gateway, own


def judge(observed: Observed) -> Judgement:
    """Holds if the response comes over IPv6 although the server sees an IPv4 client."""
    response, gateway, own = observed
    evidence = (
        f"GET http://[::1]:8108/: {response.summary}",
        f"addresses of the container: {', '.join(own) or 'none'}",
    )
    proved = response.status == 200 and response.client_seen == gateway
    return holds_if(proved, "It does not answer there through docker-proxy.", *evidence)


CLAIM = Claim(
    id="published-on-ipv6",
    topic=Topic.PUBLISHING,
    statement="A port published from an IPv4-only bridge also answers at the machine's IPv6 addresses, through "
    "docker-proxy alone.",
    source="Moby, cmd/docker-proxy",
    exact="The server sees an IPv4 client. With --userland-proxy=false nothing answers at [::1].",
    observe=observe,
    judge=judge,
    lines=(LINE, "curl http://[::1]:8108/"),
    needs=frozenset({Need.PRIVATE, Need.IPV6}),
    mutation={"-p 8108:80": "-p 127.0.0.1:8108:80"},
)
