"""On a user-defined network a resolver at the machine's 127.0.0.53 is used."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.judges import judge_names
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.observers import observe_vpn_name

NETWORK = "docker network create lab"
LINE = "docker run -d --network {lab} IMAGE sleep 60"
RESOLV_CONF = "nameserver 127.0.0.53\n"

CLAIM = Claim(
    id="vpn-name-on-user-network",
    topic=Topic.DNS,
    statement="On a user-defined network, names on a VPN resolve even if the machine's only server is 127.0.0.53: "
    "the Engine queries it from the machine.",
    source="Docker documentation, “Networking overview”: DNS services; systemd-resolved(8)",
    observe=observe_vpn_name(LINE, RESOLV_CONF, NETWORK),
    judge=judge_names,
    lines=(
        "# /etc/resolv.conf of the machine: nameserver 127.0.0.53",
        NETWORK,
        LINE,
        "docker exec ID nslookup wiki.vpn.example",
    ),
    needs=frozenset({Need.ALONE}),
    mutation={"--network {lab}": "--network bridge"},
    otherwise=(Expectation(PODMAN, not_testable="Podman's resolver aardvark-dns reads its own list of servers."),),
)
