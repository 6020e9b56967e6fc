"""dashboard.core.reports.facts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.experiments.messages import EngineRef, ReportedEngine
from dashboard.core.measurements.conditions import Conditions
from dashboard.core.measurements.measurement import Environment
from dashboard.core.reports.facts import environment_facts
from dashboard.core.reports.view import build_view
from tests.core.machine_scenes import SERVER, two_machines
from tests.core.report_builders import ENGINE, ENVIRONMENT, make_run
from tests.support.reports import with_scene


def test_unknown_facts_about_the_environment_are_left_out() -> None:
    assert environment_facts(Environment()) == ()
    facts = {one.label: one.text for one in environment_facts(ENVIRONMENT, ENGINE)}
    assert facts["kernel"] == "6.18.1 x86_64"
    assert facts["Docker Engine"] == "26.1.5 (API 1.45)"
    assert facts["load average"] == "before 0.10 0.20 0.30\nafter 0.40 0.50 0.60"
    assert facts["docker-proxy"] == "on"
    assert "private host" not in facts


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (replace(ENVIRONMENT, cores_awake=True), "quiet (real-time priority, cores kept awake)"),
        (replace(ENVIRONMENT, conditions=Conditions.ORDINARY), "ordinary (normal priority, idle cores may sleep)"),
        (replace(ENVIRONMENT, load_before=None), None),
    ],
    ids=["of a version without conditions", "ordinary", "without a measurement"],
)
def test_the_environment_of_a_measurement_states_its_conditions(environment: Environment, expected: str | None) -> None:
    facts = {fact.label: fact.text for fact in environment_facts(environment)}
    assert facts.get("conditions") == expected


def facts_of(environment: Environment, **engine: Any) -> dict[str, str]:
    reference = EngineRef(**engine) if engine else None
    return {fact.label: fact.text for fact in environment_facts(environment, reference)}


def test_the_engine_s_own_facts_fill_in_or_replace_those_of_the_environment() -> None:
    assert facts_of(Environment(), version="27", api="1.46", kernel="6.1")["kernel"] == "6.1"
    assert facts_of(Environment(kernel="6.18"), version="27", api="1.46", kernel="6.1")["kernel"] == "6.18"
    both = facts_of(Environment(engine="26", engine_api="1.45"), version="27", api="1.46")
    assert both["Docker Engine"] == "27 (API 1.46)"
    assert facts_of(Environment(engine="26", engine_api="1.45"))["Docker Engine"] == "26 (API 1.45)"
    assert "Docker Engine" not in facts_of(Environment(), version="", api="1.46")
    assert facts_of(Environment(), version="27", api="")["Docker Engine"] == "27", "as on a machine that has joined"


def test_cores_are_listed_only_if_both_are_known() -> None:
    label = next(label for label in facts_of(Environment(client_core=0, responder_core=1)) if "responder" in label)
    assert facts_of(Environment(client_core=0, responder_core=1))[label] == "0 and 1"
    assert label not in facts_of(Environment(client_core=0))
    assert label not in facts_of(Environment(responder_core=1))
    assert facts_of(Environment(cores=4))["cores"] == "4"


@pytest.mark.parametrize(("proxy", "text"), [(True, "on"), (False, "off"), (None, None)])
def test_docker_proxy_is_on_off_or_unknown(proxy: bool | None, text: str | None) -> None:
    assert facts_of(Environment(userland_proxy=proxy)).get("docker-proxy") == text


def test_maps_of_the_environment_have_a_line_for_each_interface() -> None:
    facts = facts_of(Environment(mtu={"lo": 65536, "eth0": 1500}, offloads={"lo": ("sg", "tso"), "eth0": ()}))
    assert facts["MTU"] == "lo 65536\neth0 1500"
    assert facts["offloads"] == "lo: sg, tso\neth0: "
    private = facts_of(Environment(), version="27", api="1.46", private=True)
    assert private["private host"]


PODMAN = ReportedEngine("5.4.2", EngineKind.PODMAN, kernel="6.1.0")


def test_the_environment_of_several_machines_has_the_engine_and_kernel_of_each() -> None:
    columns, states = two_machines(facts=(SERVER, PODMAN))
    content = with_scene(columns, states)
    engine = EngineRef("28.5.2, 5.4.2", "", kind=EngineKind.DOCKER)
    assert content.experiment is not None
    content = replace(content, experiment=replace(content.experiment, engine=engine), environment=ENVIRONMENT)
    facts = {fact.label: fact.text for fact in build_view(content).environment}
    machines = {
        "server": "Docker Engine 28.5.2 and kernel 6.12.0",
        "lab2": "Podman 5.4.2 and kernel 6.1.0",
    }
    assert facts == machines, "without a measurement, there is no other machine to describe"
    measured = build_view(replace(content, measurements=(make_run(("host", "bridge")),))).environment
    assert [fact.label for fact in measured[:3]] == [*machines, "newest measurement"]
    assert measured[3:] == environment_facts(ENVIRONMENT)
