"""Which modes an engine supports."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dashboard.core.experiments.availability import UNPRIVILEGED_PORTS, EngineTraits, availability, parse_version
from dashboard.core.experiments.engine_kind import ONLY_PODMAN, EngineKind
from dashboard.core.modes import PODMAN_MODES, Available, Mode, Unavailable

PLUGINS = ("bridge", "host", "ipvlan", "macvlan", "null", "overlay")
PLAIN = EngineTraits(version="26.1.5+dfsg1", network_plugins=PLUGINS)
KINDS = {"macvlan": True, "ipvlan": True, "vxlan": True}


PODMAN = replace(PLAIN, kind=EngineKind.PODMAN, version="5.8.6", programs=("netavark 1.14.0", "pasta", "slirp4netns"))
ROOTLESS_PODMAN = replace(PODMAN, rootless=True)


def test_a_default_engine_supports_every_mode_of_docker_except_overlay() -> None:
    found = availability(PLAIN, KINDS, has_parent=True)
    assert set(found) == set(Mode)
    assert {mode for mode, one in found.items() if one == Available()} == set(Mode) - {Mode.OVERLAY} - PODMAN_MODES
    assert {found[mode] for mode in PODMAN_MODES} == {Unavailable(ONLY_PODMAN)}


def test_a_rootless_podman_has_all_modes_of_podman() -> None:
    found = availability(ROOTLESS_PODMAN, KINDS)
    assert {mode for mode in PODMAN_MODES if isinstance(found[mode], Available)} == PODMAN_MODES
    assert found[Mode.PRIVATE] == Available("On this engine it is pasta or slirp4netns, as Podman is configured.")
    assert "such as the SandboxKey" in str(found[Mode.NS])
    as_root = availability(PODMAN, KINDS)
    assert ("ns:/run/netns/lab" in str(as_root[Mode.NS]), as_root[Mode.HOST]) == (True, Available())


@pytest.mark.parametrize(
    ("engine", "mode", "words"),
    [
        (PODMAN, Mode.PASTA, "use a rootless Podman"),
        (PODMAN, Mode.SLIRP4NETNS, "use a rootless Podman"),
        (replace(ROOTLESS_PODMAN, programs=("slirp4netns",)), Mode.PASTA, "apt-get install passt"),
        (replace(ROOTLESS_PODMAN, programs=("pasta",)), Mode.SLIRP4NETNS, "apt-get install slirp4netns"),
        (replace(ROOTLESS_PODMAN, version="4.3.1"), Mode.PASTA, "before 4.4"),
    ],
)
def test_a_podman_without_a_mode_has_one_sentence_with_a_remedy(engine: EngineTraits, mode: Mode, words: str) -> None:
    found = availability(engine, KINDS)
    lacking = found[mode]
    assert isinstance(lacking, Unavailable)
    assert words in lacking.reason
    assert all(isinstance(found[one], Available) for one in (Mode.PRIVATE, Mode.NS))
    if not engine.rootless:
        assert found[Mode.PRIVATE] == Available("On this engine it is Podman's default bridge.")


@pytest.mark.parametrize(
    ("changes", "kinds", "has_parent", "mode", "words"),
    [
        ({"desktop": True, "desktop_version": (4, 33)}, {}, True, Mode.HOST, "before 4.34"),
        ({"rootless": True}, {}, True, Mode.HOST, "before 29.5"),
        ({"rootless": True, "version": "29.4.9"}, {}, True, Mode.HOST, "update the engine"),
        ({"userns_remap": True}, {}, True, Mode.HOST, "unless a container has --userns=host"),
        ({"invisible": "the engine is reached over TCP"}, {}, False, Mode.MACVLAN, "reached over TCP"),
        ({}, {"macvlan": False}, True, Mode.MACVLAN, "modprobe macvlan"),
        ({}, {"ipvlan": False}, True, Mode.IPVLAN, "modprobe ipvlan"),
        ({"network_plugins": ("bridge",)}, {}, True, Mode.MACVLAN, "no macvlan driver"),
        ({"network_plugins": ("bridge",)}, {}, True, Mode.OVERLAY, "no overlay driver"),
        ({"rootless": True}, {}, True, Mode.MACVLAN, "rootless"),
        ({"rootless": True}, {}, True, Mode.IPVLAN, "runs as root"),
        ({"desktop": True}, {}, True, Mode.MACVLAN, "Docker Desktop"),
        ({"kind": EngineKind.PODMAN}, {}, True, Mode.OVERLAY, "Podman has no overlay networks"),
        (
            {"kind": EngineKind.PODMAN, "network_plugins": ("bridge",)},
            {},
            True,
            Mode.MACVLAN,
            "update Podman and netavark",
        ),
        ({}, {}, False, Mode.MACVLAN, "private host"),
        ({}, {}, False, Mode.IPVLAN, "Ethernet interface"),
        ({}, {}, True, Mode.OVERLAY, "docker swarm init"),
        ({}, {}, True, Mode.OVERLAY, "if other machines have joined, form a swarm on the page Machines"),
        ({"swarm_active": True}, {"vxlan": False}, True, Mode.OVERLAY, "modprobe vxlan"),
        ({"default_bridge": False}, {}, True, Mode.BRIDGE, "user-bridge"),
    ],
)
def test_an_unavailable_mode_has_one_sentence_with_a_remedy(
    changes: dict[str, Any], kinds: dict[str, bool], has_parent: bool, mode: Mode, words: str
) -> None:
    found = availability(replace(PLAIN, **changes), KINDS | kinds, has_parent=has_parent)[mode]
    assert isinstance(found, Unavailable)
    assert words in found.reason
    assert found.reason.endswith(".")
    assert "\n" not in found.reason


@pytest.mark.parametrize(
    ("changes", "mode"),
    [
        ({"rootless": True, "version": "29.5.0-rc.1"}, Mode.HOST),
        ({"rootless": True, "version": "30.0.0"}, Mode.HOST),
        ({"swarm_active": True}, Mode.OVERLAY),
        ({"network_plugins": ()}, Mode.MACVLAN),
        ({"default_bridge": False}, Mode.USER_BRIDGE),
        ({"desktop": True}, Mode.BRIDGE),
        ({"rootless": True}, Mode.CONTAINER),
        ({"userns_remap": True}, Mode.NONE),
    ],
)
def test_a_mode_without_a_missing_requirement_is_available(changes: dict[str, Any], mode: Mode) -> None:
    assert availability(replace(PLAIN, **changes), KINDS, has_parent=True)[mode] == Available()


@pytest.mark.parametrize("version", [(0, 0), (4, 34), (5, 0)])
def test_host_mode_on_docker_desktop_is_offered_with_what_it_takes(version: tuple[int, int]) -> None:
    found = availability(replace(PLAIN, desktop=True, desktop_version=version), KINDS)[Mode.HOST]
    assert isinstance(found, Available)
    for words in ("Enable host networking", "4.34", "TCP and UDP ports only", "virtual machine"):
        assert words in found.note


def test_a_rootless_podman_shares_the_machine_s_own_namespace() -> None:
    """Podman runs no RootlessKit: only bridge networks are in a namespace of the user."""
    assert availability(ROOTLESS_PODMAN, KINDS)[Mode.HOST] == Available(UNPRIVILEGED_PORTS)


def test_a_link_kind_that_was_not_tested_counts_as_supported() -> None:
    assert availability(PLAIN, {}, has_parent=True)[Mode.MACVLAN] == Available()


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("26.1.5+dfsg1", (26, 1)),
        ("v29.5.0-rc.1", (29, 5)),
        ("", (0, 0)),
        ("dev", (0, 0)),
        ("29", (0, 0)),
        ("9" * 50 + ".1", (0, 0)),
    ],
)
def test_a_version_is_parsed_from_the_start_of_the_text(text: str, version: tuple[int, int]) -> None:
    assert parse_version(text) == version
