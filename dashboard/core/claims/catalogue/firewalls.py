"""Claims about ufw and firewalld: which requests to published ports and to containers in host mode they block."""

from collections.abc import Callable, Mapping, Sequence
from typing import Unpack

from dashboard.core.claims.constructors import NO_DOCKER_USER, NO_RULES, PODMAN_HAS_NO_DOCKER_USER, Details, show_ask
from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, answers
from dashboard.core.claims.firewalls import FirewallExchange, judge_firewall, observe_firewall
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

#: The command that prints the state of a firewall, and the setup of a host with it.
UFW = ("ufw status verbose", "")
WITH_FIREWALLD = ("firewall-cmd --list-all", "firewalld")


def _claim(
    claim_id: str,
    firewall: tuple[str, str],
    *,
    statement: str,
    source: str,
    lines: Sequence[str],
    port: int,
    judge: Callable[[FirewallExchange], Judgement],
    mutation: Mapping[str, str],
    **details: Unpack[Details],
) -> Claim:
    """Builds a claim about a request from another machine while a firewall is active on the engine's machine. The
    request goes to ``port`` of the engine's machine. The claim starts an engine of its own. ``firewall`` is ``UFW`` or
    ``WITH_FIREWALLD``."""
    status, setup = firewall
    ask = Ask(NEIGHBOUR, "{machine}", port)
    return Claim(
        id=claim_id,
        topic=Topic.PUBLISHING,
        statement=statement,
        source=source,
        observe=observe_firewall("dockerd", lines, status, ask, setup),
        judge=judge,
        lines=(*lines, *show_ask(ask)),
        needs=frozenset({Need.OWN_HOST}),
        mutation=mutation,
        **details,
    )


CLAIMS = (
    _claim(
        "ufw-published-open",
        UFW,
        statement="An enabled ufw with a rule that denies the port does not block a published port: other machines "
        "reach it.",
        source="ufw(8); Docker documentation, “Docker and ufw”",
        exact="ufw's rules are in INPUT. Docker's rules come first in FORWARD and accept the packets, although ufw "
        "denies routed packets by default.",
        lines=(
            "docker run -d --name web -p 8140:80 IMAGE",
            "ufw deny 8140/tcp",
            "ufw --force enable",
        ),
        port=8140,
        judge=judge_firewall(answers()),
        mutation={"-p 8140:80": "--network host -e NETMODES_PORT=8140"},
        otherwise=(
            NO_RULES,
            Expectation(
                PODMAN,
                "ufw blocks a published port: other machines do not reach it.",
                judge_firewall(NO_CONNECTION),
                exact="netavark has its own table of nftables: a packet must be accepted there and by ufw, which "
                "denies routed packets by default. Without root, rootlessport listens: the packets are for the machine "
                "itself.",
                mutation={"ufw --force enable": "ufw status"},
            ),
        ),
    ),
    _claim(
        "ufw-docker-user",
        UFW,
        statement="With ufw enabled, a rule in DOCKER-USER blocks a published port, which ufw leaves open.",
        source="ufw(8); Docker documentation, “Docker with iptables”",
        exact="ufw and Docker have separate chains; DOCKER-USER is the first one in FORWARD.",
        lines=(
            "docker run -d --name web -p 8141:8142 -e NETMODES_PORT=8142 IMAGE",
            "ufw deny 8141/tcp",
            "ufw --force enable",
            "iptables -I DOCKER-USER -i eth0 -p tcp --dport 8142 -j DROP",
        ),
        port=8141,
        judge=judge_firewall(NO_CONNECTION, "-A DOCKER-USER"),
        mutation={"-I DOCKER-USER": "-I INPUT"},
        otherwise=(NO_DOCKER_USER, PODMAN_HAS_NO_DOCKER_USER),
    ),
    _claim(
        "ufw-stops-host-mode",
        UFW,
        statement="ufw blocks a port of a container in host mode.",
        source="ufw(8); Docker documentation, “Networking using the host network”",
        exact="The packets are for the machine itself and pass through INPUT, where ufw's rules are.",
        lines=(
            "docker run -d --name web --network host -e NETMODES_PORT=8143 IMAGE",
            "ufw deny 8143/tcp",
            "ufw --force enable",
        ),
        port=8143,
        judge=judge_firewall(NO_CONNECTION, "-A ufw-user-input"),
        mutation={"--network host -e NETMODES_PORT=8143": "-p 8143:80"},
    ),
    _claim(
        "firewalld-published-open",
        WITH_FIREWALLD,
        statement="firewalld, with a default zone that does not list the port, does not block a published port: other "
        "machines reach it, and none of their packets pass through INPUT.",
        source="firewall-cmd(1); Docker documentation, “Integration with firewalld”",
        exact="The Engine adds its bridges to the zone docker, which accepts everything. The packets are forwarded; "
        "the default zone filters packets for the machine itself.",
        lines=(
            "docker run -d --name web -p 8144:80 IMAGE",
            "firewall-cmd --remove-service=ssh",
            "iptables -I INPUT -p tcp --dport 8144 -m comment --comment nm-8144",
        ),
        port=8144,
        judge=judge_firewall(answers(), matched=False),
        mutation={"-p 8144:80": "--network host -e NETMODES_PORT=8144"},
        otherwise=(
            NO_RULES,
            Expectation(PODMAN, not_testable="A private host with Podman cannot be started with firewalld."),
        ),
    ),
    _claim(
        "firewalld-docker-user",
        WITH_FIREWALLD,
        statement="With firewalld, a rule in DOCKER-USER blocks a published port, which the default zone leaves open.",
        source="firewall-cmd(1); Docker documentation, “Integration with firewalld”",
        exact="firewalld keeps its rules in its own tables: a packet must be accepted there and by the chains of "
        "iptables.",
        lines=(
            "docker run -d --name web -p 8146:8147 -e NETMODES_PORT=8147 IMAGE",
            "firewall-cmd --remove-service=ssh",
            "iptables -I DOCKER-USER -i eth0 -p tcp --dport 8147 -j DROP",
        ),
        port=8146,
        judge=judge_firewall(NO_CONNECTION, "-A DOCKER-USER"),
        mutation={"-I DOCKER-USER": "-I INPUT"},
        otherwise=(
            NO_DOCKER_USER,
            Expectation(PODMAN, not_testable="A private host with Podman cannot be started with firewalld."),
        ),
    ),
    _claim(
        "firewalld-stops-host-mode",
        WITH_FIREWALLD,
        statement="firewalld, with a default zone that does not list the port, blocks the port of a container in host "
        "mode: the packets pass through INPUT.",
        source="firewall-cmd(1); Docker documentation, “Integration with firewalld”",
        exact="firewall-cmd --add-port opens it, as for any program on the machine. The rules of firewalld have no "
        "counters, so this claim inserts a rule into INPUT that only counts.",
        lines=(
            "docker run -d --name web --network host -e NETMODES_PORT=8145 IMAGE",
            "firewall-cmd --remove-service=ssh",
            "iptables -I INPUT -p tcp --dport 8145 -m comment --comment nm-8145",
        ),
        port=8145,
        judge=judge_firewall(NO_CONNECTION, matched=True),
        mutation={"--network host -e NETMODES_PORT=8145": "-p 8145:80"},
        otherwise=(Expectation(PODMAN, not_testable="A private host with Podman cannot be started with firewalld."),),
    ),
)
