"""A server behind a published port sees another machine's address."""

from dashboard.core.claims.engine_facts import ROOTLESS_PODMAN, EngineCondition
from dashboard.core.claims.exchanges import NEIGHBOUR_ADDRESS, Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = ("docker run -d --name web -p 8144:80 IMAGE",)

CLAIM = Claim(
    id="published-client-from-lan",
    topic=Topic.PUBLISHING,
    statement="A server in bridge mode sees the real address of a client on another machine: DNAT changes the "
    "destination only.",
    source="Docker documentation, “Port publishing and mapping”; iptables-extensions(8), DNAT",
    exact="For requests that docker-proxy serves, it sees the gateway instead: requests from the machine to "
    "127.0.0.1, requests over IPv6 to an IPv4-only bridge, and all requests on Docker Desktop and in rootless mode.",
    observe=observe_exchanges(LINES, Ask(NEIGHBOUR, "{machine}", 8144)),
    judge=judge_exchanges(answers(NEIGHBOUR_ADDRESS)),
    lines=(*LINES, "curl http://{machine}:8144/  # on another machine"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"-p 8144:80": "-p 127.0.0.1:8144:80"},
    otherwise=(
        Expectation(
            ROOTLESS_PODMAN,
            not_testable="Without root, rootlessport forwards requests: the server sees an address of its own network.",
        ),
        Expectation(
            EngineCondition(iptables=False),
            statement="With iptables=false every request goes through docker-proxy: the server sees the gateway of "
            "its network as its client.",
            judge=judge_exchanges(answers("web.gateway")),
        ),
    ),
)
