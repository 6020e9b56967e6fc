"""What the launch form offers, and the capacity for private hosts."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from django.db import OperationalError

from dashboard.core.training.capacity import Capacity
from dashboard.lab.remote import experiment_calls
from dashboard.lab.remote.experiment_calls import capacity, launch_options
from dashboard.store import experiments as experiment_store
from tests.support.lab_harness import LabHarness
from tests.support.specs import make_spec


async def test_the_offered_port_is_not_that_of_an_experiment_that_does_not_listen_yet(
    fake_lab: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two people who launch at the same time would otherwise get the same port, and the second would be refused."""
    lab, database = fake_lab.lab, fake_lab.database
    first = (await launch_options(lab)).port
    spec = make_spec("bridge", publish=f"{first}:80 {first + 1}:81")
    await database.run(experiment_store.create_experiment, spec, None, "", "")
    assert (await launch_options(lab)).port == first + 2

    def fail(_host: str) -> None:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(experiment_calls, "load_unsettled", fail)
    assert (await launch_options(lab)).port == first


@pytest.mark.parametrize(
    ("setting", "text"), [("NETMODES_HOST_RUNTIME", "microvm"), ("NETMODES_ENGINE_OPTIONS", "{userland-proxy: false}")]
)
async def test_an_invalid_setting_of_hosts_is_the_reason_that_none_can_run(
    monkeypatch: pytest.MonkeyPatch, setting: str, text: str
) -> None:
    """The page for a new session failed with an internal error (500)."""
    monkeypatch.setenv(setting, text)
    found = Capacity(0, 0, problem=f"{setting} is not valid.")
    assert await capacity(Mock(capacity=lambda _limits: found)) == found
