"""Claims about multicast, broadcast and UDP: which datagrams reach a container, and which ones leave it."""

from dashboard.core.claims.constructors import ROOTLESSPORT
from dashboard.core.claims.engine_facts import FIREWALLD, FIREWALLD_ZONE, EngineCondition
from dashboard.core.claims.exchanges import NEIGHBOUR_ADDRESS
from dashboard.core.claims.judges import judge_arrived, judge_lost
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.observers import observe_datagram
from dashboard.core.claims.testbed import NEIGHBOUR

IN_HOST_MODE = ("docker run -d --name app --network host IMAGE sleep 60",)
IN_BRIDGE_MODE = ("docker run -d --name app --network bridge IMAGE sleep 60",)
TWO_ON_A_NETWORK = (
    "docker network create lab",
    "docker network create other",
    "docker run -d --name one --network {lab} IMAGE sleep 60",
    "docker run -d --name two --network {lab} IMAGE sleep 60",
)
ON_MACVLAN = (
    "docker network create -d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0 lab",
    "docker run -d --name app --network {lab} --ip 192.0.2.56 IMAGE sleep 60",
)
WITH_MDNS_PORT = ("docker run -d --name app -p 8184:8184/udp IMAGE sleep 60",)
WITH_UDP_PORT = ("docker run -d --name app -p 8185:8185/udp IMAGE sleep 60",)


CLAIMS = (
    Claim(
        id="multicast-in-host-mode",
        topic=Topic.BRIDGE,
        statement="A container in host mode receives multicast from other machines, as mDNS and SSDP require.",
        source="Docker documentation, “Host network driver”; RFC 1112",
        observe=observe_datagram(IN_HOST_MODE, NEIGHBOUR, "app", "239.1.2.3", 8180),
        judge=judge_arrived(NEIGHBOUR_ADDRESS),
        lines=(*IN_HOST_MODE, "socat - UDP4-DATAGRAM:239.1.2.3:8180  # on another machine"),
        needs=frozenset({Need.PRIVATE}),
        mutation={"--network host": "--network bridge"},
        otherwise=(Expectation(FIREWALLD, not_testable=FIREWALLD_ZONE),),
    ),
    Claim(
        id="multicast-not-in-bridge",
        topic=Topic.BRIDGE,
        statement="A container in bridge mode does not receive multicast from other machines: the machine does not "
        "route it.",
        source="Docker documentation, “Host network driver”; RFC 1112",
        observe=observe_datagram(IN_BRIDGE_MODE, NEIGHBOUR, "app", "239.1.2.4", 8181),
        judge=judge_lost,
        lines=(*IN_BRIDGE_MODE, "socat - UDP4-DATAGRAM:239.1.2.4:8181  # on another machine"),
        needs=frozenset({Need.PRIVATE}),
        mutation={"--network bridge": "--network host"},
    ),
    Claim(
        id="multicast-stays-in-bridge",
        topic=Topic.BRIDGE,
        statement="Multicast that a bridge container sends does not reach other machines, so the service is not "
        "discovered.",
        source="Docker documentation, “Host network driver”; RFC 1112",
        observe=observe_datagram(IN_BRIDGE_MODE, "app", NEIGHBOUR, "239.1.2.5", 8182),
        judge=judge_lost,
        lines=(*IN_BRIDGE_MODE, "docker exec app socat - UDP4-DATAGRAM:239.1.2.5:8182"),
        needs=frozenset({Need.PRIVATE}),
        mutation={"--network bridge": "--network host"},
    ),
    Claim(
        id="multicast-between-containers",
        topic=Topic.BRIDGE,
        statement="Within one bridge network containers receive each other's multicast.",
        source="Linux, Documentation/networking/bridge.rst; RFC 1112",
        observe=observe_datagram(TWO_ON_A_NETWORK, "one", "two", "239.1.2.6", 8183),
        judge=judge_arrived(),
        lines=(*TWO_ON_A_NETWORK, "docker exec one socat - UDP4-DATAGRAM:239.1.2.6:8183"),
        needs=frozenset({Need.ALONE}),
        mutation={"--name two --network {lab}": "--name two --network {other}"},
    ),
    Claim(
        id="macvlan-multicast",
        topic=Topic.BRIDGE,
        statement="A macvlan container receives multicast from other machines: it is on the LAN itself.",
        source="Docker documentation, “Macvlan network driver”; RFC 1112",
        observe=observe_datagram(ON_MACVLAN, NEIGHBOUR, "app", "239.1.2.7", 8187),
        judge=judge_arrived(NEIGHBOUR_ADDRESS),
        lines=(*ON_MACVLAN, "socat - UDP4-DATAGRAM:239.1.2.7:8187  # on another machine"),
        needs=frozenset({Need.ALONE}),
        mutation={
            "-d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0": "--subnet 10.213.206.0/24",
            "--ip 192.0.2.56": "--ip 10.213.206.56",
        },
    ),
    Claim(
        id="mdns-not-published",
        topic=Topic.PUBLISHING,
        statement="Publishing a UDP port does not deliver multicast: a datagram for the mDNS group 224.0.0.251 does "
        "not reach the container.",
        source="RFC 6762; iptables-extensions(8), addrtype",
        observe=observe_datagram(WITH_MDNS_PORT, NEIGHBOUR, "app", "224.0.0.251", 8184),
        judge=judge_lost,
        lines=(*WITH_MDNS_PORT, "socat - UDP4-DATAGRAM:224.0.0.251:8184  # on another machine"),
        needs=frozenset({Need.PRIVATE}),
        mutation={"-p 8184:8184/udp": "--network host"},
    ),
    Claim(
        id="udp-published",
        topic=Topic.PUBLISHING,
        statement="A published UDP port delivers a datagram from another machine, with the address of its sender.",
        source="Docker documentation, “Port publishing and mapping”",
        exact="A bare -p 8185:8185 publishes TCP only.",
        observe=observe_datagram(WITH_UDP_PORT, NEIGHBOUR, "app", "{machine}", 8185),
        judge=judge_arrived(NEIGHBOUR_ADDRESS),
        lines=(*WITH_UDP_PORT, "socat - UDP4:{machine}:8185  # on another machine"),
        needs=frozenset({Need.PRIVATE}),
        mutation={"8185:8185/udp": "8185:8185/tcp"},
        otherwise=(
            ROOTLESSPORT,
            Expectation(
                EngineCondition(iptables=False),
                not_testable="With iptables=false docker-proxy serves datagrams as well, from the gateway.",
            ),
        ),
    ),
    Claim(
        id="broadcast-not-in-bridge",
        topic=Topic.BRIDGE,
        statement="A container in bridge mode does not receive broadcast from the LAN.",
        source="RFC 919; Docker documentation, “Bridge network driver”",
        exact="If the UDP port is published, the broadcast arrives through docker-proxy, from the gateway.",
        observe=observe_datagram(IN_BRIDGE_MODE, NEIGHBOUR, "app", "192.0.2.255", 8186),
        judge=judge_lost,
        lines=(*IN_BRIDGE_MODE, "socat - UDP4-DATAGRAM:192.0.2.255:8186,broadcast  # on another machine"),
        needs=frozenset({Need.PRIVATE}),
        mutation={"--network bridge": "--network host"},
    ),
)
