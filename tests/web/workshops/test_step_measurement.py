"""The measurement of a step: one at a time, and shown only where it was requested."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from django.db import connections

from dashboard.core.modes import Mode
from dashboard.models import MeasurementRun
from dashboard.web.workshops import step_measurement
from dashboard.web.workshops.step_context import WorkshopPlace
from tests.lab.training_builders import instructor, workshop

WORKSHOP = workshop()
STEP = replace(WORKSHOP.steps[0], measure=(Mode.HOST, Mode.BRIDGE))


def place(**more: object) -> WorkshopPlace:
    """The place of a user who works alone."""
    return WorkshopPlace("person", "/", "/", "/", owner=instructor(), **more)  # type: ignore[arg-type]


@pytest.mark.django_db(transaction=True)
def test_presses_at_the_same_time_request_one_measurement() -> None:
    here = place()

    def press(_number: int) -> str:
        try:
            return step_measurement.request(here, WORKSHOP, STEP)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(12) as pool:
        runs = set(pool.map(press, range(24)))
    assert runs == {run.pk for run in MeasurementRun.objects.all()}
    assert len(runs) == 1


@pytest.mark.django_db
def test_participants_without_a_host_do_not_see_the_instructor_s_own_measurement() -> None:
    assert step_measurement.show(place(), WORKSHOP, STEP) is None
    step_measurement.request(place(), WORKSHOP, STEP)
    shown = step_measurement.show(place(), WORKSHOP, STEP)
    assert shown is not None
    assert shown.live
    assert step_measurement.show(place(runs=False), WORKSHOP, STEP) is None
