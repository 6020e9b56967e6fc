"""Claims about transfers of containers over an uplink whose MTU is smaller than the usual 1500."""

from collections.abc import Mapping
from typing import Unpack

from dashboard.core.claims.constructors import Details
from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.judges import judge_complete, judge_stalled
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.observers import observe_transfers

FILTER_ICMP = "iptables -I OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP"
CLIENT = "docker run -d --name client --network bridge IMAGE sleep 60"


def _claim(
    claim_id: str, statement: str, *lines: str, mutation: Mapping[str, str], **details: Unpack[Details]
) -> Claim:
    """Builds a claim about a small and a large transfer from the container ``client`` to another machine. Both must
    complete, except in ``mtu-stalls``, where the large one must stall."""
    uplink_and_lines = ("ip link set eth0 mtu 1400", *lines)
    return Claim(
        id=claim_id,
        topic=Topic.BRIDGE,
        statement=statement,
        source="ip(7), IP_MTU_DISCOVER; RFC 2923; Docker documentation, “Bridge network driver”, "
        "com.docker.network.driver.mtu",
        observe=observe_transfers(uplink_and_lines, "client", 8190, 500, 200_000),
        judge=judge_stalled if claim_id == "mtu-stalls" else judge_complete,
        lines=(*uplink_and_lines, "docker exec client sh -c 'head -c 200000 /dev/zero | nc 192.0.2.10 8190'"),
        needs=frozenset({Need.ALONE}),
        mutation=mutation,
        **details,
    )


CLAIMS = (
    _claim(
        "mtu-stalls",
        "Behind an uplink with a smaller MTU, large transfers of a bridge container stall while small ones succeed, if "
        "the ICMP message “fragmentation needed” is filtered.",
        FILTER_ICMP,
        CLIENT,
        exact="The connection opens and small requests work, so the server seems to hang.",
        mutation={"eth0 mtu 1400": "eth0 mtu 1500"},
        otherwise=(
            Expectation(PODMAN, not_testable="Newer versions of netavark give a bridge the MTU of the uplink."),
        ),
    ),
    _claim(
        "mtu-icmp-repairs",
        "If the ICMP message “fragmentation needed” reaches the container, it sends smaller packets and large "
        "transfers complete, whatever the MTU of its interface.",
        FILTER_ICMP.replace("DROP", "ACCEPT"),
        CLIENT,
        mutation={"fragmentation-needed -j ACCEPT": "fragmentation-needed -j DROP"},
    ),
    _claim(
        "mtu-clamp-cures",
        "A rule on the machine that clamps the segment size (MSS) of forwarded connections also fixes stalled "
        "transfers.",
        FILTER_ICMP,
        "iptables -t mangle -I FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
        CLIENT,
        mutation={"--clamp-mss-to-pmtu": "--set-mss 1460"},
    ),
    _claim(
        "mtu-option-cures",
        "A network with the MTU of the uplink fixes stalled transfers, even without ICMP messages.",
        FILTER_ICMP,
        "docker network create -o com.docker.network.driver.mtu=1400 lab",
        "docker run -d --name client --network {lab} IMAGE sleep 60",
        mutation={"driver.mtu=1400": "driver.mtu=1500"},
    ),
    _claim(
        "mtu-in-host-mode",
        "In host mode large transfers do not stall behind an uplink with a smaller MTU: the program's packets fit the "
        "uplink's MTU.",
        FILTER_ICMP,
        "docker run -d --name client --network host IMAGE sleep 60",
        mutation={"--network host": "--network bridge"},
    ),
)
