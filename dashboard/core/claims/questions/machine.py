"""Questions about containers and their machine."""

from dashboard.core.claims.question import Link, Question

QUESTIONS = (
    Question(
        id="host-localhost",
        title="How does a container reach localhost of the machine?",
        symptoms=(
            "connection refused to localhost from a container",
            "host.docker.internal does not resolve",
            "could not connect to the database on 127.0.0.1",
            "ECONNREFUSED 127.0.0.1:5432",
            "172.17.0.1 refuses",
        ),
        answer="127.0.0.1 in a bridge container is the container itself, so use host.docker.internal with "
        "--add-host host.docker.internal:host-gateway, and let the service listen on more than "
        "127.0.0.1. In host mode 127.0.0.1 is the machine's.",
        claims=(
            "own-loopback-inside",
            "internal-name-reaches-machine",
            "no-internal-name",
            "loopback-not-from-bridge",
            "loopback-from-host",
            "gateway-reaches-machine",
        ),
        documented=Link(
            "A container only sees a network interface with an IP address, a gateway, a routing table, "
            "DNS services, and other networking details.",
            "https://docs.docker.com/engine/network/",
        ),
        asked=(
            "docker/for-linux#264: Support host.docker.internal DNS name to host",
            "moby/moby#24370: Container host unreachable inside Docker container",
        ),
    ),
    Question(
        id="macvlan-and-its-host",
        title="Why can a macvlan container not reach its own machine?",
        symptoms=(
            "macvlan container cannot ping the host",
            "host cannot reach the macvlan container",
            "no route to host",
            "works from other machines, not from the host",
        ),
        answer="The kernel does not pass packets between a parent interface and its macvlan interfaces. Give the "
        "machine its own macvlan interface on the same parent, with a route to the containers.",
        claims=(
            "macvlan-not-the-machine",
            "machine-not-macvlan",
            "macvlan-workaround",
            "macvlan-from-lan",
            "macvlan-ignores-p",
        ),
        documented=Link(
            "making it appear to be a physical network interface directly connected to the physical network",
            "https://docs.docker.com/engine/network/drivers/macvlan/",
        ),
        asked=(
            "moby/libnetwork#1915: [macvlan] Cant communicate with host and container",
            "docker/docs#22607: MacVLAN Documentation no longer has notes about the container/host restriction",
        ),
    ),
    Question(
        id="subnet-collides",
        title="Why does my VPN or LAN stop working when a Docker network exists?",
        symptoms=(
            "no route to host after docker network create",
            "172.17.0.0/16 conflicts with the company network",
            "could not find an available, non-overlapping IPv4 address pool",
            "Pool overlaps with other one on this address space",
            "VPN unreachable",
        ),
        answer="A Docker network adds a route for its subnet, which takes precedence over the default route: the "
        "real network with these addresses is cut off. The Engine avoids the ranges of the machine's own links, but "
        "not ranges behind a gateway or those that appear later; default-address-pools and bip move its networks.",
        claims=(
            "subnet-cuts-off",
            "pool-avoids-routes",
            "pool-takes-routed",
            "overlap-refused",
            "pools-move-networks",
            "bip-moves-docker0",
        ),
        documented=Link(
            "Docker attempts to avoid address prefixes already in use on the host.",
            "https://docs.docker.com/engine/network/",
        ),
        asked=(
            (
                "docker/for-linux#418: [openvpn] ERROR: could not find an available, non-overlapping IPv4 "
                "address pool among the defaults to assign to the network"
            ),
            "moby/moby#21776: Add daemon options for Docker network subnets",
        ),
    ),
)
