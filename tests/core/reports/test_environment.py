"""dashboard.core.reports.environment: what differs, and what a difference could explain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dashboard.core.measurements.measurement import Environment, Probe
from dashboard.core.reports.environment import (
    FACTS,
    ReportEnvironment,
    compare_environments,
    list_suspects,
    processor_caveat,
)
from tests.core.report_builders import ENGINE, ENVIRONMENT

HERE = ReportEnvironment(ENVIRONMENT, ENGINE, "0.1.0", "nginx")


def there(**changed: Any) -> ReportEnvironment:
    return replace(HERE, environment=replace(ENVIRONMENT, **changed))


def test_an_environment_does_not_differ_from_itself() -> None:
    rows = compare_environments([HERE, HERE])
    assert {row.key for row in rows} == {rule.key for rule in FACTS}
    assert not any(row.differs for row in rows)
    assert list_suspects(HERE, HERE, "published-proxy", Probe.TCP_RR) == ()


@pytest.mark.parametrize(
    ("changed", "path", "probe", "found"),
    [
        ({"cpu_model": "Xeon"}, "loopback", Probe.TCP_RR, ("processor",)),
        ({"kernel": "7.0"}, "loopback", Probe.UDP_RR, ("kernel",)),
        ({"governor": "powersave"}, "loopback", Probe.DNS, ("frequency governor",)),
        ({"virtualisation": "none"}, "loopback", Probe.DNS, ("virtualisation",)),
        ({"load_before": (9.0, 1.0, 1.0)}, "loopback", Probe.TCP_RR, ("load before measuring",)),
        ({"load_before": (0.9, 1.0, 1.0)}, "loopback", Probe.TCP_RR, ()),
        ({"userland_proxy": False}, "published-proxy", Probe.TCP_RR, ("docker-proxy",)),
        ({"userland_proxy": False}, "loopback", Probe.TCP_RR, ()),
        ({"firewall_backend": "nftables"}, "published-dnat-ipv6", Probe.TCP_RR, ("firewall backend",)),
        ({"firewall_backend": "nftables"}, "lan-address", Probe.TCP_RR, ("firewall backend",)),
        ({"userland_proxy": False}, "hairpin", Probe.TCP_RR, ("docker-proxy",)),
        ({"firewall_backend": "nftables"}, "loopback", Probe.TCP_RR, ()),
        ({"mtu": {"docker0": 9000, "lo": 65536}}, "bridge-address", Probe.TCP_STREAM, ("MTU",)),
        ({"mtu": {"docker0": 9000, "lo": 65536}}, "bridge-address", Probe.TCP_RR, ()),
        ({"mtu": {"br-other": 9000, "lo": 65536}}, "bridge-address", Probe.TCP_STREAM, ()),
        ({"offloads": {"lo": ("sg",)}}, "loopback", Probe.TCP_STREAM, ("offloads",)),
        ({"offloads": {"lo": ("tso", "sg")}}, "loopback", Probe.TCP_STREAM, ()),
        ({"client_core": 5}, "loopback", Probe.TCP_RR, ("cores of client and responder",)),
        ({"python": "3.14"}, "loopback", Probe.DNS, ()),
        ({"cpu_model": ""}, "loopback", Probe.TCP_RR, ()),
    ],
)
def test_a_fact_is_suspected_only_on_paths_that_it_affects(
    changed: dict[str, Any], path: str, probe: Probe, found: tuple[str, ...]
) -> None:
    assert list_suspects(HERE, there(**changed), path, probe) == found


def test_another_engine_is_suspected_only_on_paths_through_its_rules() -> None:
    other = there(engine="29.0")
    assert list_suspects(HERE, other, "published-dnat", Probe.TCP_RR) == ("Docker Engine",)
    assert list_suspects(HERE, other, "loopback", Probe.TCP_RR) == ()


def test_the_engine_is_that_of_the_newest_measurement_if_it_is_known() -> None:
    """The experiment may have run on several machines, of which one was measured."""
    several = replace(HERE, engine=replace(ENGINE, version="26.1.5, 5.4.2"))
    assert list_suspects(HERE, several, "published-dnat", Probe.TCP_RR) == ()
    rows = {row.key: row for row in compare_environments([replace(several, environment=Environment()), HERE])}
    assert rows["engine"].texts == ("26.1.5, 5.4.2", "26.1.5")


def test_another_image_is_suspected_only_for_requests_that_its_program_answers() -> None:
    other = replace(HERE, image="httpd")
    assert list_suspects(HERE, other, "published-dnat", Probe.HTTP) == ("image",)
    assert list_suspects(HERE, other, "published-dnat", Probe.TCP_RR) == ()


def test_a_fact_that_one_environment_lacks_is_shown_and_does_not_differ() -> None:
    rows = {row.key: row for row in compare_environments([HERE, there(governor="")])}
    assert rows["governor"].texts == ("performance", "")
    assert not rows["governor"].differs


@pytest.mark.parametrize(
    ("other", "start"),
    [
        (HERE, ""),
        (there(cpu_model="Xeon"), "The processors differ (AMD EPYC; Xeon)"),
        (there(cpu_model=""), "The processors may differ"),
        (there(cpu_model="x86_64"), "The processors may differ"),
    ],
)
def test_a_caveat_states_that_processors_differ_or_may_differ(other: ReportEnvironment, start: str) -> None:
    found = processor_caveat(HERE, other)
    assert found.startswith(start)
    assert bool(found) == bool(start)


def test_an_architecture_that_a_report_names_as_its_processor_is_no_known_processor() -> None:
    arm = there(cpu_model="aarch64", machine="aarch64")
    assert processor_caveat(arm, arm).startswith("The processors may differ")
