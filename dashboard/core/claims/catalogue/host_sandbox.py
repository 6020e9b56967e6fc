"""The sandbox key of host mode names the default namespace."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.model import Claim, Expectation, Judgement, Topic, holds_if
from dashboard.core.claims.observers import observe_container
from dashboard.core.claims.testbed import Container

LINE = "docker run -d --network host IMAGE sleep 60"


def judge(container: Container) -> Judgement:
    """Holds if ``SandboxKey`` names the default namespace."""
    key = str(container.setting("NetworkSettings", "SandboxKey") or "")
    evidence = f"NetworkSettings.SandboxKey: {key or 'empty'}"
    return holds_if(key.endswith("/netns/default"), "The Engine created a sandbox.", evidence)


CLAIM = Claim(
    id="host-sandbox",
    topic=Topic.ISOLATION,
    statement="In host mode the Engine creates no sandbox: SandboxKey ends in /netns/default.",
    source="Moby, libnetwork/sandbox.go; docker inspect",
    observe=observe_container(LINE),
    judge=judge,
    lines=(LINE,),
    otherwise=(
        Expectation(PODMAN, not_testable="Podman has no libnetwork sandboxes: SandboxKey is empty in host mode."),
    ),
    mutation={"--network host": "--network none"},
)
