"""Sample data for pages: snapshots, lists, and the contexts of templates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from dashboard.core.comparison.rows import compare
from dashboard.core.diagram.path_overlay import draw_paths
from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.engine_kind import ONLY_PODMAN
from dashboard.core.experiments.inspect_commands import COMMANDS
from dashboard.core.experiments.journal import Attempt
from dashboard.core.experiments.messages import (
    ArmStatus,
    Check,
    Column,
    Doctor,
    EngineRef,
    ModeReport,
    Phase,
    TimelineItem,
)
from dashboard.core.experiments.presets.catalogue import PRESETS
from dashboard.core.experiments.presets.preset import prepare
from dashboard.core.experiments.stream import Snapshot
from dashboard.core.namespaces.state import NamespaceState
from dashboard.web.experiments.forms import LaunchForm
from tests.core.sample import (
    STARTED_AT,
    _loopback,
    make_column,
    make_columns,
    make_head,
    make_link,
    make_states,
    make_timeline,
)


def make_snapshot(
    phase: Phase = Phase.RUNNING,
    columns: tuple[Column, ...] | None = None,
    states: dict[str, NamespaceState] | None = None,
    timeline: tuple[TimelineItem, ...] | None = None,
    seq: int = 41,
    **head: Any,
) -> Snapshot:
    """A complete snapshot; each part can be replaced."""
    columns = make_columns() if columns is None else columns
    states = make_states() if states is None else states
    wide, narrow = draw(columns, states)
    return Snapshot(
        seq,
        make_head(phase, **head),
        columns,
        compare(columns, states),
        wide,
        narrow,
        make_timeline() if timeline is None else timeline,
        draw_paths(columns, states, (wide, narrow)),
    )


def make_eventful_snapshot() -> Snapshot:
    """Eight arms: one refused, one exited, one shares a network stack. They show every state of a column's head."""
    first, host, bridge, user = make_columns()
    states = make_states()
    exited = replace(
        host,
        status=ArmStatus.EXITED,
        exit_code=1,
        logs=(
            "2026/11/24 11:31:07 [emerg] 1#1: bind() to 0.0.0.0:80 failed (98: Address already in use)",
            "nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)",
        ),
    )
    refused = replace(
        make_column("overlay", "d4" * 32, "docker run --rm -d --network netmodes-7f2-o nginx"),
        container=None,
        status=ArmStatus.REFUSED,
        error="Error response from daemon: This node is not a swarm manager.",
    )
    shares = make_column(
        "container", "e5" * 32, "docker run --rm -d --network container:netmodes-7f2-bridge nginx", target="bridge"
    )
    lonely = make_column("none", "f6" * 32, "docker run --rm -d --network none nginx")
    lan = make_column("macvlan", "a7" * 32, "docker run --rm -d --network netmodes-7f2-m nginx")
    lan2 = make_column("ipvlan", "b8" * 32, "docker run --rm -d --network netmodes-7f2-i nginx")
    states["container"] = states["bridge"]
    states["none"] = NamespaceState(4026532801, "f6f6f6", interfaces=(_loopback(),))
    for key, netns, address in (("macvlan", 4026532901, "192.0.2.77"), ("ipvlan", 4026532951, "192.0.2.78")):
        link = make_link("eth0", 12, key, (address, 24), peer="eth0", mac="02:42:c0:00:02:4d")
        states[key] = NamespaceState(netns, key, interfaces=(_loopback(), link))
    columns = (first, exited, bridge, user, lonely, shares, lan, lan2, refused)
    return make_snapshot(
        columns=columns, states=states, notice="The image was built here: no registry answers.", progress=""
    )


def make_doctor() -> Doctor:
    """The doctor's report of an ordinary machine."""
    missing = "This engine is not part of a swarm: run `docker swarm init` to try overlay networks."
    kernel = "This kernel has no ipvlan module."
    modes = ("host", "bridge", "user-bridge", "none", "container", "macvlan")
    return Doctor(
        EngineRef("26.1.5", "1.45", "lab-1", "6.18.1", "Debian GNU/Linux 13", endpoint="unix:///run/docker.sock"),
        (
            *(ModeReport(mode, True) for mode in modes),
            ModeReport("ipvlan", False, kernel),
            ModeReport("overlay", False, missing),
            *(ModeReport(mode, False, ONLY_PODMAN) for mode in ("pasta", "slirp4netns", "private", "ns")),
        ),
        (
            Check("Docker Engine", True, "26.1.5, API 1.45, unix:///run/docker.sock"),
            Check("enter namespaces", True, "setns works: CAP_SYS_ADMIN"),
            Check("docker-proxy", True, "userland proxy is on"),
            Check("image nginx", False, "not here yet; it will be built from Debian's packages at first launch"),
        ),
    )


@dataclass(frozen=True, slots=True)
class Listed:
    """An experiment in the lists of the start page."""

    id: str
    title: str
    image: str
    port: int
    phase: str
    modes: tuple[str, ...]
    created_at: datetime
    url: str


def make_listed(phase: str, count: int = 1) -> list[Listed]:
    """Experiments as the start page lists them."""
    return [
        Listed(
            f"e{number}",
            f"nginx on port {80 + number}",
            "nginx",
            80 + number,
            phase,
            ("host", "bridge", "user-bridge", "none")[: 2 + number % 3],
            datetime.fromtimestamp(STARTED_AT - 3600 * number, UTC),
            f"/experiments/e{number}/",
        )
        for number in range(count)
    ]


INSPECT_COMMANDS: tuple[dict[str, Any], ...] = tuple(
    {"key": one.key, "text": one.text, "needs_name": one.needs_name, "section": one.section}
    for one in COMMANDS.values()
)
ATTEMPTS = (
    Attempt(
        "loopback",
        "Host mode over loopback",
        "machine",
        "host",
        "http://127.0.0.1:80/",
        "curl http://127.0.0.1:80/",
        200,
        "OK",
        "<!DOCTYPE html><html><head><title>Welcome to nginx!</title>",
        412,
        "127.0.0.1",
    ),
    Attempt(
        "published-proxy",
        "Published port through docker-proxy",
        "machine",
        "bridge",
        "http://127.0.0.1:8080/",
        "curl http://127.0.0.1:8080/",
        200,
        "OK",
        "<!DOCTYPE html>",
        1904,
        "172.17.0.1",
    ),
    Attempt(
        "bridge-address",
        "The container's own address, closed port",
        "machine",
        "bridge",
        "http://172.18.0.2:8080/",
        "curl http://172.18.0.2:8080/",
        time_us=95,
        error="172.18.0.2:8080 refused the connection: nothing listens there.",
    ),
    Attempt(
        "published-dnat",
        "Published port through DNAT",
        "machine",
        "user-bridge",
        "",
        "",
        unavailable="user-bridge publishes no port.",
    ),
)
ENGINE_BADGE = SimpleNamespace(text="Engine 26.1.5 · lab-1", ok=True, private=False)


def base_context(**more: Any) -> dict[str, Any]:
    """The context of every page."""
    return {"engine_badge": ENGINE_BADGE, "user": SimpleNamespace(is_authenticated=True)} | more


def home_context(**more: Any) -> dict[str, Any]:
    """The start page's context."""
    fields: dict[str, Any] = {
        "running": make_listed("running", 2),
        "past": make_listed("stopped", 5),
        "modes": list(make_doctor().modes),
        "engine_problem": "",
        "images": ["nginx", "nginx:1.28", "busybox:latest"],
        "form": LaunchForm(free_port=8080),
        "presets": [prepare(preset, ("nginx:latest",), 8080) for preset in PRESETS],
    }
    return base_context(**(fields | more))


def experiment_context(snapshot: Snapshot | None = None, **more: Any) -> dict[str, Any]:
    """The experiment page's context."""
    fields: dict[str, Any] = {
        "snapshot": snapshot or make_snapshot(),
        "experiment_url": "/experiments/7f2a9c/",
        "ws_path": "/ws/experiments/7f2a9c/",
        "inspect_commands": INSPECT_COMMANDS,
    }
    return base_context(**(fields | more))
