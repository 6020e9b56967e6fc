"""Requests from one machine to another, on one engine that stands for both."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.core.experiments.journal import Attempt, View
from dashboard.core.namespaces.resolver import DOCKER_SERVER
from dashboard.core.namespaces.state import HostsEntry, Lookup, Resolver
from dashboard.lab.experiments.actions import NotRunningError, column_namespace
from dashboard.lab.machines import requests
from dashboard.lab.machines.requests import (
    machine_namespace,
    request_address,
    request_from_arm,
    try_with,
    view_machine,
    watch_clients,
)
from dashboard.netns.namespace import Namespace
from dashboard.netns.request import OBSERVE_S, Reply, request
from tests.core.builders import make_interface
from tests.core.machine_scenes import scene_of
from tests.support.lab_harness import LabHarness
from tests.support.polling import eventually

ATTEMPT = Attempt("from-machine-address", "Machine lab2 to host", "@lab2", "host", "http://192.0.2.2/", "", 200)


async def test_a_machine_shows_its_interfaces_and_routes_only(lab_harness: LabHarness) -> None:
    shown = await view_machine(lab_harness.lab)
    assert "lo" in [link.name for link in shown.interfaces]
    assert "docker0" in [link.name for link in shown.interfaces]
    assert (shown.listeners, shown.sysctls, shown.resolver) == ((), {}, None)


@pytest.mark.parametrize("address", ["127.0.0.1", "172.17.0.1", "172.17.0.99", "169.254.169.254", "localhost"])
async def test_no_request_is_sent_to_the_machine_itself(lab_harness: LabHarness, address: str) -> None:
    with pytest.raises(ValueError, match=r"machine|IP address"):
        await machine_namespace(lab_harness.lab, address)


async def test_a_request_without_an_answer_is_reported_in_a_sentence(lab_harness: LabHarness) -> None:
    reply = await request_address(lab_harness.lab, "198.51.100.77", 80)
    assert reply.status is None
    assert "198.51.100.77" in (reply.error or "")


@pytest.mark.usefixtures("machine_network")
async def test_the_client_that_a_program_sees_is_streamed(lab_harness: LabHarness) -> None:
    experiment = await lab_harness.running("host")
    driver = lab_harness.driver(experiment)
    machine = column_namespace(lab_harness.lab, driver, "machine")
    assert machine is not None

    await eventually(lambda: any(one.port == 80 for one in driver.view.states["machine"].listeners))

    async def hold(_client: str) -> None:
        await asyncio.wait([line], timeout=OBSERVE_S / 2)

    async with aclosing(await watch_clients(lab_harness.lab, experiment, (("host", 80), ("gone", 80)))) as lines:
        line = asyncio.ensure_future(anext(lines))
        reply = await request(machine, "127.0.0.1", 80, on_connected=hold)
        assert reply.status == 200
        async with asyncio.timeout(20):
            assert json.loads(await line) == ["host", reply.client]


async def test_attempts_of_other_machines_are_stored_with_the_own_ones(lab_harness: LabHarness) -> None:
    experiment = await lab_harness.running("none")
    attempts = await try_with(lab_harness.lab, experiment, False, (ATTEMPT,))
    assert attempts[-1] == ATTEMPT
    assert len(attempts) > 1

    async def stored() -> str:
        trial = (await lab_harness.view(experiment)).trial
        return trial.attempts[-1].origin if trial.attempts else ""

    assert await eventually(stored) == "@lab2"  # the journal is written in batches


async def test_an_experiment_that_does_not_run_is_not_watched(lab_harness: LabHarness) -> None:
    with pytest.raises(NotRunningError):
        await watch_clients(lab_harness.lab, "nothing", ())


class OverlayLab:
    """A lab with an arm in overlay mode, which is also on a bridge of its machine. ``sent`` are its lookups and
    requests; each lookup finds ``answers``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, whole: str | None = "7f2a9c") -> None:
        columns, states = scene_of("lab2", ("overlay",), None)
        arm, state = columns[-1], states["overlay-lab2"]
        arm = replace(arm, networks={**arm.networks, "nm-part2-net-local": "172.30.0.2"})
        link = make_interface("eth1", 9, addresses=("172.30.0.2/24",))
        hosts = (HostsEntry("10.20.30.40", ("overlay",)),)
        state = replace(state, interfaces=(*state.interfaces, link), hosts=hosts)
        spec = SimpleNamespace(names=("overlay", "db.corp.internal"))
        driver = SimpleNamespace(
            view=View(columns=(arm,), states={arm.key: state}), record=SimpleNamespace(parent=whole, spec=spec)
        )
        self.sent: list[tuple[object, ...]] = []
        self.answers: tuple[str, ...] = ("172.18.0.9",)
        stubs: dict[str, Callable[..., Any]] = {"lookup": self._lookup, "request": self._request}
        stubs["running_driver"] = lambda _lab, _experiment: driver
        stubs["column_namespace"] = lambda *_: self.namespace
        for name, stub in stubs.items():
            monkeypatch.setattr(requests, name, stub)
        self.namespace = Namespace.of_pid(os.getpid())

    async def ask(self, address: str = "172.18.0.9", name: str = "") -> Reply:
        with self.namespace:
            return await request_from_arm(self, "part2", "overlay-lab2", address, 80, name)  # type: ignore[arg-type]

    async def _lookup(self, _namespace: Namespace, *asked: object) -> Lookup:
        self.sent.append(asked)
        return Lookup("", "answer" if self.answers else "no such name", self.answers)

    async def _request(self, _namespace: Namespace, *target: object, host: str, **_more: object) -> Reply:
        self.sent.append((*target, host))
        return Reply(200, "OK")


async def test_an_arm_requests_only_over_the_overlay_network_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another lab can name any address as that of its own container."""
    lab = OverlayLab(monkeypatch)
    assert (await lab.ask()).status == 200
    assert lab.sent == [("172.18.0.9", 80, "")]
    with pytest.raises(ValueError, match="not the address of another container"):
        await OverlayLab(monkeypatch).ask("172.30.0.9")
    with pytest.raises(ValueError, match="not the address of another container"):
        await OverlayLab(monkeypatch, "another").ask()
    with pytest.raises(ValueError, match="not a running arm in overlay mode"):
        await OverlayLab(monkeypatch, None).ask()


@pytest.mark.parametrize("name", ["secret.attacker.example", "db.corp.internal", "db"])
async def test_an_arm_looks_up_no_name_that_is_not_that_of_an_arm(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Another lab can name its column as it likes; the user has launched with ``db.corp.internal`` as a name."""
    lab = OverlayLab(monkeypatch)
    with pytest.raises(ValueError, match="is not the name of an arm"):
        await lab.ask(name=name)
    assert lab.sent == []


async def test_names_are_looked_up_at_the_resolver_of_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = OverlayLab(monkeypatch)
    assert (await lab.ask(name="overlay")).status == 200
    assert lab.sent == [("overlay", Resolver((DOCKER_SERVER,)), ()), ("172.18.0.9", 80, "overlay")]


async def test_an_address_that_a_name_has_elsewhere_is_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for answers, shown in ((("10.20.30.40",), "it has another address"), ((), "no such name")):
        lab = OverlayLab(monkeypatch)
        lab.answers = answers
        reply = await lab.ask(name="overlay")
        assert reply.status is None
        assert reply.error == f"The name overlay does not resolve to 172.18.0.9: {shown}."
