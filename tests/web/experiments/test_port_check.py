"""dashboard.web.experiments.port_check: what it does when the lab cannot answer."""

from __future__ import annotations

import pytest
from django.test import RequestFactory

from dashboard.core.modes import ArmSpec, Mode
from dashboard.web.experiments.port_check import find_holders, show_held_ports
from dashboard.web.http.url_scope import SERVER_SCOPE
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness

pytestmark = pytest.mark.django_db(transaction=True)
ARMS = (ArmSpec("host", Mode.HOST),)


async def test_an_engine_that_does_not_answer_prevents_no_launch(lab_harness: LabHarness, engine: FakeEngine) -> None:
    engine.away = "No Docker Engine answers."
    assert await find_holders(RequestFactory().post("/"), ARMS) == ()
    engine.away = ""


async def test_without_a_lab_nothing_is_checked() -> None:
    assert await find_holders(RequestFactory().post("/"), ARMS) == ()


async def test_an_experiment_that_does_not_exist_has_no_held_ports() -> None:
    assert await show_held_ports(RequestFactory().post("/"), "nothing", SERVER_SCOPE) is None
