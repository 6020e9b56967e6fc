"""On the default bridge the machine's 127.0.0.53 is not used."""

from dashboard.core.claims.engine_facts import ROOTLESS_PODMAN
from dashboard.core.claims.judges import judge_no_names
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.observers import observe_vpn_name

LINE = "docker run -d --network bridge IMAGE sleep 60"
RESOLV_CONF = "nameserver 127.0.0.53\n"

CLAIM = Claim(
    id="vpn-name-not-on-bridge",
    topic=Topic.DNS,
    statement="On the default bridge, names on a VPN do not resolve if the machine's only server is 127.0.0.53: the "
    "container gets public servers instead.",
    source="Docker documentation, “Networking overview”: DNS services; systemd-resolved(8)",
    observe=observe_vpn_name(LINE, RESOLV_CONF),
    judge=judge_no_names,
    lines=(
        "# /etc/resolv.conf of the machine: nameserver 127.0.0.53",
        LINE,
        "docker exec ID nslookup wiki.vpn.example",
    ),
    needs=frozenset({Need.ALONE}),
    mutation={"--network bridge": "--network host"},
    otherwise=(
        Expectation(
            ROOTLESS_PODMAN,
            not_testable="Without root, pasta forwards lookups to the machine's resolver, even at a loopback address.",
        ),
    ),
)
