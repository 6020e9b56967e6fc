"""Questions about firewalls and routing."""

from dashboard.core.claims.question import Link, Question

QUESTIONS = (
    Question(
        id="ufw-bypassed",
        title="Why is my published port open although ufw denies it?",
        symptoms=(
            "ufw deny has no effect",
            "port reachable from the internet although the firewall is on",
            "iptables INPUT rule ignored",
            "docker bypasses the firewall",
            "DOCKER-USER",
        ),
        answer="Packets for a published port are translated and forwarded, but ufw's rules in INPUT apply only to "
        "packets for the machine itself. Put rules into DOCKER-USER, where packets already have the container's "
        "port, or publish on 127.0.0.1.",
        claims=(
            "input-not-published",
            "ufw-published-open",
            "ufw-docker-user",
            "firewalld-published-open",
            "firewalld-docker-user",
            "docker-user-stops-published",
            "docker-user-sees-container-port",
            "docker-user-original-port",
            "loopback-publish-not-from-lan",
        ),
        documented=Link(
            "Docker and ufw use iptables in ways that make them incompatible with each other.",
            "https://docs.docker.com/engine/network/packet-filtering-firewalls/",
        ),
        asked=(
            "moby/moby#22054: Docker Network bypasses Firewall, no option to disable",
            "moby/moby#4737: docker and ufw serious problems",
        ),
    ),
    Question(
        id="rules-in-host-mode",
        title="Which firewall rules apply in host mode?",
        symptoms=(
            "DOCKER-USER has no effect in host mode",
            "port of host mode is blocked",
            "ufw blocks network_mode host",
            "iptables OUTPUT",
        ),
        answer="In host mode the packets are the machine's own, so INPUT and OUTPUT apply and DOCKER-USER does not. "
        "A firewall that denies by default blocks host mode until you allow the port.",
        claims=(
            "input-stops-host-mode",
            "ufw-stops-host-mode",
            "firewalld-stops-host-mode",
            "docker-user-not-host-mode",
            "output-stops-host-mode",
            "output-not-bridge",
        ),
        documented=Link(
            "No iptables rules are created for ipvlan, macvlan or host networking.",
            "https://docs.docker.com/engine/network/packet-filtering-firewalls/",
        ),
        asked=(
            "docker/for-linux#690: Docker --net=host bypasses ufw firewall rules",
            "moby/moby#48560: DOCKER-USER chain not being used or created",
        ),
    ),
    Question(
        id="direct-routing-since-28",
        title="Why can other machines no longer reach container addresses since Docker 28?",
        symptoms=(
            "direct routing stopped after the upgrade to 28",
            "route to 172.17.0.0/16 times out",
            "FORWARD policy DROP",
            "Docker 28 broke my VPN",
            "the machine no longer routes",
        ),
        answer="Since 28.0 the machine drops packets from other interfaces for a container's own address, published "
        "or not; earlier versions accept them for published ports. Use the published port, gateway mode routed or "
        "nat-unprotected, allow-direct-routing, or the network's option trusted_host_interfaces with the interface of "
        "the VPN (28.2).",
        claims=(
            "direct-routing",
            "unpublished-from-lan",
            "nat-unprotected",
            "forward-policy-drop",
        ),
        documented=Link(
            "By default, remote hosts are not allowed direct access to container IP addresses in "
            "Docker's Linux bridge networks.",
            "https://docs.docker.com/engine/network/port-publishing/",
        ),
        asked=(
            "moby/moby#49498: Docker 28 stops containers communicating with tailscale network.",
            "moby/moby#30338: ip-forwarding broken in 1.13.0 due to #28257 fix",
        ),
    ),
)
