"""Requests to 127.0.0.1 go through docker-proxy: the DNAT rule counts no packets."""

from dashboard.core.claims.engine_facts import PODMAN, ROOTLESS_PODMAN, EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, differs, holds_if
from dashboard.core.claims.observers import DnatRequest, observe_dnat

LINE = "docker run -d -p 8104:80 IMAGE"


def _evidence(observed: DnatRequest) -> tuple[str, str]:
    before, after, response, gateway = observed
    return (
        f"packets matched by the DNAT rule of port 8104: {before} before, {after} after",
        f"GET: {response.summary}; the network's gateway is {gateway}",
    )


def judge(observed: DnatRequest) -> Judgement:
    """Holds if the rule counts no packet and the server sees the gateway."""
    before, after, response, gateway = observed
    evidence = _evidence(observed)
    if response.status != 200:
        return differs("Nothing answers there.", *evidence)
    proved = before == after and response.client_seen == gateway
    return holds_if(proved, "The packets were translated (DNAT).", *evidence)


def judge_without_proxy(observed: DnatRequest) -> Judgement:
    """Holds if the rule counts packets and the server answers."""
    before, after, response, _gateway = observed
    if response.status != 200:
        return differs("Nothing answers there.", *_evidence(observed))
    return holds_if(after > before, "No DNAT rule matched the packets.", *_evidence(observed))


CLAIM = Claim(
    id="loopback-through-proxy",
    topic=Topic.PUBLISHING,
    statement="A request to a published port at 127.0.0.1 goes through docker-proxy: no DNAT rule matches it, and the "
    "server sees the bridge's gateway as its client.",
    source="Moby, libnetwork/drivers/bridge/setup_ip_tables_linux.go: ! -d 127.0.0.0/8",
    exact="“Docker maps the port with iptables” is half the truth: localhost, the address you type most, is the other "
    "half.",
    observe=observe_dnat(LINE, "127.0.0.1", 8104),
    judge=judge,
    lines=(LINE, "iptables-save -c -t nat", "curl http://127.0.0.1:8104/", "iptables-save -c -t nat"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"127.0.0.1": "{machine}"},
    otherwise=(
        Expectation(ROOTLESS_PODMAN, not_testable="Podman has no docker-proxy: without root rootlessport listens."),
        Expectation(
            PODMAN,
            not_testable="Podman has no docker-proxy: netavark translates (DNAT) requests to 127.0.0.1 too, in rules "
            "without counters.",
        ),
        Expectation(
            EngineCondition(userland_proxy=False),
            statement="The kernel translates (DNAT) a request to a published port at 127.0.0.1 too: the "
            "rule's counter increases.",
            judge=judge_without_proxy,
            exact="The Engine sets route_localnet for it, and leaves ! -d 127.0.0.0/8 out of the rule.",
            mutation={" -p 8104:80": ""},
        ),
        Expectation(
            EngineCondition(iptables=False),
            statement="A request to a published port at 127.0.0.1 goes through docker-proxy, as at any other address: "
            "no rule matches it, and the server sees the bridge's gateway as its client.",
            judge=judge,
            mutation={" -p 8104:80": ""},
        ),
    ),
)
