"""Claims about rules in the chain DOCKER-USER, and which requests they block."""

from dashboard.core.claims.constructors import NO_DOCKER_USER, PODMAN_HAS_NO_DOCKER_USER, exchange_claim
from dashboard.core.claims.engine_facts import FIREWALLD, FIREWALLD_ZONE
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, answers
from dashboard.core.claims.model import Expectation, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

CLAIMS = (
    exchange_claim(
        "docker-user-stops-published",
        Topic.PUBLISHING,
        statement="A rule in DOCKER-USER blocks a published port for other machines.",
        source="Docker documentation, “Docker with iptables”; iptables(8)",
        exact="The rule must name the container's port, because the packets are already translated.",
        lines=(
            "docker run -d --name web -p 8131:8132 -e NETMODES_PORT=8132 IMAGE",
            "iptables -I DOCKER-USER -p tcp --dport 8132 -m comment --comment nm-8131 -j DROP",
        ),
        asks={Ask(NEIGHBOUR, "{machine}", 8131): NO_CONNECTION},
        matched=True,
        mutation={"-I DOCKER-USER": "-I INPUT"},
        otherwise=(NO_DOCKER_USER, PODMAN_HAS_NO_DOCKER_USER),
    ),
    exchange_claim(
        "docker-user-sees-container-port",
        Topic.PUBLISHING,
        statement="A rule in DOCKER-USER for the published port matches nothing: packets there already have the "
        "container's port.",
        source="Docker documentation, “Docker with iptables”; iptables(8)",
        lines=(
            "docker run -d --name web -p 8133:8134 -e NETMODES_PORT=8134 IMAGE",
            "iptables -I DOCKER-USER -p tcp --dport 8133 -m comment --comment nm-8133 -j DROP",
        ),
        asks={Ask(NEIGHBOUR, "{machine}", 8133): answers()},
        matched=False,
        mutation={"--dport 8133": "--dport 8134"},
        otherwise=(NO_DOCKER_USER, PODMAN_HAS_NO_DOCKER_USER),
    ),
    exchange_claim(
        "docker-user-original-port",
        Topic.PUBLISHING,
        statement="With -m conntrack --ctorigdstport a rule in DOCKER-USER matches the published port.",
        source="Docker documentation, “Docker with iptables”; iptables(8); iptables-extensions(8), conntrack",
        lines=(
            "docker run -d --name web -p 8135:8136 -e NETMODES_PORT=8136 IMAGE",
            (
                "iptables -I DOCKER-USER -p tcp -m conntrack --ctorigdstport 8135 --ctdir ORIGINAL -m comment "
                "--comment nm-8135 -j DROP"
            ),
        ),
        asks={Ask(NEIGHBOUR, "{machine}", 8135): NO_CONNECTION},
        matched=True,
        mutation={"--ctorigdstport 8135": "--ctorigdstport 8136"},
        otherwise=(NO_DOCKER_USER, PODMAN_HAS_NO_DOCKER_USER),
    ),
    exchange_claim(
        "docker-user-not-host-mode",
        Topic.INTERFERENCE,
        statement="A rule in DOCKER-USER does not block a server in host mode: its packets do not pass through "
        "FORWARD.",
        source="Docker documentation, “Docker with iptables”; iptables(8)",
        lines=(
            "docker run -d --name web --network host -e NETMODES_PORT=8138 IMAGE",
            "iptables -I DOCKER-USER -p tcp --dport 8138 -m comment --comment nm-8138 -j DROP",
        ),
        asks={Ask(NEIGHBOUR, "{machine}", 8138): answers()},
        matched=False,
        mutation={"-I DOCKER-USER": "-I INPUT"},
        otherwise=(
            Expectation(FIREWALLD, not_testable=FIREWALLD_ZONE),
            NO_DOCKER_USER,
            PODMAN_HAS_NO_DOCKER_USER,
        ),
    ),
)
