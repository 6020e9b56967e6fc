"""Claims about containers on a macvlan network, which are on the LAN themselves."""

from dashboard.core.claims.constructors import exchange_claim
from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.exchanges import NEIGHBOUR_ADDRESS, NO_CONNECTION, Ask, answers
from dashboard.core.claims.model import Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR
from dashboard.core.modes import MACHINE

CLAIMS = (
    exchange_claim(
        "macvlan-from-lan",
        Topic.BRIDGE,
        statement="Other machines reach a macvlan container at its own address, without -p and without a route.",
        source="Docker documentation, “Macvlan network driver”",
        lines=(
            "docker network create -d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0 lab",
            "docker run -d --name web --network {lab} --ip 192.0.2.51 IMAGE",
        ),
        asks={Ask(NEIGHBOUR, "192.0.2.51", 80): answers(NEIGHBOUR_ADDRESS)},
        needs=frozenset({Need.ALONE}),
        mutation={
            "-d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0": "--subnet 10.213.203.0/24",
            "--ip 192.0.2.51": "--ip 10.213.203.51",
        },
    ),
    exchange_claim(
        "macvlan-ignores-p",
        Topic.PUBLISHING,
        statement="On a macvlan network -p publishes nothing: the container answers at its own address and port.",
        source="Docker documentation, “Macvlan network driver”",
        lines=(
            "docker network create -d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0 lab",
            "docker run -d --name web --network {lab} --ip 192.0.2.55 -p 8172:80 IMAGE",
        ),
        asks={Ask(NEIGHBOUR, "{machine}", 8172): NO_CONNECTION, Ask(NEIGHBOUR, "192.0.2.55", 80): answers()},
        needs=frozenset({Need.ALONE}),
        mutation={
            "-d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0": "--subnet 10.213.203.0/24",
            "--ip 192.0.2.55": "--ip 10.213.203.55",
        },
        otherwise=(
            Expectation(PODMAN, not_testable="Podman's conmon holds the port on the machine, where nothing answers."),
        ),
    ),
    exchange_claim(
        "macvlan-workaround",
        Topic.BRIDGE,
        statement="With its own macvlan interface on the same parent, and a route through it, the machine reaches its "
        "macvlan containers.",
        source="ip-link(8), macvlan; Docker documentation, “Macvlan network driver”",
        lines=(
            "docker network create -d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0 lab",
            "docker run -d --name web --network {lab} --ip 192.0.2.53 IMAGE",
            "ip link add shim link eth0 type macvlan mode bridge",
            "ip address add 192.0.2.60/32 dev shim",
            "ip link set shim up",
            "ip route add 192.0.2.53/32 dev shim",
        ),
        asks={Ask(MACHINE, "192.0.2.53", 80): answers("192.0.2.60")},
        needs=frozenset({Need.ALONE}),
        mutation={"ip route add 192.0.2.53/32": "ip route add 192.0.2.54/32"},
    ),
    exchange_claim(
        "machine-not-macvlan",
        Topic.BRIDGE,
        statement="The machine cannot reach a macvlan container through the parent interface, although other machines "
        "can.",
        source="Docker documentation, “Macvlan network driver”; ip-link(8), macvlan",
        lines=(
            "docker network create -d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0 lab",
            "docker run -d --name web --network {lab} --ip 192.0.2.52 IMAGE",
        ),
        asks={Ask(NEIGHBOUR, "192.0.2.52", 80): answers(), Ask(MACHINE, "192.0.2.52", 80): NO_CONNECTION},
        needs=frozenset({Need.ALONE}),
        mutation={
            "-d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0": "--subnet 10.213.203.0/24",
            "--ip 192.0.2.52": "--ip 10.213.203.52",
        },
    ),
    exchange_claim(
        "macvlan-not-the-machine",
        Topic.BRIDGE,
        statement="A macvlan container cannot reach its own machine through the parent interface.",
        source="Docker documentation, “Macvlan network driver”; ip-link(8), macvlan",
        exact="It reaches every other machine on the LAN: the kernel isolates parent and macvlan.",
        lines=(
            "python3 -m http.server --bind {machine} 8121",
            "docker network create -d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0 lab",
            "docker run -d --name client --network {lab} --ip 192.0.2.50 IMAGE sleep 60",
        ),
        asks={Ask("client", "{machine}", 8121): NO_CONNECTION},
        mutation={
            "-d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0": "--subnet 10.213.202.0/24",
            "--ip 192.0.2.50": "--ip 10.213.202.50",
        },
    ),
)
