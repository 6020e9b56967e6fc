"""--dns 127.0.0.53 is the container's own loopback."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.judges import judge_no_names
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.observers import observe_vpn_name

NETWORK = "docker network create lab"
LINE = "docker run -d --dns 127.0.0.53 --network {lab} IMAGE sleep 60"
RESOLV_CONF = "nameserver 127.0.0.53\n"

CLAIM = Claim(
    id="dns-option-is-inside",
    topic=Topic.DNS,
    statement="--dns 127.0.0.53 does not help: it means the container's own loopback, where no resolver listens.",
    source="Docker documentation, “Networking overview”: DNS services; systemd-resolved(8)",
    observe=observe_vpn_name(LINE, RESOLV_CONF, NETWORK),
    judge=judge_no_names,
    lines=(
        "# /etc/resolv.conf of the machine: nameserver 127.0.0.53",
        NETWORK,
        LINE,
        "docker exec ID nslookup wiki.vpn.example",
    ),
    needs=frozenset({Need.ALONE}),
    mutation={" --dns 127.0.0.53": ""},
    otherwise=(Expectation(PODMAN, not_testable="Podman's resolver aardvark-dns reads its own list of servers."),),
)
