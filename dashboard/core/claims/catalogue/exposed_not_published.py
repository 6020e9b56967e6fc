"""EXPOSE publishes nothing."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.extract import describe_ports
from dashboard.core.claims.model import Claim, Expectation, Judgement, Topic, holds_if
from dashboard.core.claims.observers import observe_container
from dashboard.core.claims.testbed import Container

LINES = ("docker run -d IMAGE sleep 60",)


def judge(container: Container) -> Judgement:
    """Holds if port 80 is listed without a port of the machine."""
    ports = container.setting("NetworkSettings", "Ports") or {}
    evidence = f"NetworkSettings.Ports: {describe_ports(ports)}"
    return holds_if("80/tcp" in ports and not ports["80/tcp"], "It is published, or not listed.", evidence)


CLAIM = Claim(
    id="exposed-not-published",
    topic=Topic.PUBLISHING,
    statement="A port that docker ps shows without an arrow, such as 80/tcp, is exposed by the image and not "
    "published.",
    source="Dockerfile reference, EXPOSE; Docker Engine API, ContainerInspect",
    observe=observe_container(*LINES),
    judge=judge,
    lines=(*LINES, "docker ps", "docker port ID"),
    mutation={"docker run -d": "docker run -d -P"},
    otherwise=(Expectation(PODMAN, not_testable="Podman lists exposed ports elsewhere."),),
)
