"""Questions about networks: several networks, shared namespaces, multicast, MTU."""

from dashboard.core.claims.question import Link, Question

QUESTIONS = (
    Question(
        id="two-networks",
        title="What happens if a container is on two networks?",
        symptoms=(
            "wrong default gateway",
            "container on two networks uses the wrong interface",
            "outgoing traffic takes the wrong network",
            "which IP does the published port use",
            "eth0 eth1",
        ),
        answer="The container has an interface on each, and one default route: through the network with the highest "
        "gw-priority (since 28.0), otherwise the one with the alphabetically first name. A published port leads to "
        "its address on that network, and the names on both resolve.",
        claims=(
            "two-networks-two-interfaces",
            "two-networks-gateway",
            "gateway-priority",
            "two-networks-published",
            "two-networks-names",
        ),
        documented=Link(
            "The default gateway is selected by Docker, and may change whenever a container's network "
            "connections change.",
            "https://docs.docker.com/engine/network/",
        ),
        asked=(
            "moby/moby#20179: default route for container in multiple user defined networks",
            "moby/moby#48868: Make a container's gateway network configurable",
        ),
    ),
    Question(
        id="owner-restarts",
        title="Why does a container lose its network when another restarts?",
        symptoms=(
            "network_mode: service loses its network",
            "container: after the VPN container restarts",
            "network is unreachable",
            "only lo is left",
            "gluetun",
        ),
        answer="A container with --network container: joins the owner's namespace; a restart gives the owner a new "
        "namespace, and the other container stays in the old one, where only lo is left. Restart that container too.",
        claims=(
            "guest-loses-network",
            "guest-restart-heals",
            "guest-needs-owner",
            "guest-uses-owners-ports",
            "container-shares-loopback",
        ),
        documented=Link(
            "you can attach a container to another container's networking stack directly, using the "
            "--network container:<name|id> flag format",
            "https://docs.docker.com/engine/network/",
        ),
        asked=(
            (
                "docker/for-linux#1299: Restart of a container renders other containers using the same "
                "network stack offline"
            ),
            (
                "docker/compose#6626: Restart/Reconnect containers connected via 'network_mode: service' "
                "automatically when main service is restarted"
            ),
        ),
    ),
    Question(
        id="multicast",
        title="Why does discovery (mDNS, SSDP) not work in a container?",
        symptoms=(
            "devices are not found",
            "Chromecast not discovered",
            "multicast not received",
            "avahi in docker",
            "5353/udp published but nothing arrives",
            "DLNA",
        ),
        answer="Discovery uses multicast, and a machine does not route multicast between its LAN and a "
        "bridge; publishing port 5353 does not change that. Use host mode, or macvlan.",
        claims=(
            "multicast-not-in-bridge",
            "multicast-in-host-mode",
            "multicast-stays-in-bridge",
            "mdns-not-published",
            "macvlan-multicast",
            "broadcast-not-in-bridge",
            "multicast-between-containers",
        ),
        documented=Link(
            "Containers appear as devices on the host's network.", "https://docs.docker.com/engine/network/"
        ),
        asked=(
            "moby/moby#3043: Enable multicast between containers?",
            "moby/moby#10978: Multicast between 2 container in 2 host",
        ),
    ),
    Question(
        id="stalled-transfers",
        title="Why do large transfers hang in a container?",
        symptoms=(
            "TLS handshake hangs",
            "docker pull or apt stalls in a container",
            "small requests work, large ones time out",
            "MTU 1500 behind a VPN",
            "curl hangs after connecting",
        ),
        answer="The bridge has an MTU of 1500 regardless of the uplink; behind a smaller MTU large packets are "
        "dropped, and if the ICMP message about the drop is filtered, the sender is never informed. Set the "
        "network's MTU to that of the uplink, or clamp the MSS; host mode is not affected.",
        claims=(
            "mtu-stalls",
            "mtu-option-cures",
            "mtu-icmp-repairs",
            "mtu-clamp-cures",
            "mtu-in-host-mode",
            "bridge-mtu",
            "network-mtu",
        ),
        documented=Link(
            "Set the containers network Maximum Transmission Unit (MTU).",
            "https://docs.docker.com/engine/network/drivers/bridge/",
        ),
        asked=(
            "moby/moby#13475: Cannot access some https in docker, when host machine under VPN.",
            "moby/moby#12565: Docker breaks Path MTU Discovery when host is using IPSEC",
        ),
    ),
)
