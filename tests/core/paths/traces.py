"""The evidence of traced requests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dashboard.core.paths.conntrack import read_entries
from dashboard.core.paths.evidence import PacketCounts, ProcessConnection, Sample, TraceEvidence
from dashboard.core.paths.model import Path, PathKind, VethLink
from tests.core.builders import make_interface
from tests.core.paths.test_nat_rules import IPTABLES, NFT, incremented

PATH = Path(PathKind.PUBLISHED_DNAT, "A path", "machine", "bridge", address="192.0.2.2", port=8080)
VETH = VethLink(
    make_interface("docker0", 3, "bridge", addresses=("172.17.0.1/16",)),
    make_interface("veth1", 7, "veth", master="docker0", peer="if2"),
    make_interface("eth0", 2, "veth", peer="if7", addresses=("172.17.0.2/16",)),
)
CLIENT, INSIDE = "192.0.2.2:50", "172.17.0.2:80"
PROXY = (
    ProcessConnection("docker-proxy", 7, "127.0.0.1:8080", "127.0.0.1:50"),
    ProcessConnection("docker-proxy", 7, "172.17.0.1:60", INSIDE),
)
NGINX = ProcessConnection("nginx", 9, INSIDE, CLIENT)


def entry(source: str, to: str, back: str = "", back_to: str = "") -> Any:
    ends = [text.split(":") for text in (source, to, back or to, back_to or source)]
    (a, ap), (b, bp), (c, cp), (d, dp) = ends
    return read_entries(
        [f"tcp 6 9 ESTABLISHED src={a} dst={b} sport={ap} dport={bp} src={c} dst={d} sport={cp} dport={dp}"]
    )


def samples(rules: list[str] = IPTABLES, after: list[str] | None = None, **links: int) -> dict[str, Any]:
    """Samples before and after the links counted this many packets, both received and sent."""
    names = ("lo", "docker0", "veth1", "eth0")
    old = dict.fromkeys(names, PacketCounts(100, 200))
    new = {name: PacketCounts(100 + links.get(name, 0), 200 + links.get(name, 0)) for name in names}
    return {"before": Sample(tuple(rules), old, old), "after": Sample(tuple(after or rules), new, new)}


BRIDGED: dict[str, Any] = {"docker0": 5, "veth1": 5, "eth0": 5}
BASE = TraceEvidence(
    "192.0.2.2:8080", CLIENT, CLIENT, "HTTP 200 OK", own_addresses=frozenset({"192.0.2.2", "172.17.0.1"}), veths=(VETH,)
)
DNAT = replace(
    BASE,
    server_connections=(NGINX,),
    entries=entry(CLIENT, "192.0.2.2:8080", INSIDE),
    **samples(IPTABLES, incremented(IPTABLES, "[7:420]", "[8:480]"), **BRIDGED),
)
THROUGH_PROXY = replace(
    BASE,
    target="127.0.0.1:8080",
    client="127.0.0.1:50",
    client_seen="172.17.0.1:60",
    client_connections=PROXY,
    entries=entry("127.0.0.1:50", "127.0.0.1:8080") + entry("172.17.0.1:60", INSIDE),
    **samples(lo=10, **BRIDGED),
)
#: The second connection of rootlessport is in the container's namespace.
THROUGH_ROOTLESSPORT = replace(
    THROUGH_PROXY,
    client_seen="172.17.0.2:60",
    veths=(),
    client_connections=(ProcessConnection("rootlessport", 7, "127.0.0.1:8080", "127.0.0.1:50"),),
    server_connections=(
        ProcessConnection("rootlessport", 7, "172.17.0.2:60", INSIDE),
        ProcessConnection("nginx", 9, INSIDE, "172.17.0.2:60"),
    ),
    entries=None,
    **samples(lo=10),
)
HOST = replace(
    BASE,
    target="127.0.0.1:80",
    client="127.0.0.1:50",
    client_seen="127.0.0.1:50",
    shared=True,
    veths=(),
    client_connections=(ProcessConnection("nginx", 9, "127.0.0.1:80", "127.0.0.1:50"),),
    entries=None,
    **samples(lo=10),
)
MASQUERADED_BY_OTHER_HOST = replace(
    HOST,
    target="192.0.2.2:80",
    client="172.17.0.9:50",
    client_seen="192.0.2.3:50",
    shared=False,
    own_addresses=frozenset({"172.17.0.9"}),
    client_connections=(ProcessConnection("nginx", 9, "192.0.2.2:80", "192.0.2.3:50"),),
    entries=entry("192.0.2.3:50", "192.0.2.2:80"),
)
NFT_INCREMENTED = incremented(NFT, "packets 7 bytes 420", "packets 8 bytes 480")
MASQUERADED = entry("127.0.0.1:50", "127.0.0.1:8080", INSIDE, "172.17.0.1:50")
BRIDGE_HOPS = {"bridge", "veth", "link"}


LAN_HOST = replace(
    HOST,
    target="192.0.2.2:80",
    client="192.0.2.10:50",
    client_seen="192.0.2.10:50",
    filtered=True,
    own_addresses=frozenset({"192.0.2.10"}),
    client_connections=(ProcessConnection("nginx", 9, "192.0.2.2:80", "192.0.2.10:50"),),
)
