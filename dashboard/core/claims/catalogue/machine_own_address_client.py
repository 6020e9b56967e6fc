"""A request from the machine to its own address keeps that address."""

from dashboard.core.claims.engine_facts import ROOTLESS_PODMAN, SLIRP4NETNS, SLIRP4NETNS_LOOPBACK, EngineCondition
from dashboard.core.claims.exchanges import Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.modes import MACHINE

LINES = ("docker run -d --name web -p 8163:80 IMAGE",)

CLAIM = Claim(
    id="machine-own-address-client",
    topic=Topic.PUBLISHING,
    statement="The machine reaches a published port at its own address, and the server sees that address as the "
    "client's.",
    source="iptables-extensions(8), DNAT; Moby, nat OUTPUT rule",
    observe=observe_exchanges(LINES, Ask(MACHINE, "{machine}", 8163)),
    judge=judge_exchanges(answers("192.0.2.2")),
    lines=(*LINES, "curl http://{machine}:8163/"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"-p 8163:80": "-p 127.0.0.1:8163:80"},
    otherwise=(
        Expectation(
            ROOTLESS_PODMAN,
            not_testable="Without root, rootlessport forwards requests: the server sees an address of its own network.",
        ),
        Expectation(SLIRP4NETNS, not_testable=SLIRP4NETNS_LOOPBACK),
        Expectation(
            EngineCondition(rootless_network="pasta"),
            statement="RootlessKit's namespace reaches a published port at its own address, and the server sees that "
            "address as the client's.",
            judge=judge_exchanges(answers("10.0.2.100")),
        ),
        Expectation(
            EngineCondition(iptables=False), not_testable="With iptables=false docker-proxy serves every request."
        ),
        Expectation(
            EngineCondition(userland_proxy=False),
            statement="Without docker-proxy the Engine masquerades the machine's own requests to containers: the "
            "server sees the gateway as the client.",
            judge=judge_exchanges(answers("web.gateway")),
        ),
    ),
)
