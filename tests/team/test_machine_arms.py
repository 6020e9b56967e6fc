"""One experiment with arms on two machines: launched, requested, saved, stopped and removed, with one lab lost."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from dashboard.bench.operations.team_deployment import TeamDeployment
from dashboard.bench.server import Server
from dashboard.core.experiments.journal import replay
from dashboard.core.reports.validate import validate_file
from dashboard.engine.hosts.programs import engine_root
from dashboard.engine.hosts.variants import VARIANTS
from tests.support.polling import until
from tests.support.private_engine import private_engine
from tests.team.machine import ABSENT_S, HEALED_S, Machine, row, snapshot, token

pytestmark = pytest.mark.engine


def phase(server: Server, identity: str) -> str:
    return str(snapshot(server, identity)["experiment"]["phase"])


def containers(server: Server, identity: str) -> dict[str, str]:
    """The container of each running arm."""
    columns = snapshot(server, identity)["columns"]
    return {one["key"]: one["container"]["id"] for one in columns if one["container"] and one["status"] == "running"}


def answering(server: Server, identity: str) -> set[str]:
    """The arms that answer a request."""
    tried = server.ask("POST", f"/experiments/{identity}/try/", headers={"Accept": "application/json"})
    assert tried.status == 200, tried.data.decode()
    return {one["server"] for one in json.loads(tried.data)["attempts"] if one["status"] == 200}


def parts_of(deployment: TeamDeployment, identity: str) -> dict[str, str]:
    """The id of the experiment's row on each machine, by the machine's name."""
    with psycopg.connect(deployment.postgres.url) as database:
        found = database.execute("SELECT parts FROM dashboard_experiment WHERE id = %s", [identity]).fetchone()
    assert found
    parts: dict[str, str] = json.loads(found[0])
    return parts


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["short", "whole"])
def test_one_experiment_runs_on_two_machines(
    deployment: TeamDeployment, lab2: Machine, webs: list[Server], *, whole: bool
) -> None:
    first, second = webs
    until(lambda: b'id="machine-lab2"' in second.ask("GET", "/").data, HEALED_S)
    form = [("image", "nginx"), ("port", "80"), ("publish", ""), ("mode", "none"), ("mode", "bridge")]
    form += [("machines", "server"), ("machines", "lab2")]
    launched = second.ask("POST", "/experiments/", form)
    assert launched.status == 302, launched.data.decode()[-3000:]
    identity = launched.headers["location"].split("/")[2]
    arms = {"none", "bridge", "none-lab2", "bridge-lab2"}
    until(lambda: containers(first, identity).keys() == arms and phase(first, identity) == "running", HEALED_S)

    page = second.ask("GET", f"/experiments/{identity}/").data.decode()
    assert re.findall(r'data-machine="(\w+)"', page)[:2] == ["server", "lab2"]

    def rows_of_both() -> dict[str, dict[str, Any]] | None:
        """The rows of the table; None until both machines have reported their engine and their network."""
        rows = {f"{one['section']}/{one['key']}/{one['field']}": one for one in snapshot(first, identity)["rows"]}
        cells = [rows.get(name, {"cells": {}})["cells"] for name in ("engines/version/", "identity/netns/")]
        return rows if all(one.get(key) for one in cells for key in ("machine", "machine@2")) else None

    rows = until(rows_of_both, HEALED_S)
    assert rows["engines/kernel/"]["cells"]["machine@2"] == rows["engines/kernel/"]["cells"]["machine"]
    assert rows["engines/version/"]["cells"]["machine@2"].startswith("Docker Engine ")
    assert rows["identity/netns/"]["relation"] == "differs"
    assert len({rows["identity/netns/"]["cells"][key] for key in ("machine", "machine@2")}) == 2

    until(lambda: answering(first, identity) == arms, HEALED_S)
    parts = parts_of(deployment, identity)
    with psycopg.connect(lab2.received["database"]) as database:
        seen = {found for (found,) in database.execute("SELECT id FROM dashboard_experiment").fetchall()}
        written = database.execute("UPDATE dashboard_experiment SET title = 'x' WHERE id = %s", [parts["server"]])
    assert seen & {identity, *parts.values()} == {parts["lab2"]}
    assert written.rowcount == 0

    if whole:
        one_machine_is_lost_and_returns(lab2, webs, identity)
        the_machines_are_saved_stopped_and_launched_again(webs, identity, parts["lab2"])
    assert first.ask("POST", f"/experiments/{identity}/remove/").status == 302
    assert first.ask("GET", f"/experiments/{identity}/").status == 404
    with psycopg.connect(deployment.postgres.url, autocommit=True) as database:
        query = "SELECT count(*) FROM dashboard_experiment WHERE id = ANY(%s)"
        until(lambda: database.execute(query, [[identity, *parts.values()]]).fetchone() == (0,), HEALED_S)


def one_machine_is_lost_and_returns(lab2: Machine, webs: list[Server], identity: str) -> None:
    """The arms of the lost machine are marked, and its lab adopts the containers when it starts again."""
    first, second = webs
    before = containers(first, identity)
    lab2.lab.kill()
    until(lambda: "absent" in row(first, "lab2"), ABSENT_S)
    note = "The lab of this machine does not respond"
    assert note in first.ask("GET", f"/experiments/{identity}/").data.decode()
    assert answering(first, identity) == {"none", "bridge"}
    lab2.lab.start()
    until(lambda: "connected" in row(second, "lab2"), HEALED_S)
    until(lambda: note not in second.ask("GET", f"/experiments/{identity}/").data.decode(), HEALED_S)
    assert containers(second, identity) == before, "the containers were adopted"


def the_machines_are_saved_stopped_and_launched_again(webs: list[Server], identity: str, part: str) -> None:
    """The report has both machines; a stop on one machine leaves the other's arms; another launch has new containers on
    both."""
    first, second = webs
    before = containers(first, identity)
    saved = first.ask("POST", f"/experiments/{identity}/save/", {"title": "Two machines"})
    assert saved.status == 302
    report = saved.headers["location"].split("/")[2]
    content, _body = validate_file(first.ask("GET", f"/reports/{report}/export.json").data)
    assert content.experiment is not None
    assert {"machine", "machine@2", "bridge-lab2"} <= replay(content.experiment.journal).states.keys()

    assert second.ask("POST", f"/experiments/{part}/stop/").status == 302
    until(lambda: containers(first, identity).keys() == {"none", "bridge"}, HEALED_S)
    assert phase(first, identity) == "running"
    assert second.ask("POST", f"/experiments/{identity}/stop/").status == 302
    until(lambda: phase(first, identity) == "stopped", HEALED_S)
    proof = snapshot(first, identity)["experiment"]["proof"]
    assert {check["name"] for check in proof} >= {"containers (server)", "containers (lab2)"}
    assert all(check["ok"] for check in proof)
    assert first.ask("POST", f"/experiments/{identity}/again/", {"anyway": "1"}).status == 302
    until(lambda: containers(second, identity).keys() == before.keys(), HEALED_S)
    assert not set(containers(second, identity).values()) & set(before.values())


@pytest.fixture
def newer(
    deployment: TeamDeployment,
    webs: list[Server],
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The name of a machine with the engine of the variant that is the test's parameter."""
    name = re.sub(r"[^a-z]+", "-", request.param)
    with private_engine(tmp_path_factory.mktemp("newer"), variant=VARIANTS[request.param]) as engine:
        machine = Machine(name, deployment.folder / name, engine.endpoint)
        joined = machine.join(token(webs[0]), "--name", name)
        assert joined.returncode == 0, joined.stderr
        machine.lab.start()
        until(lambda: all(f'id="machine-{name}"'.encode() in web.ask("GET", "/").data for web in webs), HEALED_S)
        yield name
        machine.lab.stop()
    assert webs[0].ask("POST", f"/machines/{name}/revoke/").status == 302


@pytest.mark.slow
@pytest.mark.skipif(engine_root() is not None, reason="one of the machines has the engine of this one")
@pytest.mark.parametrize(
    ("newer", "holder", "reason"),
    [
        ("debian-forky", "docker-proxy", ""),  # dockerd opens the socket and passes it on
        (
            "userland-proxy=false",
            "dockerd",
            "The Engine itself holds the published port: it runs without docker-proxy.",
        ),
    ],
    indirect=["newer"],
)
def test_two_versions_of_the_engine_are_compared(webs: list[Server], newer: str, holder: str, reason: str) -> None:
    first, second = webs
    form = [("image", "nginx"), ("port", "80"), ("publish", "8080:80"), ("mode", "host"), ("mode", "bridge")]
    launched = second.ask("POST", "/experiments/", [*form, ("machines", "server"), ("machines", newer)])
    assert launched.status == 302, launched.data.decode()[-3000:]
    identity = launched.headers["location"].split("/")[2]
    arms = {"host", "bridge", f"host-{newer}", f"bridge-{newer}"}
    until(lambda: containers(first, identity).keys() == arms and phase(first, identity) == "running", HEALED_S)

    def row_of_port() -> dict[str, Any]:
        rows = {f"{one['section']}/{one['key']}": one for one in snapshot(first, identity)["rows"]}
        found: dict[str, Any] = rows.get("listeners/tcp :8080", {"why": "", "cells": {}})
        return found

    def holders_are_known() -> bool:
        cells = row_of_port()["cells"]
        return all("unknown process" not in cells.get(key, "unknown process") for key in ("machine", "machine@2"))

    until(holders_are_known, HEALED_S)
    found, shown = row_of_port(), snapshot(first, identity)
    versions = {one["machine"]: one["engine"]["version"] for one in shown["columns"] if one["engine"]}
    assert int(versions["server"].partition(".")[0]) < 28 <= int(versions[newer].partition(".")[0])
    assert found["cells"]["machine"].startswith("docker-proxy ")
    assert found["cells"]["machine@2"].startswith(f"{holder} ")
    assert reason in found["why"]
    differences = [one["sentence"] for one in shown["answer"]["differences"]]
    engines = [f"Docker Engine {version} on {machine}" for machine, version in versions.items()]
    assert differences[0] == f"Engine: {', '.join(engines)}."
    namespaces = [one for one in differences if "network namespace" in one]
    assert namespaces == [f"On server and {newer}: host uses this machine's network namespace; bridge has its own."]
    first.remove(identity)
    until(lambda: first.ask("GET", f"/experiments/{identity}/").status == 404, HEALED_S)
