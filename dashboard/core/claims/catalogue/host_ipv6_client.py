"""In host mode the server sees the IPv6 address of its client."""

from dashboard.core.claims.engine_facts import FIREWALLD, FIREWALLD_ZONE
from dashboard.core.claims.exchanges import Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = ("docker run -d --name web --network host -e NETMODES_PORT=8147 IMAGE",)

CLAIM = Claim(
    id="host-ipv6-client",
    topic=Topic.PUBLISHING,
    statement="A server in host mode answers on the machine's IPv6 addresses and sees the client's own IPv6 address.",
    source="Docker documentation, “Host network driver”; ipv6(7)",
    observe=observe_exchanges(LINES, Ask(NEIGHBOUR, "2001:db8::2", 8147)),
    judge=judge_exchanges(answers("2001:db8::10")),
    lines=(*LINES, "curl http://[2001:db8::2]:8147/  # on another machine"),
    needs=frozenset({Need.PRIVATE, Need.IPV6}),
    mutation={"--network host -e NETMODES_PORT=8147": "-p 8147:80"},
    otherwise=(Expectation(FIREWALLD, not_testable=FIREWALLD_ZONE),),
)
