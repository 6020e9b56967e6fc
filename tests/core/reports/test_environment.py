"""Where reports were made: what differs, and what a difference could explain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dashboard.core.measurements.measurement import Probe
from dashboard.core.reports.environment import FACTS, Place, compare_places, processor_caveat, suspects
from tests.core.report_builders import ENGINE, ENVIRONMENT

HERE = Place(ENVIRONMENT, ENGINE, "0.1.0")


def there(**changed: Any) -> Place:
    return replace(HERE, environment=replace(ENVIRONMENT, **changed))


def test_the_same_place_differs_in_nothing() -> None:
    rows = compare_places([HERE, HERE])
    assert {row.key for row in rows} == {rule.key for rule in FACTS}
    assert not any(row.differs for row in rows)
    assert suspects(HERE, HERE, "published-proxy", Probe.TCP_RR) == ()


@pytest.mark.parametrize(
    ("changed", "path", "probe", "found"),
    [
        ({"cpu_model": "Xeon"}, "loopback", Probe.TCP_RR, ("processor",)),
        ({"kernel": "7.0"}, "loopback", Probe.UDP_RR, ("kernel",)),
        ({"governor": "powersave"}, "loopback", Probe.DNS, ("frequency governor",)),
        ({"virtualisation": "none"}, "loopback", Probe.DNS, ("virtualisation",)),
        ({"load_before": (9.0, 1.0, 1.0)}, "loopback", Probe.TCP_RR, ("load before",)),
        ({"load_before": (0.9, 1.0, 1.0)}, "loopback", Probe.TCP_RR, ()),
        ({"userland_proxy": False}, "published-proxy", Probe.TCP_RR, ("docker-proxy",)),
        ({"userland_proxy": False}, "loopback", Probe.TCP_RR, ()),
        ({"firewall_backend": "nftables"}, "published-dnat-ipv6", Probe.TCP_RR, ("firewall backend",)),
        ({"firewall_backend": "nftables"}, "loopback", Probe.TCP_RR, ()),
        ({"mtu": {"docker0": 9000, "lo": 65536}}, "bridge-address", Probe.TCP_STREAM, ("MTU",)),
        ({"mtu": {"docker0": 9000, "lo": 65536}}, "bridge-address", Probe.TCP_RR, ()),
        ({"mtu": {"br-other": 9000, "lo": 65536}}, "bridge-address", Probe.TCP_STREAM, ()),
        ({"offloads": {"lo": ("sg",)}}, "loopback", Probe.TCP_STREAM, ("offloads",)),
        ({"offloads": {"lo": ("tso", "sg")}}, "loopback", Probe.TCP_STREAM, ()),
        ({"client_core": 5}, "loopback", Probe.TCP_RR, ("client and responder on cores",)),
        ({"python": "3.14"}, "loopback", Probe.DNS, ()),
        ({"cpu_model": ""}, "loopback", Probe.TCP_RR, ()),
    ],
)
def test_a_difference_is_suspected_only_of_what_it_can_change(
    changed: dict[str, Any], path: str, probe: Probe, found: tuple[str, ...]
) -> None:
    assert suspects(HERE, there(**changed), path, probe) == found


def test_another_engine_is_suspected_behind_its_rules_only() -> None:
    other = replace(HERE, engine=replace(ENGINE, version="29.0"))
    assert suspects(HERE, other, "published-dnat", Probe.TCP_RR) == ("Docker Engine",)
    assert suspects(HERE, other, "loopback", Probe.TCP_RR) == ()


def test_what_only_one_knows_is_shown_and_does_not_differ() -> None:
    rows = {row.key: row for row in compare_places([HERE, there(governor="")])}
    assert rows["governor"].texts == ("performance", "")
    assert not rows["governor"].differs


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (HERE, ""),
        (there(cpu_model="Xeon"), "The processors differ (AMD EPYC; Xeon)"),
        (there(cpu_model=""), "It is not known"),
    ],
)
def test_the_processors_caveat(other: Place, said: str) -> None:
    found = processor_caveat(HERE, other)
    assert found.startswith(said)
    assert bool(found) == bool(said)
