"""In host mode the machine's 127.0.0.53 is used."""

from dashboard.core.claims.judges import judge_names
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.observers import observe_vpn_name

LINE = "docker run -d --network host IMAGE sleep 60"
RESOLV_CONF = "nameserver 127.0.0.53\n"

CLAIM = Claim(
    id="vpn-name-in-host-mode",
    topic=Topic.DNS,
    statement="In host mode, names on a VPN resolve through the machine's own server at 127.0.0.53.",
    source="Docker documentation, “Networking overview”: DNS services; systemd-resolved(8)",
    observe=observe_vpn_name(LINE, RESOLV_CONF),
    judge=judge_names,
    lines=(
        "# /etc/resolv.conf of the machine: nameserver 127.0.0.53",
        LINE,
        "docker exec ID nslookup wiki.vpn.example",
    ),
    needs=frozenset({Need.ALONE}),
    mutation={"--network host": "--network bridge"},
)
