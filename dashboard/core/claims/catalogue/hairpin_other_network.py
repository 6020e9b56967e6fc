"""A published port connects isolated networks."""

from dashboard.core.claims.engine_facts import PODMAN, SLIRP4NETNS, SLIRP4NETNS_LOOPBACK, EngineCondition
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic

LINES = (
    "docker network create one",
    "docker network create two",
    "docker run -d --name web --network {one} -p 8168:80 IMAGE",
    "docker run -d --name client --network {two} IMAGE sleep 60",
)

CLAIM = Claim(
    id="hairpin-other-network",
    topic=Topic.PUBLISHING,
    statement="A container on another bridge network cannot reach a container's own address, but reaches its "
    "published port at the machine's address.",
    source="Docker documentation, “Port publishing and mapping”",
    observe=observe_exchanges(LINES, Ask("client", "web.address", 80), Ask("client", "{machine}", 8168)),
    judge=judge_exchanges(NO_CONNECTION, answers()),
    lines=(*LINES, "docker exec client wget -O- http://ADDRESS/", "docker exec client wget -O- http://{machine}:8168/"),
    needs=frozenset({Need.ALONE}),
    mutation={"--network {two}": "--network {one}"},
    otherwise=(
        Expectation(SLIRP4NETNS, not_testable=SLIRP4NETNS_LOOPBACK),
        Expectation(
            PODMAN,
            statement="A container on another bridge network reaches neither a container's own address nor its "
            "published port at the machine's address: netavark translates the request, and its rules that isolate "
            "networks drop it.",
            judge=judge_exchanges(NO_CONNECTION, NO_CONNECTION),
        ),
        Expectation(EngineCondition(iptables=False), not_testable="With iptables=false no rule isolates networks."),
        Expectation(
            EngineCondition(userland_proxy=False),
            statement="Without docker-proxy a container on another bridge network reaches neither a container's own "
            "address nor its published port at the machine's address: the kernel translates the request, and the rules "
            "that isolate networks drop it.",
            judge=judge_exchanges(NO_CONNECTION, NO_CONNECTION),
        ),
        Expectation(
            EngineCondition(gateway_mode="routed"),
            not_testable="Routed networks reach each other's published ports, and publish none on the machine.",
        ),
    ),
)
