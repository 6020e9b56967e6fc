"""Claims about requests to published ports of the machine: some are translated by the kernel (DNAT), others are served
by docker-proxy."""

from dashboard.core.claims.constructors import NOTHING_PUBLISHED
from dashboard.core.claims.engine_facts import PODMAN, ROOTLESS_PODMAN, EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, differs, holds_if
from dashboard.core.claims.observers import DnatRequest, observe_dnat
from dashboard.core.claims.testbed import Testbed

AT_LOOPBACK = "docker run -d -p 8104:80 IMAGE"
AT_OTHER_ADDRESS = "docker run -d -p 8105:80 IMAGE"
WITHOUT_PROXY = "docker run -d -p 8194:80 IMAGE"
DAEMON = "dockerd --userland-proxy=false"
COUNTERS = "iptables-save -c -t nat"
NO_ANSWER = "Nothing answers there."


def _evidence(observed: DnatRequest) -> tuple[str, str]:
    before, after, response, gateway = observed
    return (
        f"packets matched by the DNAT rule of the port: {before} before, {after} after",
        f"GET: {response.summary}; the network's gateway is {gateway}",
    )


def judge_proxied(observed: DnatRequest) -> Judgement:
    """The claim holds if the DNAT rule counted no packet and the server saw the gateway as its client."""
    before, after, response, gateway = observed
    if response.status != 200:
        return differs(NO_ANSWER, *_evidence(observed))
    proved = before == after and response.client_seen == gateway
    return holds_if(proved, "The packets were translated (DNAT).", *_evidence(observed))


def judge_translated(observed: DnatRequest) -> Judgement:
    """The claim holds if the DNAT rule counted packets and the server answered."""
    before, after, response, _gateway = observed
    if response.status != 200:
        return differs(NO_ANSWER, *_evidence(observed))
    return holds_if(after > before, "No DNAT rule matched the packets.", *_evidence(observed))


def judge_masqueraded(observed: DnatRequest) -> Judgement:
    """The claim holds if the DNAT rule counted packets and the server saw the gateway as its client."""
    before, after, response, gateway = observed
    proved = response.status == 200 and after > before and response.client_seen == gateway
    return holds_if(proved, "The request was not translated and masqueraded.", *_evidence(observed))


def judge_slirp(observed: DnatRequest) -> Judgement:
    """The claim holds if there was no response and no DNAT rule counted packets."""
    before, after, response, _gateway = observed
    proved = response.status is None and before == after
    return holds_if(proved, "The port answered at the other address, or a rule counted packets.", *_evidence(observed))


async def observe_without_proxy(testbed: Testbed) -> DnatRequest:
    """Sends a request to a published port on an engine without docker-proxy, and reads the counter of the port's DNAT
    rule."""
    engine = await testbed.start_engine(DAEMON)
    observed: DnatRequest = await observe_dnat(WITHOUT_PROXY, "127.0.0.1", 8194)(engine)
    return observed


CLAIMS = (
    Claim(
        id="loopback-through-proxy",
        topic=Topic.PUBLISHING,
        statement="A request to a published port at 127.0.0.1 goes through docker-proxy: no DNAT rule matches it, and "
        "the server sees the bridge's gateway as its client.",
        source="Moby, libnetwork/drivers/bridge/setup_ip_tables_linux.go: ! -d 127.0.0.0/8",
        exact="“Docker maps the port with iptables” is incomplete: requests to localhost, the address you type most, "
        "go through docker-proxy.",
        observe=observe_dnat(AT_LOOPBACK, "127.0.0.1", 8104),
        judge=judge_proxied,
        lines=(AT_LOOPBACK, COUNTERS, "curl http://127.0.0.1:8104/", COUNTERS),
        needs=frozenset({Need.PRIVATE}),
        mutation={"127.0.0.1": "{machine}"},
        otherwise=(
            Expectation(
                ROOTLESS_PODMAN, not_testable="Podman has no docker-proxy: without root, rootlessport listens."
            ),
            Expectation(
                PODMAN,
                not_testable="Podman has no docker-proxy: netavark translates (DNAT) requests to 127.0.0.1 too, in "
                "rules without counters.",
            ),
            Expectation(
                EngineCondition(userland_proxy=False),
                statement="The kernel translates (DNAT) a request to a published port at 127.0.0.1 too: the "
                "rule's counter increases.",
                judge=judge_translated,
                exact="The Engine sets route_localnet for it, and leaves ! -d 127.0.0.0/8 out of the rule.",
                mutation={" -p 8104:80": ""},
            ),
            Expectation(
                EngineCondition(iptables=False),
                statement="A request to a published port at 127.0.0.1 goes through docker-proxy, as at any other "
                "address: no rule matches it, and the server sees the bridge's gateway as its client.",
                judge=judge_proxied,
                mutation={" -p 8104:80": ""},
            ),
        ),
    ),
    Claim(
        id="other-address-dnat",
        topic=Topic.PUBLISHING,
        statement="The kernel translates (DNAT) a request to a published port at any other address of the machine: the "
        "rule's counter increases.",
        source="Moby, libnetwork/drivers/bridge/setup_ip_tables_linux.go; iptables-save(8)",
        observe=observe_dnat(AT_OTHER_ADDRESS, "{machine}", 8105),
        judge=judge_translated,
        lines=(AT_OTHER_ADDRESS, COUNTERS, "curl http://{machine}:8105/", COUNTERS),
        needs=frozenset({Need.PRIVATE}),
        mutation={"{machine}": "127.0.0.1"},
        otherwise=(
            Expectation(PODMAN, not_testable="The claim reads the packet counters of Docker's chain in iptables."),
            Expectation(
                EngineCondition(rootless_network="slirp4netns"),
                statement="A published port answers only at 127.0.0.1 of RootlessKit's namespace, to which RootlessKit "
                "connects: nothing answers at the namespace's other address.",
                judge=judge_slirp,
            ),
            Expectation(
                EngineCondition(iptables=False),
                statement="A request to a published port goes through docker-proxy at any other address of the machine "
                "too: the server sees the bridge's gateway as its client.",
                judge=judge_proxied,
                mutation={" -p 8105:80": ""},
            ),
            Expectation(
                EngineCondition(userland_proxy=False),
                statement="The kernel translates (DNAT) a request to a published port at any other address of the "
                "machine, as at 127.0.0.1: the rule's counter increases.",
                judge=judge_translated,
                mutation={" -p 8105:80": ""},
            ),
        ),
    ),
    Claim(
        id="proxy-off-loopback",
        topic=Topic.PUBLISHING,
        statement="With userland-proxy=false the kernel translates (DNAT) requests to 127.0.0.1 as well, and "
        "masquerades them: the server still sees the gateway.",
        source="dockerd(8), --userland-proxy; ip-sysctl, route_localnet",
        observe=observe_without_proxy,
        judge=judge_masqueraded,
        lines=(WITHOUT_PROXY, DAEMON, "curl http://127.0.0.1:8194/"),
        needs=frozenset({Need.OWN_HOST}),
        mutation={"--userland-proxy=false": "--userland-proxy=true"},
        otherwise=(NOTHING_PUBLISHED, Expectation(PODMAN, not_testable="Podman has no dockerd with this option.")),
    ),
)
