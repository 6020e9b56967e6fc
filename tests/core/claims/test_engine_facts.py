"""What claims expect by version and option of an engine."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from dashboard.core.claims.engine_facts import (
    GATEWAY_MODE,
    ROOTLESS_PODMAN,
    DaemonOptions,
    EngineCondition,
    EngineFacts,
    facts_of,
    parse_daemon_options,
)
from dashboard.core.experiments.engine_kind import EngineKind

USUAL = DaemonOptions(userland_proxy=True, iptables=True, gateway_mode="nat", icc=True)


@pytest.mark.parametrize(
    ("condition", "matching", "other"),
    [
        ({"before": (25, 0)}, {"version": (24, 0)}, {"version": (25, 0)}),
        ({"before": (25, 0)}, {"version": (20, 10)}, {"version": (0, 0)}),
        ({"before_api": (1, 44)}, {"api": (1, 43)}, {"api": (1, 44)}),
        ({"before_api": (1, 44)}, {"api": (1, 41)}, {"api": (0, 0)}),
        ({"userland_proxy": False}, {"options": DaemonOptions(userland_proxy=False)}, {"options": DaemonOptions()}),
        ({"iptables": False}, {"options": DaemonOptions(iptables=False)}, {"options": USUAL}),
        ({"icc": False}, {"options": DaemonOptions(icc=False)}, {"options": USUAL}),
        ({"gateway_mode": "routed"}, {"options": DaemonOptions(gateway_mode="routed")}, {"options": USUAL}),
        ({"bridge_ipv6": True}, {"bridge_ipv6": True}, {"bridge_ipv6": False}),
        ({"rootless_network": "slirp4netns"}, {"rootless_network": "slirp4netns"}, {"rootless_network": "pasta"}),
        ({"rootless_network": "slirp4netns"}, {"rootless_network": "slirp4netns"}, {}),
        ({"firewalld": True}, {"firewalld": True}, {"firewalld": False}),
        ({"rootless": True}, {"rootless": True}, {"rootless": False}),
        (
            {"bridge_ipv6": True, "before": (25, 0)},
            {"bridge_ipv6": True, "version": (20, 10)},
            {"bridge_ipv6": True, "version": (28, 5)},
        ),
    ],
)
def test_an_engine_matches_if_every_given_field_does_and_an_unknown_fact_never_does(
    condition: dict[str, Any], matching: dict[str, Any], other: dict[str, Any]
) -> None:
    engines = EngineCondition(**condition)
    assert engines.matches(EngineFacts(**matching))
    assert not engines.matches(EngineFacts(**other))
    assert not engines.matches(EngineFacts())


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (EngineCondition(before=(25, 0)), "before Engine 25.0"),
        (EngineCondition(before_api=(1, 44)), "before API 1.44"),
        (EngineCondition(userland_proxy=False), "with userland-proxy=false"),
        (EngineCondition(icc=False), "with icc=false"),
        (EngineCondition(gateway_mode="routed"), "with gateway mode routed"),
        (EngineCondition(bridge_ipv6=True), "with IPv6 on the default bridge"),
        (EngineCondition(firewalld=True), "with firewalld"),
        (EngineCondition(rootless_network="slirp4netns"), "on a rootless engine with slirp4netns"),
        (
            EngineCondition(iptables=False, bridge_ipv6=False),
            "with iptables=false and without IPv6 on the default bridge",
        ),
    ],
)
def test_a_condition_is_a_phrase(condition: EngineCondition, text: str) -> None:
    assert condition.text == text


ROUTED = {"default-network-opts": {"bridge": {GATEWAY_MODE: "routed"}}}


@pytest.mark.parametrize(
    ("command", "configuration", "options"),
    [
        ([], None, USUAL),
        ([], "not json", USUAL),
        ([], "[1]", USUAL),
        (["dockerd", "--userland-proxy=false"], "{}", replace(USUAL, userland_proxy=False)),
        (["dockerd", "--userland-proxy"], "{}", USUAL),
        (["dockerd"], '{"icc": false}', replace(USUAL, icc=False)),
        (["dockerd", "-iptables=0"], "{}", replace(USUAL, iptables=False)),
        (["dockerd", "--iptables=True"], '{"iptables": "no"}', USUAL),
        (
            ["dockerd"],
            '{"userland-proxy": false, "iptables": false}',
            replace(USUAL, userland_proxy=False, iptables=False),
        ),
        (["dockerd"], json.dumps(ROUTED), replace(USUAL, gateway_mode="routed")),
        (["dockerd", f"--default-network-opt=bridge={GATEWAY_MODE}=routed"], "", replace(USUAL, gateway_mode="routed")),
        (["--default-network-opt", f"bridge={GATEWAY_MODE}=isolated"], "", replace(USUAL, gateway_mode="isolated")),
        ([], '{"default-network-opts": {"bridge": 7}}', USUAL),
    ],
)
def test_options_come_from_the_command_line_and_daemon_json(
    command: list[str], configuration: str | None, options: DaemonOptions
) -> None:
    assert parse_daemon_options(command, configuration) == options


def test_versions_are_compared_as_numbers() -> None:
    facts = facts_of(EngineKind.DOCKER, "20.10.24+dfsg1", "1.41", USUAL, bridge_ipv6=True)
    assert facts == EngineFacts((20, 10), (1, 41), USUAL, bridge_ipv6=True)
    assert EngineCondition(before_api=(1, 44)).matches(
        facts_of(EngineKind.DOCKER, "24.0.9", "1.9", USUAL, bridge_ipv6=False)
    )


def test_a_version_of_podman_does_not_match_one_of_docker() -> None:
    podman = facts_of(EngineKind.PODMAN, "5.4.2", "1.41", USUAL, bridge_ipv6=False)
    assert not EngineCondition(before=(25, 0)).matches(podman)
    assert EngineCondition(EngineKind.PODMAN).matches(podman)
    assert EngineCondition(EngineKind.PODMAN).text == "with Podman"
    assert not ROOTLESS_PODMAN.matches(podman)
    assert ROOTLESS_PODMAN.matches(replace(podman, rootless=True))
    assert ROOTLESS_PODMAN.text == "with rootless Podman"
    assert not EngineCondition(EngineKind.PODMAN).matches(EngineFacts((26, 1), (1, 45), USUAL))
