"""-P in host mode is silently ignored."""

from dashboard.core.claims.extract import describe_list, describe_ports
from dashboard.core.claims.model import Claim, Judgement, Topic, differs, holds_if
from dashboard.core.claims.observers import observe_container
from dashboard.core.claims.testbed import Container

LINE = "docker run -d --network host -P IMAGE sleep 60"


def judge(container: Container) -> Judgement:
    """Holds if there is no port and no warning."""
    published = container.setting("NetworkSettings", "Ports")
    evidence = (
        f"warnings of the create response: {describe_list(container.warnings)}",
        f"NetworkSettings.Ports: {describe_ports(published)}",
    )
    if published:
        return differs("The Engine published ports.", *evidence)
    return holds_if(not container.warnings, "The Engine warned.", *evidence)


CLAIM = Claim(
    id="publish-all-silent",
    topic=Topic.PUBLISHING,
    statement="In host mode -P is ignored, without any warning.",
    source="Docker documentation, “Host network driver”; Moby, daemon/create.go",
    exact="Commonly stated as “-p and -P are ignored with a warning”: only -p warns.",
    observe=observe_container(LINE),
    judge=judge,
    lines=(LINE,),
    mutation={"--network host": "--network bridge"},
)
