"""The kernel translates requests to any other address of the machine."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Judgement, Need, Topic, differs, holds_if
from dashboard.core.claims.observers import DnatRequest, observe_dnat

LINE = "docker run -d -p 8105:80 IMAGE"


def judge(observed: DnatRequest) -> Judgement:
    """Holds if the container answers and the rule counts packets."""
    before, after, response, _gateway = observed
    evidence = (
        f"packets matched by the DNAT rule of port 8105: {before} before, {after} after",
        f"GET: {response.summary}",
    )
    if response.status != 200:
        return differs("Nothing answers there.", *evidence)
    return holds_if(after > before, "No DNAT rule matched the packets.", *evidence)


CLAIM = Claim(
    id="other-address-dnat",
    topic=Topic.PUBLISHING,
    statement="The kernel translates (DNAT) a request to a published port at any other address of the machine: the "
    "rule's counter increases.",
    source="Moby, libnetwork/drivers/bridge/setup_ip_tables_linux.go; iptables-save(8)",
    observe=observe_dnat(LINE, "{machine}", 8105),
    judge=judge,
    lines=(LINE, "iptables-save -c -t nat", "curl http://{machine}:8105/", "iptables-save -c -t nat"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"{machine}": "127.0.0.1"},
)
