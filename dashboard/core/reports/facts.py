"""Lists the facts about the machines and engines of a report."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.core.comparison.machines.reasons import ComparedMachine, describe_engine_of
from dashboard.core.experiments.engine_kind import ENGINE_NAMES
from dashboard.core.experiments.machines.groups import group_by_machine
from dashboard.core.experiments.messages import Column, EngineRef
from dashboard.core.measurements.conditions import describe_conditions
from dashboard.core.measurements.measurement import Environment
from dashboard.core.reports.model import ReportContent


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact with its label. ``text`` may have several lines."""

    label: str
    text: str


def describe_machines(columns: Sequence[Column]) -> dict[str, str]:
    """Returns the engine and the kernel of each machine as text, by the machine's name. A text is empty if they are not
    known. The result is empty if the experiment ran on one machine only."""
    groups = group_by_machine(columns, {})
    return {group.machine: describe_engine_of(ComparedMachine(group.machine, group.columns, {})) for group in groups}


def report_facts(content: ReportContent, columns: Sequence[Column]) -> tuple[Fact, ...]:
    """Returns the known facts about the environment of a report. ``columns`` are those that the opened report shows.

    If the experiment ran on several machines, the result has the engine and the kernel of each. The environment is that
    of the newest measurement, so its facts follow as those of one machine.
    """
    machines = describe_machines(columns)
    if not machines:
        return environment_facts(content.environment, content.experiment.engine if content.experiment else None)
    facts = tuple(Fact(name, text) for name, text in machines.items() if text)
    if not content.measurements:
        return facts
    measured = Fact("newest measurement", "on one of these machines, which has the following facts")
    return (*facts, measured, *environment_facts(content.environment))


def environment_facts(environment: Environment, engine: EngineRef | None = None) -> tuple[Fact, ...]:
    """Returns the known facts about the machine and the engine. ``engine`` is the engine of the report's experiment; if
    it is None, all facts are taken from ``environment``."""
    cores = [str(one) for one in (environment.client_core, environment.responder_core) if one is not None]
    switch = {True: "on", False: "off", None: ""}
    loads = [
        f"{when} {' '.join(f'{value:.2f}' for value in load)}"
        for when, load in (("before", environment.load_before), ("after", environment.load_after))
        if load is not None
    ]
    conditions = environment.measured_in
    version, api = environment.engine, environment.engine_api
    if engine is not None and engine.version:
        version, api = engine.version, engine.api
    kind = engine.kind if engine is not None else environment.engine_kind
    system = engine.system if engine is not None else ""
    kernel = environment.kernel or (engine.kernel if engine is not None else "")
    facts = (
        ("operating system", system),
        ("kernel", f"{kernel} {environment.machine}".strip()),
        ("processor", environment.cpu_model),
        ("cores", str(environment.cores) if environment.cores else ""),
        ("cores of client and responder", " and ".join(cores) if len(cores) == 2 else ""),
        ("frequency governor", environment.governor),
        ("conditions", describe_conditions(conditions, environment.cores_awake) if conditions is not None else ""),
        ("virtualisation", environment.virtualisation),
        (ENGINE_NAMES[kind], f"{version} (API {api})" if version and api else version),
        ("Engine host name", engine.name if engine is not None else ""),
        ("private host", "yes: Netmodes started this Engine" if engine is not None and engine.private else ""),
        ("docker-proxy", switch[environment.userland_proxy]),
        ("firewall backend", environment.firewall_backend),
        ("MTU", "\n".join(f"{name} {mtu}" for name, mtu in environment.mtu.items())),
        ("offloads", "\n".join(f"{name}: {', '.join(one)}" for name, one in environment.offloads.items())),
        ("load average", "\n".join(loads)),
        ("Python", environment.python),
    )
    return tuple(Fact(label, text) for label, text in facts if text)
