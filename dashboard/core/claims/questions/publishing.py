"""Questions about published ports."""

from dashboard.core.claims.question import Link, Question

QUESTIONS = (
    Question(
        id="client-address",
        title="Why does my server see 172.17.0.1 instead of the real client?",
        symptoms=(
            "source is 172.17.0.1",
            "all requests come from the gateway",
            "real client IP in the log",
            "X-Forwarded-For",
            "access log shows the docker bridge",
        ),
        answer="For requests from the machine to 127.0.0.1, and over IPv6 to an IPv4-only bridge, docker-proxy "
        "opens its own connection to the container, from the bridge's gateway. Over IPv4, clients on other machines "
        "keep their address; in host mode every client does.",
        claims=(
            "loopback-through-proxy",
            "published-client-from-lan",
            "ipv6-client-is-gateway",
            "host-client-from-lan",
            "machine-own-address-client",
        ),
        documented=Link(
            "Ports on the host's IPv6 addresses will map to the container's IPv4 address",
            "https://docs.docker.com/engine/network/port-publishing/",
        ),
        asked=(
            "moby/moby#15086: Document how to get real remote client ip for service running in container",
            "docker/for-win#9119: Incoming requests to container only show Docker Gateway IP and not Real IP",
        ),
    ),
    Question(
        id="bound-to-loopback",
        title="Why is the response empty although the port is published?",
        symptoms=(
            "empty reply from server",
            "curl: (52)",
            "connection reset by peer",
            "ERR_EMPTY_RESPONSE",
            "works inside the container, not from the host",
            "listening on 127.0.0.1",
        ),
        answer="The program listens on 127.0.0.1 inside the container, which is the container's own loopback: "
        "docker-proxy accepts the connection and cannot pass it on. Let it listen on 0.0.0.0 and limit "
        "the published port instead: -p 127.0.0.1:8080:80.",
        claims=(
            "loopback-inside-is-empty",
            "loopback-inside-from-lan",
            "loopback-inside-answers-inside",
            "loopback-publish-not-from-lan",
        ),
        documented=Link(
            "If you include the localhost IP address (127.0.0.1, or ::1) with the publish flag, only "
            "the Docker host can access the published container port.",
            "https://docs.docker.com/engine/network/port-publishing/",
        ),
        asked=(
            "JonasHiltl/openchangelog#30: Docker Compose / Docker not working.",
            "hoppscotch/proxyscotch#97: Latest docker container (v0.1.3) listening on localhost",
        ),
    ),
    Question(
        id="loopback-publish",
        title="Is a port published on 127.0.0.1 private?",
        symptoms=(
            "works from here, not from there",
            "127.0.0.1 in docker ps",
            "neighbours on the LAN reach localhost ports",
            "connection refused from another machine",
            "bind to localhost only",
        ),
        answer="Other machines cannot connect to it at the machine's address; before 28.0 a neighbour that routed "
        "packets for 127.0.0.1 to the machine could reach it. A network option or dockerd --ip makes 127.0.0.1 the "
        "default for a bare -p.",
        claims=(
            "loopback-publish-not-from-lan",
            "loopback-publish-routed",
            "publish-on-loopback",
            "host-binding-option",
            "daemon-ip-option",
        ),
        documented=Link(
            "In releases older than 28.0.0, hosts within the same L2 segment (for example, hosts "
            "connected to the same network switch) can reach ports published to localhost.",
            "https://docs.docker.com/engine/network/port-publishing/",
        ),
        asked=(
            "moby/moby#45610: Publishing ports explicitly to private networks should not be accessible from LAN hosts",
            "moby/moby#41872: Published port to localhost (127.0.0.1) are reachable on the LAN",
            "moby/moby#49325: libnet/d/bridge: drop connections to lo mappings, and direct remote connections",
        ),
    ),
    Question(
        id="own-lan-address",
        title="Why can the machine or its containers not reach the machine's own address?",
        symptoms=(
            "connection refused at the LAN address",
            "connection timed out to the host's own IP",
            "no route to host from a container",
            "host is unreachable",
            "works from other machines, not from the machine itself",
        ),
        answer="A port published on one address answers at that address only, and requests from containers to the "
        "machine's address pass through INPUT, where a firewall may drop them although other machines get through. "
        "Without such rules, the machine and its containers can use the address.",
        claims=(
            "publish-on-lan-address",
            "machine-own-address-client",
            "bridge-reaches-lan-address",
            "input-stops-containers",
            "hairpin-needs-input",
        ),
        documented=Link(
            "ports of containers on bridge networks are accessible from the Docker host and other "
            "containers connected to the same network",
            "https://docs.docker.com/engine/network/port-publishing/",
        ),
        asked=(
            "moby/moby#27817: Docker container cannot connect to docker host on it's own exposed port",
            (
                "telnetdoogie/synology-docker#93: [BUG] - Docker 28.x: host can't reach published ports "
                "via its own LAN IP (breaks --network host containers e.g. cloudflared)"
            ),
        ),
    ),
    Question(
        id="hairpin",
        title="How does a container reach its own published port?",
        symptoms=(
            "hairpin NAT",
            "container cannot reach the public URL of its own machine",
            "connection hangs to the external IP from a container",
            "loopback NAT",
        ),
        answer="With docker-proxy, which is the default, the container connects to the machine, and the proxy "
        "connects back: the server sees the gateway. Without docker-proxy the kernel translates and masquerades the "
        "request, with the same result.",
        claims=(
            "hairpin-own-port",
            "hairpin-same-network",
            "hairpin-other-network",
            "proxy-off-hairpin",
            "hairpin-needs-input",
        ),
        documented=Link(
            "containers in other bridge networks can only access published ports via the host "
            "addresses they are published to",
            "https://docs.docker.com/engine/network/port-publishing/",
        ),
        asked=(
            "moby/libnetwork#1104: Issue with two containers communicating",
            "moby/moby#21860: userland-proxy doesn't allow host ip communications",
        ),
    ),
    Question(
        id="what-docker-proxy-is-for",
        title="What is docker-proxy for, and can I turn it off?",
        symptoms=(
            "docker-proxy in ps",
            "userland-proxy",
            "many docker-proxy processes",
            "docker-proxy listens on my port",
        ),
        answer="The kernel translates requests from other machines; docker-proxy holds the port and serves "
        "what the kernel's rules leave out: 127.0.0.1, IPv6 to IPv4-only bridges, and containers that "
        "use the machine's address. With userland-proxy=false the kernel serves these too, except IPv6 "
        "to IPv4-only bridges and requests from containers on another bridge network.",
        claims=(
            "proxy-listens",
            "loopback-through-proxy",
            "proxy-off-dockerd",
            "proxy-off-loopback",
            "proxy-off-no-ipv6",
            "hairpin-other-network",
        ),
        documented=Link(
            "This is because it doesn't require network address translation (NAT), and no "
            '"userland-proxy" is created for each port.',
            "https://docs.docker.com/engine/network/drivers/host/",
        ),
        asked=(
            "moby/moby#14856: Disable Userland proxy by default",
            "moby/moby#28589: With --userland-proxy=false, dockerd listens on exposed ports (instead of docker-proxy)",
        ),
    ),
    Question(
        id="port-ranges",
        title="Why is publishing a large range of ports slow?",
        symptoms=(
            "docker run hangs with a port range",
            "thousands of docker-proxy processes",
            "out of memory with -p 10000-20000",
            "RTP ports",
            "TURN server",
        ),
        answer="Docker handles a range port by port: each port has two docker-proxy processes, which take memory, "
        "and its own rule. Use host mode for large ranges; it needs neither.",
        claims=(
            "range-processes",
            "range-memory",
            "range-rules",
            "range-time",
            "range-host-mode",
        ),
        documented=Link(
            "In situations where a container needs to handle a large range of ports",
            "https://docs.docker.com/engine/network/drivers/host/",
        ),
        asked=(
            "moby/moby#11185: Docker eats up 100% RAM when exposing a big range of ports",
            "moby/moby#16284: Spawning 12,000 docker-proxy instances isn't sensible nor expected",
        ),
    ),
    Question(
        id="ipv6",
        title="How are ports published on IPv6?",
        symptoms=(
            "curl to ::1 fails",
            "works over IPv4, not over IPv6",
            "localhost resolves to ::1",
            "only :::8080 in ss",
            "IPv6 client address",
        ),
        answer="A bare -p publishes on all IPv4 and IPv6 addresses of the machine; if the bridge has no IPv6, only "
        "docker-proxy serves IPv6, and the server sees an IPv4 client. An address in -p limits it to one family.",
        claims=(
            "published-on-ipv6",
            "publish-ipv4-only",
            "publish-ipv6-only",
            "ipv6-client-is-gateway",
            "host-ipv6-client",
        ),
        documented=Link(
            "By default, when a container's ports are mapped without any specific host address, the "
            "Docker daemon publishes ports to all host addresses (0.0.0.0 and [::]).",
            "https://docs.docker.com/engine/network/port-publishing/",
        ),
        asked=(
            "moby/libnetwork#2607: IPv4 and IPv6 addresses are not bound by default anymore",
            "moby/moby#39933: docker-proxy ipv6 to ipv4 bug",
        ),
    ),
)
