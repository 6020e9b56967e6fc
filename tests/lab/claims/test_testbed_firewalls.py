"""The commands of firewall programs, and where they cannot run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dashboard.core.claims.testbed import NotTestableError
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.engine.lab_image import LabImageUnavailableError
from dashboard.lab.claims import testbed_firewalls
from dashboard.lab.claims.engines import ClaimEngine
from dashboard.lab.claims.testbed_firewalls import firewall_command
from dashboard.lab.watch_pool import WatchPool
from tests.support.fakes import FakeEngine


@pytest.fixture
async def target(tmp_path: Path) -> ClaimEngine:
    """The engine of a private host."""
    fake = FakeEngine()
    host = PrivateHost("abc", 1, 1, "/run/netmodes/abc/docker.sock", 1.0, tmp_path / "abc", 1)
    return ClaimEngine(fake, fake.facts, "netmodes-lab:1", WatchPool(), host=host, data_dir=tmp_path)


async def test_commands_without_a_firewall_program_are_unchanged(target: ClaimEngine) -> None:
    assert await firewall_command(replace(target, host=None), ["iptables", "-S"]) == ["iptables", "-S"]


async def test_firewalld_is_asked_over_the_bus_of_the_host(target: ClaimEngine) -> None:
    command = await firewall_command(target, ["firewall-cmd", "--state"])
    assert command == ["env", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/netmodes/abc/bus", "firewall-cmd", "--state"]


async def test_ufw_keeps_its_rules_in_the_folder_of_the_host(
    target: ClaimEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(testbed_firewalls, "ufw_command", lambda place, cache, words: [str(place), str(cache), *words])
    assert await firewall_command(target, ["ufw", "status"]) == [
        str(tmp_path / "abc/ufw"),
        str(tmp_path / "cache"),
        "status",
    ]


async def test_without_the_package_or_a_private_host_a_claim_is_not_testable(
    target: ClaimEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> list[str]:
        raise LabImageUnavailableError("no archive answers")

    monkeypatch.setattr(testbed_firewalls, "ufw_command", missing)
    with pytest.raises(NotTestableError, match="ufw is not available: no archive answers"):
        await firewall_command(target, ["ufw", "status"])
    with pytest.raises(NotTestableError, match="only on private hosts"):
        await firewall_command(replace(target, host=None), ["ufw", "status"])
