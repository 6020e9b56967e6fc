"""Host mode's warning appears only in the create response."""

import json

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.extract import describe_list
from dashboard.core.claims.model import Claim, Expectation, Judgement, Topic, differs, holds_if
from dashboard.core.claims.observers import observe_container
from dashboard.core.claims.testbed import Container

LINE = "docker run -d --network host -p 8080:80 IMAGE sleep 60"
WORDS = "Published ports are discarded"


def judge(container: Container) -> Judgement:
    """Holds if the create response has the warning and inspect does not."""
    inspected = WORDS in json.dumps(dict(container.inspected), default=str)
    evidence = (
        f"warnings of the create response: {describe_list(container.warnings)}",
        f"docker inspect: the warning is {'there' if inspected else 'not there'}",
    )
    if inspected:
        return differs("docker inspect shows the warning.", *evidence)
    warned = any(WORDS in warning for warning in container.warnings)
    return holds_if(warned, "There was no warning.", *evidence)


CLAIM = Claim(
    id="warning-only-at-create",
    topic=Topic.PUBLISHING,
    statement="Only the create response has the warning about a discarded port: docker inspect never shows it.",
    source="Docker Engine API, POST /containers/create, Warnings",
    exact="If you start containers with a tool that drops warnings, you never see it.",
    observe=observe_container(LINE),
    judge=judge,
    lines=(LINE, "docker inspect ID | grep -i discarded"),
    otherwise=(Expectation(PODMAN, not_testable="Podman gives no warning about a discarded port."),),
    mutation={"--network host -p 8080:80": "--network bridge -p 80"},
)
