"""Claims that host mode discards -p and -P. The Engine warns only in its response to create, and only about -p."""

import json

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.extract import describe_list, describe_ports
from dashboard.core.claims.model import Claim, Expectation, Judgement, Topic, differs, holds_if
from dashboard.core.claims.observers import observe_container
from dashboard.core.claims.testbed import Container

LINE = "docker run -d --network host -p 8080:80 IMAGE sleep 60"
ALL_PORTS = "docker run -d --network host -P IMAGE sleep 60"
WARNING = "Published ports are discarded when using host network mode"
MUTATION = {"--network host -p 8080:80": "--network bridge -p 80"}


def _warnings(container: Container) -> str:
    return f"warnings of the create response: {describe_list(container.warnings)}"


def _published(container: Container) -> str:
    return f"NetworkSettings.Ports: {describe_ports(container.setting('NetworkSettings', 'Ports'))}"


def _requested(container: Container) -> str:
    return f"HostConfig.PortBindings: {describe_ports(container.setting('HostConfig', 'PortBindings'))}"


def judge_discarded(container: Container) -> Judgement:
    """The claim holds if the create response contains the warning ``WARNING``, and NetworkSettings has no published
    port."""
    evidence = (_warnings(container), _requested(container), _published(container))
    if container.setting("NetworkSettings", "Ports"):
        return differs("The Engine published the port.", *evidence)
    return holds_if(WARNING in container.warnings, "The Engine discarded the port without the warning.", *evidence)


def judge_kept(container: Container) -> Judgement:
    """The claim holds if HostConfig has the requested port mapping, and NetworkSettings has no published port."""
    evidence = (_requested(container), _published(container))
    if container.setting("NetworkSettings", "Ports"):
        return differs("The port is published.", *evidence)
    requested = bool(container.setting("HostConfig", "PortBindings"))
    return holds_if(requested, "The mapping is gone from HostConfig.", *evidence)


def judge_silent(container: Container) -> Judgement:
    """The claim holds if NetworkSettings has no published port, and the create response contains no warning."""
    evidence = (_warnings(container), _published(container))
    if container.setting("NetworkSettings", "Ports"):
        return differs("The Engine published ports.", *evidence)
    return holds_if(not container.warnings, "The Engine warned.", *evidence)


def judge_warned_once(container: Container) -> Judgement:
    """The claim holds if the create response contains the warning ``WARNING``, and the inspect response does not."""
    inspected = WARNING in json.dumps(dict(container.inspected), default=str)
    evidence = (_warnings(container), f"docker inspect: the warning is {'there' if inspected else 'not there'}")
    if inspected:
        return differs("docker inspect shows the warning.", *evidence)
    warned = any(WARNING in warning for warning in container.warnings)
    return holds_if(warned, "The Engine gave no warning.", *evidence)


CLAIMS = (
    Claim(
        id="discarded-publish",
        topic=Topic.PUBLISHING,
        statement="With --network host, -p is discarded with a warning.",
        source="Docker documentation, “Host network driver”; Moby, daemon/create.go",
        exact="Only the response to create has the warning: docker inspect never shows it, and HostConfig keeps the "
        "discarded mapping.",
        observe=observe_container(LINE),
        judge=judge_discarded,
        lines=(LINE,),
        mutation=MUTATION,
        otherwise=(
            Expectation(
                PODMAN, not_testable="Podman discards -p in host mode without a warning in the response to create."
            ),
        ),
    ),
    Claim(
        id="discarded-mapping-stays",
        topic=Topic.PUBLISHING,
        statement="A mapping that host mode discards stays in HostConfig.PortBindings; NetworkSettings.Ports is empty.",
        source="docker inspect; Moby, daemon/create.go",
        exact="Scripts that read HostConfig report a port that is not published: read NetworkSettings.Ports.",
        observe=observe_container(LINE),
        judge=judge_kept,
        lines=(LINE, "docker inspect --format '{{json .HostConfig.PortBindings}}' ID"),
        mutation={" -p 8080:80": ""},
        otherwise=(
            Expectation(
                PODMAN, not_testable="Podman removes a mapping that host mode discards from HostConfig as well."
            ),
        ),
    ),
    Claim(
        id="publish-all-silent",
        topic=Topic.PUBLISHING,
        statement="In host mode -P is ignored, without any warning.",
        source="Docker documentation, “Host network driver”; Moby, daemon/create.go",
        exact="Commonly stated as “-p and -P are ignored with a warning”: only -p warns.",
        observe=observe_container(ALL_PORTS),
        judge=judge_silent,
        lines=(ALL_PORTS,),
        mutation={"--network host": "--network bridge"},
    ),
    Claim(
        id="warning-only-at-create",
        topic=Topic.PUBLISHING,
        statement="Only the create response has the warning about a discarded port: docker inspect never shows it.",
        source="Docker Engine API, POST /containers/create, Warnings",
        exact="If you start containers with a tool that does not show warnings, you never see this one.",
        observe=observe_container(LINE),
        judge=judge_warned_once,
        lines=(LINE, "docker inspect ID | grep -i discarded"),
        mutation=MUTATION,
        otherwise=(Expectation(PODMAN, not_testable="Podman gives no warning about a discarded port."),),
    ),
)
