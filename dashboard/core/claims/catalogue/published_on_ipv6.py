"""The claim that a port published from an IPv4-only bridge answers on IPv6 as well."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.testbed import Response, Testbed
from dashboard.core.modes import MACHINE

LINE = "docker run -d -p 8108:80 IMAGE"

Observed = tuple[Response, str, tuple[str, ...]]


async def observe(testbed: Testbed) -> Observed:
    """Sends a request to the published port at ::1; returns the response, the address of the container's gateway, and
    the container's own addresses."""
    container = await testbed.run(LINE)
    await testbed.wait_listening(container, 80)
    interfaces = (await testbed.state(container)).interfaces
    own = tuple(address.address for link in interfaces for address in link.addresses if link.kind != "loopback")
    return await testbed.request(MACHINE, "::1", 8108), container.gateway, own


def _evidence(observed: Observed) -> tuple[str, str]:
    response, _gateway, own = observed
    return f"GET http://[::1]:8108/: {response.summary}", f"addresses of the container: {', '.join(own) or 'none'}"


def judge(observed: Observed) -> Judgement:
    """The claim holds if the server answers the IPv6 request and sees the container's IPv4 gateway as its client."""
    response, gateway, _own = observed
    proved = response.status == 200 and response.client_seen == gateway
    return holds_if(proved, "The port does not answer there through docker-proxy.", *_evidence(observed))


def judge_without_proxy(observed: Observed) -> Judgement:
    """The claim holds if the connection to ::1 is refused."""
    return holds_if(not observed[0].connected, "The port accepts connections there.", *_evidence(observed))


def judge_with_ipv6(observed: Observed) -> Judgement:
    """The claim holds if the server answers and sees an IPv6 client."""
    response, _gateway, _own = observed
    proved = response.status == 200 and ":" in response.client_seen
    return holds_if(proved, "The server does not see an IPv6 client there.", *_evidence(observed))


CLAIM = Claim(
    id="published-on-ipv6",
    topic=Topic.PUBLISHING,
    statement="A port published from an IPv4-only bridge also answers at the machine's IPv6 addresses, but only "
    "through docker-proxy.",
    source="Moby, cmd/docker-proxy",
    exact="The server sees an IPv4 client. With --userland-proxy=false nothing answers at [::1].",
    observe=observe,
    judge=judge,
    lines=(LINE, "curl http://[::1]:8108/"),
    needs=frozenset({Need.PRIVATE, Need.IPV6}),
    mutation={"-p 8108:80": "-p 127.0.0.1:8108:80"},
    otherwise=(
        Expectation(PODMAN, not_testable="Podman has no docker-proxy to forward IPv6 requests to an IPv4 container."),
        Expectation(
            EngineCondition(userland_proxy=False),
            statement="A published port does not answer at [::1].",
            judge=judge_without_proxy,
            exact="DNAT does not apply to IPv6 loopback addresses, and from an IPv4-only bridge nothing is published "
            "at other IPv6 addresses either.",
            mutation={"-p 8108:80": "--network host -e NETMODES_PORT=8108"},
        ),
        Expectation(
            EngineCondition(bridge_ipv6=True),
            statement="A port published from a bridge with IPv6 answers at the machine's IPv6 addresses, and the "
            "server sees an IPv6 client.",
            judge=judge_with_ipv6,
        ),
    ),
)
