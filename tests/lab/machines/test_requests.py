"""Requests from one machine to another, on one engine that stands for both."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

import pytest

from dashboard.core.experiments.journal import Attempt
from dashboard.lab.experiments.actions import NotRunningError, column_namespace
from dashboard.lab.machines.requests import machine_namespace, request_address, try_with, view_machine, watch_clients
from dashboard.netns.request import request
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


async def test_a_request_that_nothing_answers_is_a_sentence(lab_harness: LabHarness) -> None:
    reply = await request_address(lab_harness.lab, "198.51.100.77", 80)
    assert reply.status is None
    assert "198.51.100.77" in (reply.error or "")


@pytest.mark.usefixtures("machine_network")
async def test_the_client_that_a_program_sees_is_streamed(lab_harness: LabHarness) -> None:
    experiment = await lab_harness.running("host")
    driver = lab_harness.lab.driver_of(experiment)
    assert driver is not None
    machine = column_namespace(lab_harness.lab, driver, "machine")
    assert machine is not None

    async def hold(_client: str) -> None:
        await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=0.15)

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
