"""Why machines differ."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.comparison.cells import Cell, RowKey
from dashboard.core.comparison.machines.reasons import ComparedMachine, describe_versions, differ, explain_machines
from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.experiments.messages import Column, ReportedEngine
from dashboard.core.experiments.stream import row_id
from dashboard.core.namespaces.state import sorted_state
from tests.core.builders import make_column, make_listener, make_ports
from tests.core.machine_scenes import LAB2, SERVER, two_machines


def machine(
    name: str, text: str | None, facts: ReportedEngine | None = SERVER, arm: str | None = None
) -> ComparedMachine:
    """A machine with a text in its own column, and one in that of a bridge arm, which publishes port 8080."""
    own = Column("machine", "machine", "this machine", engine=facts)
    columns = (own, replace(make_column("bridge"), published=make_ports(8080)))
    cells = {"machine": Cell(text), "bridge": Cell(arm) if arm is not None else Cell(absent="none", applies=False)}
    return ComparedMachine(name, columns, cells)


def why(section: str, *machines: ComparedMachine, key: str = "x", field: str = "") -> str:
    return explain_machines(RowKey(section, key, field, key), machines)


@pytest.mark.parametrize(
    "section", ["engines", "identity", "listeners", "interfaces", "routes", "dns", "hosts", "sysctls"]
)
def test_machines_that_do_not_differ_have_no_reason(section: str) -> None:
    assert why(section, machine("server", "1", arm="2"), machine("lab2", "1", LAB2, arm="2")) == ""


def test_only_texts_that_both_machines_have_are_compared() -> None:
    assert not differ([machine("server", "1", arm="2"), machine("lab2", "1")])
    assert differ([machine("server", "1"), machine("lab2", "1"), machine("lab3", "2")])


def test_a_sysctl_that_differs_names_what_each_engine_and_kernel_reports() -> None:
    sentence = why("sysctls", machine("server", "0"), machine("lab2", "1", LAB2), key="net.ipv4.ip_forward")
    assert sentence == (
        "Each machine has its own settings. Netmodes cannot tell which program set them. "
        "Server has Docker Engine 28.5.2 and kernel 6.12.0; lab2 has Docker Engine 26.1.5 and kernel 6.1.0."
    )
    assert "own settings" in why("sysctls", machine("server", "0"), machine("lab2", "1"))
    assert describe_versions([machine("server", "0"), machine("lab2", "1", None)]) == ""


def test_the_programs_that_listen_are_named_and_no_version_is_their_reason() -> None:
    """dockerd holds the socket of a published port where it runs without docker-proxy, in every version."""
    machines = (machine("server", "dockerd 811"), machine("lab2", "docker-proxy 900", LAB2))
    assert why("listeners", *machines, key="tcp :8080") == (
        "On server (Docker Engine 28.5.2) dockerd listens; on lab2 (Docker Engine 26.1.5) docker-proxy listens."
    )
    unknown = why("listeners", machine("server", "dockerd 811", None), machines[1], key="tcp :8080")
    assert unknown.startswith("On server dockerd listens; ")


def test_each_engine_is_called_by_its_name() -> None:
    podman = ReportedEngine("5.4.2", EngineKind.PODMAN)
    sentence = why("listeners", machine("server", "dockerd 811"), machine("lab2", "rootlessport 9", podman))
    assert "on lab2 (Podman 5.4.2) rootlessport listens" in sentence


def test_the_same_program_with_another_pid_is_no_difference_of_engines() -> None:
    assert (
        why("listeners", machine("server", "sshd 811"), machine("lab2", "sshd 4"))
        == "Each machine has its own sockets."
    )


def test_rows_of_two_real_scenes_get_their_reasons() -> None:
    columns, states = two_machines()
    proxies = [one for one in states["machine"].listeners if one.process == "docker-proxy"]
    assert proxies
    port = proxies[0].port
    others = tuple(one for one in states["machine"].listeners if one.process != "docker-proxy")
    states["machine"] = sorted_state(
        replace(states["machine"], listeners=(*others, make_listener(port, "dockerd", 700)))
    )
    rows = {row_id(row): row for row in compare(columns, states)}
    reason = rows[f"listeners/tcp :{port}/"].why
    assert (
        "On server (Docker Engine 28.5.2) dockerd listens; on lab2 (Docker Engine 26.1.5) docker-proxy listens."
    ) in reason
    assert rows["engines/kernel/"].why
    assert rows["engines/version/"].why
