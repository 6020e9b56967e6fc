"""The columns of an experiment that are not arms."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from dashboard.core.modes import MACHINE
from dashboard.lab.experiments.columns.observer_columns import ObserverColumns, columns_of_round
from dashboard.lab.experiments.driver import ExperimentDriver
from tests.support.lab_harness import LabHarness


@pytest.fixture
async def driver(fake_lab: LabHarness) -> AsyncIterator[ExperimentDriver]:
    """The driver of a running experiment, with nothing left to record."""
    identity = await fake_lab.running("host", "bridge")
    made = fake_lab.driver(identity)
    await made.settled()
    yield made
    await fake_lab.stop(identity)


def observer_columns(lab: LabHarness, driver: ExperimentDriver) -> ObserverColumns:
    return ObserverColumns(lab.context, driver.id, driver._recorder, driver.observer)


async def test_a_round_without_a_neighbour_has_the_machine_and_its_arms(
    fake_lab: LabHarness, driver: ExperimentDriver
) -> None:
    columns = await columns_of_round(fake_lab.context, driver.record)
    assert [column.key for column in columns] == [MACHINE, "host", "bridge"]


async def test_what_is_observed_already_is_not_recorded_again(fake_lab: LabHarness, driver: ExperimentDriver) -> None:
    seq, columns = driver.view.seq, observer_columns(fake_lab, driver)
    assert driver.view.states[MACHINE]
    await columns.observe_machine()
    await columns.observe_other_namespaces()
    await columns.other_host.observe()
    assert driver.view.seq == seq


async def test_the_machines_column_states_why_the_machine_cannot_be_read(
    fake_lab: LabHarness, driver: ExperimentDriver
) -> None:
    info, columns = fake_lab.context.info, observer_columns(fake_lab, driver)
    assert info.pid == os.getpid()
    fake_lab.context.info = replace(info, pid=None, endpoint="tcp://192.0.2.7:2376")
    await columns.observe_machine()
    assert driver._recorder.column(MACHINE).invisible == fake_lab.context.info.invisible != ""
    fake_lab.context.info = info
    await columns.observe_machine()
    assert driver._recorder.column(MACHINE).invisible == ""
