"""Measurements in workshop steps that make a statement about speed. Such a step has a button that requests the
measurement, and shows the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard.core.measurements.measurement import Options
from dashboard.core.modes import ArmSpec, ExperimentSpec
from dashboard.core.workshops.model import Step, Workshop
from dashboard.store.measurements import steps as step_measurements
from dashboard.store.measurements.runs import FINISHED, LIVE
from dashboard.store.training import group_runs
from dashboard.web.http.url_scope import SERVER_SCOPE, UrlScope

if TYPE_CHECKING:
    from dashboard.web.workshops.step_context import WorkshopPlace

#: The seconds of a measurement. Users wait for it; its intervals are narrow enough to tell a bridge from docker-proxy.
SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class StepMeasurement:
    """The newest measurement of a step: its headline or, if it failed, the reason. ``live`` is true if it has not
    ended."""

    url: str
    live: bool
    headline: str = ""
    problem: str = ""


def title_of(workshop: Workshop, step: Step) -> str:
    """Returns the title of a step's measurements, by which they are found."""
    return f"{workshop.title}: {step.title}"


def request(place: WorkshopPlace, workshop: Workshop, step: Step) -> str:
    """Requests a measurement of the step and returns its id. If an earlier measurement of the step has not ended,
    returns the id of the earlier one instead.

    Raises NoHostError or QuotaError.
    """
    arms = tuple(ArmSpec(mode.value, mode) for mode in step.measure)
    spec, options = ExperimentSpec(title_of(workshop, step), "nginx", 80, arms), Options(seconds=SECONDS)
    if place.group:
        return group_runs.measure_step(spec, place.group, options, place.owner)
    return step_measurements.request_own_run(spec, options, place.owner)


def show(place: WorkshopPlace, workshop: Workshop, step: Step) -> StepMeasurement | None:
    """Returns the newest measurement of the step; None if it was not measured.

    Also returns None in a session without private hosts. There, the only measurements are the instructor's own, which
    participants must not see.
    """
    if not step.measure or not place.runs:
        return None
    run = step_measurements.newest_run(title_of(workshop, step), place.owner, place.group)
    if run is None:
        return None
    scope = UrlScope(f"{place.home}lab/", group=place.group) if place.group else SERVER_SCOPE
    problem = "" if run.state == FINISHED or run.state in LIVE else run.stop_reason
    return StepMeasurement(scope.measurement(str(run.pk)), run.state in LIVE, run.headline, problem)
