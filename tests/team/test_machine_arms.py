"""One experiment with arms on two machines: launched, requested, saved, stopped and removed, with one lab lost."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from dashboard.bench.operations.team_deployment import TeamDeployment, team_deployment
from dashboard.bench.server import Server
from dashboard.core.experiments.journal import replay
from dashboard.core.reports.validate import validate_file
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine, private_engine, share_lab_image
from tests.team.test_machines import ABSENT_S, HEALED_S, Machine, row, token

pytestmark = pytest.mark.engine


@pytest.fixture
def two(
    engine_host: PrivateEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[TeamDeployment, Machine, list[Server]]]:
    """The deployment, a second machine with an engine of its own, and signed-in browsers of both web processes."""
    with (
        private_engine(tmp_path_factory.mktemp("engine2")) as engine,
        team_deployment(engine_host.endpoint) as deployment,
    ):
        share_lab_image(deployment.folder / "lab")
        first = Server(deployment.webs[0].host, {})
        first.sign_in(deployment.links[0])
        servers = [first, *(Server(web.host, dict(first.cookies)) for web in deployment.webs[1:])]
        machine = Machine("lab2", deployment.folder / "lab2", engine.endpoint)
        joined = machine.join(token(first), "--name", "lab2")
        assert joined.returncode == 0, joined.stderr
        machine.lab.start()
        yield deployment, machine, servers
        machine.lab.stop()
        for server in servers:
            server.close()


def snapshot(server: Server, identity: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.ask("GET", f"/api/experiments/{identity}").data)
    return found


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
    """The row of each machine by its name."""
    with psycopg.connect(deployment.postgres.url) as database:
        found = database.execute("SELECT parts FROM dashboard_experiment WHERE id = %s", [identity]).fetchone()
    assert found
    parts: dict[str, str] = json.loads(found[0])
    return parts


def test_one_experiment_runs_on_two_machines(two: tuple[TeamDeployment, Machine, list[Server]]) -> None:
    deployment, lab2, (first, second) = two
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
    shown = snapshot(first, identity)
    rows = {f"{one['section']}/{one['key']}/{one['field']}": one for one in shown["rows"]}
    assert rows["engines/kernel/"]["cells"]["machine@2"] == rows["engines/kernel/"]["cells"]["machine"]
    assert rows["engines/version/"]["cells"]["machine@2"].startswith("Docker Engine ")
    assert rows["identity/netns/"]["relation"] == "differs"
    assert len({rows["identity/netns/"]["cells"][key] for key in ("machine", "machine@2")}) == 2

    assert answering(first, identity) == arms
    parts = parts_of(deployment, identity)
    with psycopg.connect(lab2.received["database"]) as database:
        seen = {found for (found,) in database.execute("SELECT id FROM dashboard_experiment").fetchall()}
        written = database.execute("UPDATE dashboard_experiment SET title = 'x' WHERE id = %s", [parts["server"]])
    assert seen == {parts["lab2"]}
    assert written.rowcount == 0

    before = containers(first, identity)
    lab2.lab.kill()
    until(lambda: "absent" in row(first, "lab2"), ABSENT_S)
    page = first.ask("GET", f"/experiments/{identity}/").data.decode()
    assert "The lab of this machine does not respond" in page
    assert answering(first, identity) == {"none", "bridge"}
    lab2.lab.start()
    until(lambda: "connected" in row(second, "lab2"), HEALED_S)
    until(lambda: "does not respond" not in second.ask("GET", f"/experiments/{identity}/").data.decode(), HEALED_S)
    assert containers(second, identity) == before, "the containers were adopted"

    saved = first.ask("POST", f"/experiments/{identity}/save/", {"title": "Two machines"})
    assert saved.status == 302
    report = saved.headers["location"].split("/")[2]
    content, _body = validate_file(first.ask("GET", f"/reports/{report}/export.json").data)
    assert content.experiment is not None
    assert {"machine", "machine@2", "bridge-lab2"} <= replay(content.experiment.journal).states.keys()

    assert second.ask("POST", f"/experiments/{parts['lab2']}/stop/").status == 302
    until(lambda: containers(first, identity).keys() == {"none", "bridge"}, HEALED_S)
    assert phase(first, identity) == "running"
    assert second.ask("POST", f"/experiments/{identity}/stop/").status == 302
    until(lambda: phase(first, identity) == "stopped", HEALED_S)
    proof = snapshot(first, identity)["experiment"]["proof"]
    assert {check["name"] for check in proof} >= {"containers (server)", "containers (lab2)"}
    assert all(check["ok"] for check in proof)
    assert first.ask("POST", f"/experiments/{identity}/again/", {"anyway": "1"}).status == 302
    until(lambda: containers(second, identity).keys() == arms, HEALED_S)
    assert not set(containers(second, identity).values()) & set(before.values())
    assert first.ask("POST", f"/experiments/{identity}/remove/").status == 302
    assert first.ask("GET", f"/experiments/{identity}/").status == 404
    with psycopg.connect(deployment.postgres.url, autocommit=True) as database:
        query = "SELECT count(*) FROM dashboard_experiment"
        until(lambda: database.execute(query).fetchone() == (0,), HEALED_S)
