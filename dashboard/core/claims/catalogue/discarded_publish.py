"""``-p`` in host mode is discarded, with one warning."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.extract import describe_list, describe_ports
from dashboard.core.claims.model import Claim, Expectation, Judgement, Topic, differs, holds_if
from dashboard.core.claims.observers import observe_container
from dashboard.core.claims.testbed import Container

LINE = "docker run -d --network host -p 8080:80 IMAGE sleep 30"
WARNING = "Published ports are discarded when using host network mode"


def judge(container: Container) -> Judgement:
    """Holds if the create response has the warning and NetworkSettings has no port."""
    published = container.setting("NetworkSettings", "Ports")
    evidence = (
        f"warnings of the create response: {describe_list(container.warnings)}",
        f"HostConfig.PortBindings: {describe_ports(container.setting('HostConfig', 'PortBindings'))}",
        f"NetworkSettings.Ports: {describe_ports(published)}",
    )
    if published:
        return differs("The Engine published the port.", *evidence)
    return holds_if(WARNING in container.warnings, "The Engine discarded the port without the warning.", *evidence)


CLAIM = Claim(
    id="discarded-publish",
    topic=Topic.PUBLISHING,
    statement="With --network host, -p is discarded with a warning.",
    source="Docker documentation, “Host network driver”; Moby, daemon/create.go",
    exact="Only the response to create has the warning: docker inspect never shows it, and HostConfig keeps the "
    "discarded mapping.",
    observe=observe_container(LINE),
    judge=judge,
    lines=(LINE,),
    otherwise=(
        Expectation(
            PODMAN, not_testable="Podman discards -p in host mode without a warning in the response to create."
        ),
    ),
    mutation={"--network host -p 8080:80": "--network bridge -p 80"},
)
