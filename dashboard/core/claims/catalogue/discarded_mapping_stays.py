"""The discarded mapping stays in HostConfig."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.extract import describe_ports
from dashboard.core.claims.model import Claim, Expectation, Judgement, Topic, differs, holds_if
from dashboard.core.claims.observers import observe_container
from dashboard.core.claims.testbed import Container

LINE = "docker run -d --network host -p 8080:80 IMAGE sleep 60"


def judge(container: Container) -> Judgement:
    """Holds if HostConfig has the mapping and NetworkSettings does not."""
    requested, published = (
        container.setting("HostConfig", "PortBindings"),
        container.setting("NetworkSettings", "Ports"),
    )
    evidence = (
        f"HostConfig.PortBindings: {describe_ports(requested)}",
        f"NetworkSettings.Ports: {describe_ports(published)}",
    )
    if published:
        return differs("The port is published.", *evidence)
    return holds_if(bool(requested), "The mapping is gone from HostConfig.", *evidence)


CLAIM = Claim(
    id="discarded-mapping-stays",
    topic=Topic.PUBLISHING,
    statement="A mapping that host mode discards stays in HostConfig.PortBindings; NetworkSettings.Ports is empty.",
    source="docker inspect; Moby, daemon/create.go",
    exact="Scripts that read HostConfig report a port that is not published: read NetworkSettings.Ports.",
    observe=observe_container(LINE),
    judge=judge,
    lines=(LINE, "docker inspect --format '{{json .HostConfig.PortBindings}}' ID"),
    otherwise=(
        Expectation(PODMAN, not_testable="Podman removes a mapping that host mode discards from HostConfig as well."),
    ),
    mutation={" -p 8080:80": ""},
)
