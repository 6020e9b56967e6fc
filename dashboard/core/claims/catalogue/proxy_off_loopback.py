"""Without docker-proxy the kernel serves 127.0.0.1 as well."""

from dashboard.core.claims.constructors import NOTHING_PUBLISHED
from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import DnatRequest, observe_dnat
from dashboard.core.claims.testbed import Testbed

LINES = ("docker run -d -p 8194:80 IMAGE",)
DAEMON = "dockerd --userland-proxy=false"


async def observe(testbed: Testbed) -> DnatRequest:
    """A request with the counter of its rule, on an engine without docker-proxy."""
    engine = await testbed.start_engine(DAEMON)
    observed: DnatRequest = await observe_dnat(LINES[0], "127.0.0.1", 8194)(engine)
    return observed


def judge(observed: DnatRequest) -> Judgement:
    """Holds if the rule counts and the server sees the gateway."""
    before, after, response, gateway = observed
    evidence = (
        f"packets matched by the DNAT rule of port 8194: {before} before, {after} after",
        f"GET: {response.summary}; the network's gateway is {gateway}",
    )
    proved = response.status == 200 and after > before and response.client_seen == gateway
    return holds_if(proved, "It was not translated and masqueraded.", *evidence)


CLAIM = Claim(
    id="proxy-off-loopback",
    topic=Topic.PUBLISHING,
    statement="With userland-proxy=false the kernel translates (DNAT) requests to 127.0.0.1 as well, and "
    "masquerades them: the server still sees the gateway.",
    source="dockerd(8), --userland-proxy; ip-sysctl, route_localnet",
    observe=observe,
    judge=judge,
    lines=(*LINES, DAEMON, "curl http://127.0.0.1:8194/"),
    needs=frozenset({Need.OWN_HOST}),
    mutation={"--userland-proxy=false": "--userland-proxy=true"},
    otherwise=(NOTHING_PUBLISHED, Expectation(PODMAN, not_testable="Podman has no dockerd with this option.")),
)
