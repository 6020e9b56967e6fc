"""Claims about names on a VPN, on a machine with systemd-resolved."""

from collections.abc import Callable, Mapping
from typing import Any, Unpack

from dashboard.core.claims.constructors import Details
from dashboard.core.claims.engine_facts import PODMAN, ROOTLESS_PODMAN
from dashboard.core.claims.judges import judge_names, judge_no_names
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic
from dashboard.core.claims.observers import observe_vpn_name

NETWORK = "docker network create lab"
AARDVARK = Expectation(PODMAN, not_testable="Podman's resolver aardvark-dns reads its own list of servers.")


def _claim(
    claim_id: str,
    statement: str,
    *lines: str,
    judge: Callable[[Any], Judgement],
    mutation: Mapping[str, str],
    **details: Unpack[Details],
) -> Claim:
    """Builds a claim about a name on a VPN. The container of the last command in ``lines`` looks up the name. The
    machine's only name server is 127.0.0.53."""
    *networks, line = lines
    return Claim(
        id=claim_id,
        topic=Topic.DNS,
        statement=statement,
        source="Docker documentation, “Networking overview”: DNS services; systemd-resolved(8)",
        observe=observe_vpn_name(line, "nameserver 127.0.0.53\n", *networks),
        judge=judge,
        lines=(
            "# /etc/resolv.conf of the machine: nameserver 127.0.0.53",
            *lines,
            "docker exec ID nslookup wiki.vpn.example",
        ),
        needs=frozenset({Need.ALONE}),
        mutation=mutation,
        **details,
    )


CLAIMS = (
    _claim(
        "vpn-name-in-host-mode",
        "In host mode, names on a VPN resolve through the machine's own server at 127.0.0.53.",
        "docker run -d --network host IMAGE sleep 60",
        judge=judge_names,
        mutation={"--network host": "--network bridge"},
    ),
    _claim(
        "vpn-name-not-on-bridge",
        "On the default bridge, names on a VPN do not resolve if only the machine's server at 127.0.0.53 knows them: "
        "the container cannot use that server.",
        "docker run -d --network bridge IMAGE sleep 60",
        exact="If 127.0.0.53 is the only server, the Engine takes those in /run/systemd/resolve/resolv.conf instead; "
        "without that file, public ones. A query goes to the first of them, without systemd-resolved's routing by "
        "domain.",
        judge=judge_no_names,
        mutation={"--network bridge": "--network host"},
        otherwise=(
            Expectation(
                ROOTLESS_PODMAN,
                not_testable="Without root, pasta forwards lookups to the machine's resolver, even at a loopback "
                "address.",
            ),
        ),
    ),
    _claim(
        "vpn-name-on-user-network",
        "On a user-defined network, names on a VPN resolve even if the machine's only server is 127.0.0.53: the Engine "
        "queries it from the machine.",
        NETWORK,
        "docker run -d --network {lab} IMAGE sleep 60",
        judge=judge_names,
        mutation={"--network {lab}": "--network bridge"},
        otherwise=(AARDVARK,),
    ),
    _claim(
        "dns-option-is-inside",
        "--dns 127.0.0.53 does not help: it means the container's own loopback, where no resolver listens.",
        NETWORK,
        "docker run -d --dns 127.0.0.53 --network {lab} IMAGE sleep 60",
        judge=judge_no_names,
        mutation={" --dns 127.0.0.53": ""},
        otherwise=(AARDVARK,),
    ),
)
