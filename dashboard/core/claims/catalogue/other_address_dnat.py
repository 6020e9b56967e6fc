"""The kernel translates requests to any other address of the machine."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, differs, holds_if
from dashboard.core.claims.observers import DnatRequest, observe_dnat

LINE = "docker run -d -p 8105:80 IMAGE"


def _evidence(observed: DnatRequest) -> tuple[str, str]:
    before, after, response, _gateway = observed
    counted = f"packets matched by the DNAT rule of port 8105: {before} before, {after} after"
    return counted, f"GET: {response.summary}"


def judge(observed: DnatRequest) -> Judgement:
    """Holds if the container answers and the rule counts packets."""
    before, after, response, _gateway = observed
    if response.status != 200:
        return differs("Nothing answers there.", *_evidence(observed))
    return holds_if(after > before, "No DNAT rule matched the packets.", *_evidence(observed))


def judge_without_iptables(observed: DnatRequest) -> Judgement:
    """Holds if the container answers, no rule counts packets, and the server sees the gateway."""
    before, after, response, gateway = observed
    proved = response.status == 200 and before == after and response.client_seen == gateway
    return holds_if(proved, "It does not answer there through docker-proxy.", *_evidence(observed))


def judge_slirp(observed: DnatRequest) -> Judgement:
    """Holds if nothing answers and no rule counts packets."""
    before, after, response, _gateway = observed
    proved = response.status is None and before == after
    return holds_if(proved, "The other address answered, or a rule counted packets.", *_evidence(observed))


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
    otherwise=(
        Expectation(PODMAN, not_testable="The claim reads the packet counters of Docker's chain in iptables."),
        Expectation(
            EngineCondition(rootless_network="slirp4netns"),
            statement="A published port answers at 127.0.0.1 of RootlessKit's namespace only, where RootlessKit "
            "connects to it: nothing answers at its other address.",
            judge=judge_slirp,
        ),
        Expectation(
            EngineCondition(iptables=False),
            statement="A request to a published port goes through docker-proxy at any other address of the machine "
            "too: the server sees the bridge's gateway as its client.",
            judge=judge_without_iptables,
            mutation={" -p 8105:80": ""},
        ),
        Expectation(
            EngineCondition(userland_proxy=False),
            statement="The kernel translates (DNAT) a request to a published port at any other address of the machine, "
            "as at 127.0.0.1: the rule's counter increases.",
            judge=judge,
            mutation={" -p 8105:80": ""},
        ),
    ),
)
