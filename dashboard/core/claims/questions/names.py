"""Questions about name resolution."""

from dashboard.core.claims.question import Link, Question

QUESTIONS = (
    Question(
        id="container-names",
        title="Why do containers not find each other by name?",
        symptoms=(
            "could not resolve host",
            "bad address",
            "Name or service not known",
            "no such host",
            "ping: bad address",
            "Temporary failure in name resolution",
        ),
        answer="Names resolve on user-defined networks only: not on the default bridge, not across networks, "
        "not in host mode. Create a network and attach both containers to it.",
        claims=(
            "names-on-user-network",
            "names-not-on-bridge",
            "name-not-across-networks",
            "connect-adds-names",
            "network-alias",
            "alias-of-several",
            "link-on-default-bridge",
        ),
        documented=Link(
            "Containers on the default bridge network can only access each other by IP addresses, "
            "unless you use the --link option, which is considered legacy.",
            "https://docs.docker.com/engine/network/drivers/bridge/",
        ),
        asked=(
            (
                "docker/cli#4492: Container can't ping another container by container name within the same "
                "network `bridge`."
            ),
            "docker/for-win#1009: cannot ping linux container by name on default network",
        ),
    ),
    Question(
        id="vpn-names",
        title="Why do names on my VPN not resolve in containers?",
        symptoms=(
            "127.0.0.53 in resolv.conf",
            "systemd-resolved",
            "Temporary failure in name resolution",
            "DNS works on the host, not in the container",
            "8.8.8.8 in the container's resolv.conf",
            "could not resolve host",
        ),
        answer="A server at 127.0.0.53 exists on the machine only: on the default bridge the Engine removes it, and "
        "containers get other servers. On a user-defined network the Engine queries it from the machine, and in "
        "host mode the container queries it directly.",
        claims=(
            "vpn-name-on-user-network",
            "vpn-name-not-on-bridge",
            "vpn-name-in-host-mode",
            "dns-option-is-inside",
            "resolv-is-a-copy",
            "resolv-bridge-fallback",
        ),
        documented=Link(
            "The embedded DNS server forwards external DNS lookups to the DNS servers configured on the host.",
            "https://docs.docker.com/engine/network/",
        ),
        asked=(
            "docker/for-linux#979: dockerd should use 127.0.0.53 when requested",
            "moby/moby#23910: Docker should use the host network DNS server",
        ),
    ),
)
