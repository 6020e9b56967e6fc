"""Two machines of an installation on one network: measuring on one that has joined, and paths between both."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil
import psycopg
import pytest

from dashboard.bench.operations.team_deployment import TeamDeployment
from dashboard.bench.server import Server
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine
from tests.team.conftest import LAB2_ADDRESS, SERVER_ADDRESS
from tests.team.machine import HEALED_S, Machine, row

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("machine_network")]
MEASURED_S = 90.0


@dataclass(slots=True)
class Machines:
    """The deployment with the machine lab2, and the engines of both machines."""

    deployment: TeamDeployment
    webs: list[Server]
    lab2: Machine
    engine2: PrivateEngine

    def launch(self, place: str, *modes: str) -> str:
        """Launches nginx on a machine and waits until it runs; returns the experiment's id."""
        fields = [("host", place), ("image", "nginx"), ("port", "80"), ("publish", "8080:80")]
        launched = self.webs[0].ask("POST", "/experiments/", [*fields, *(("mode", mode) for mode in modes)])
        assert launched.status == 302, launched.data.decode()[-3000:]
        identity = launched.headers["location"].split("/")[2]
        until(lambda: self.snapshot(identity)["experiment"]["phase"] == "running", HEALED_S)
        return identity

    def remove(self, identity: str) -> None:
        """Removes an experiment, so that its ports are free."""
        self.webs[0].ask("POST", f"/experiments/{identity}/remove/")
        until(lambda: self.webs[0].ask("GET", f"/api/experiments/{identity}").status == 404, HEALED_S)

    def snapshot(self, identity: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.webs[0].ask("GET", f"/api/experiments/{identity}").data)
        return found

    def attempts(self, identity: str) -> list[dict[str, Any]]:
        """The results of “Try” from other machines."""
        answer = self.webs[1].ask("POST", f"/experiments/{identity}/try/", headers={"Accept": "application/json"})
        assert answer.status == 200, answer.data.decode()
        found: list[dict[str, Any]] = json.loads(answer.data)["attempts"]
        return [one for one in found if one["origin"].startswith("@")]

    def measure(self, identity: str, probe: str, seconds: str, *machines: str) -> str:
        """Starts a measurement; returns the run's id."""
        fields = [("probe", probe), ("seconds", seconds), *(("from_machine", name) for name in machines)]
        answer = self.webs[0].ask("POST", f"/experiments/{identity}/measure/", fields)
        assert answer.status == 302, answer.data.decode()[-3000:]
        return answer.headers["location"].split("/")[2]

    def run(self, run: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.webs[1].ask("GET", f"/api/measurements/{run}").data)
        return found

    def ended(self, run: str) -> dict[str, Any]:
        """Waits until a run has ended; returns the run and its measurement."""
        until(lambda: self.run(run)["run"]["state"] not in {"waiting", "running"}, MEASURED_S)
        return self.run(run)

    def blocks(self, run: str, path: str) -> int:
        """The number of stored blocks with requests of the series over a path."""
        with psycopg.connect(self.deployment.postgres.url) as database:
            found = database.execute(
                "SELECT count(*) FROM dashboard_measurementblock b JOIN dashboard_measurementseries s"
                " ON s.id = b.series_id WHERE s.run_id = %s AND s.path = %s AND b.n > 0",
                [run, path],
            ).fetchone()
        return found[0] if found else 0


@pytest.fixture(scope="module")
def machines(deployment: TeamDeployment, webs: list[Server], lab2: Machine, engine2: PrivateEngine) -> Machines:
    """The installation's machine and lab2, joined by a network of their own."""
    return Machines(deployment, webs, lab2, engine2)


@pytest.fixture(autouse=True)
def _nothing_stays(machines: Machines) -> Iterator[None]:
    """Removes the experiments of a test, also if it fails."""
    yield
    for one in json.loads(machines.webs[0].ask("GET", "/api/experiments").data):
        if one["phase"] not in {"stopped", "failed"}:
            machines.remove(one["id"])


def clients_of(lab: int) -> list[int]:
    """The measuring processes of a lab."""
    try:
        children = psutil.Process(lab).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    found = []
    for child in children:
        with suppress(psutil.Error):
            if "dashboard.latency" in " ".join(child.cmdline()):
                found.append(child.pid)
    return found


def series_of(measured: dict[str, Any], path: str) -> list[dict[str, Any]]:
    return [one for one in measured["measurement"]["series"] if one["path"] == path]


FROM_SERVER, FROM_SERVER_PUBLISHED = "from-machine-address@server", "from-machine-published@server"


@pytest.mark.slow
def test_an_experiment_on_a_machine_that_has_joined_is_measured_to_its_end(machines: Machines) -> None:
    identity = machines.launch("@lab2", "host", "bridge")
    measured = machines.ended(machines.measure(identity, "tcp-rr", "4"))
    assert measured["run"]["state"] == "finished", measured["run"]
    for path in ("loopback", "bridge-address", "published-dnat"):
        (series,) = series_of(measured, path)
        assert series["n"] > 0, series
        assert not series["errors"]
    assert not [one for one in measured["measurement"]["series"] if "@" in one["path"]]
    with psycopg.connect(machines.deployment.postgres.url) as database:
        rows = database.execute(
            "SELECT machine_id, twin FROM dashboard_measurementrun WHERE id = %s", [measured["run"]["id"]]
        ).fetchall()
    assert rows == [("lab2", True)]
    until(lambda: not clients_of(machines.lab2.lab.pid), HEALED_S)
    until(lambda: measured["run"]["id"] in machines.webs[1].ask("GET", f"/experiments/{identity}/").data.decode())


def test_requests_from_another_machine_show_status_time_and_the_client(machines: Machines) -> None:
    identity = machines.launch("@lab2", "host", "bridge")
    keys = (("host", "from-machine-address"), ("bridge", "from-machine-published"))

    def answered() -> dict[tuple[str, str], dict[str, Any]] | None:
        """The attempts by server and path; None until the programs serve. A lab without processor time does not see a
        connection, and so not its client."""
        by_key = {(one["server"], one["path"]): one for one in machines.attempts(identity)}
        found = [by_key.get(key, {}) for key in keys]
        return by_key if all(one.get("status") and one["client_seen"] for one in found) else None

    found = until(answered, HEALED_S)
    host, published = (found[key] for key in keys)
    for attempt, url in ((host, f"http://{LAB2_ADDRESS}:80/"), (published, f"http://{LAB2_ADDRESS}:8080/")):
        assert (attempt["origin"], attempt["url"], attempt["status"]) == ("@server", url, 200), attempt
        assert 0 < attempt["time_us"] < 3_000_000
        assert attempt["client_seen"].startswith(f"{SERVER_ADDRESS}:")
        assert attempt["key"] == ""
    own = found["bridge", "from-machine-container"]
    assert "in a subnet of server itself" in own["unavailable"] or "has no route to" in own["unavailable"]

    def stored() -> set[str]:
        """Where the stored requests began. The lab stores them after its answer."""
        trial = machines.snapshot(identity)["trial"]
        return {one["origin"] for one in trial["attempts"]} if trial else set()

    until(lambda: stored() >= {"@server", "machine"}, HEALED_S)
    tried = f"/experiments/{identity}/?view=try"
    until(lambda: "Machine server to host" in machines.webs[0].ask("GET", tried).data.decode(), HEALED_S)


@pytest.mark.slow
def test_paths_between_machines_are_measured_in_both_directions(machines: Machines) -> None:
    for place, other, probe in (("@lab2", "server", "tcp-rr"), ("", "lab2", "http")):
        identity = machines.launch(place, "host", "bridge")
        measured = machines.ended(machines.measure(identity, probe, "5", other))
        assert measured["run"]["state"] == "finished", measured["run"]
        for path in (f"from-machine-address@{other}", f"from-machine-published@{other}"):
            (series,) = series_of(measured, path)
            assert series["n"] > 0, series
            assert (series["failed_blocks"], series["client"]) == (0, f"@{other}")
            assert series["p50_us"] > 0
        compared = [one for one in measured["measurement"]["comparisons"] if "@" in one["other"]]
        assert compared
        assert all(one["delta_us"] is not None for one in compared), compared  # an interval needs ten pairs
        page = machines.webs[0].ask("GET", f"/measurements/{measured['run']['id']}/").data.decode()
        assert f"from machine {other} → host" in page
        for lab in (machines.lab2.lab.pid, machines.deployment.lab.pid):
            until(lambda lab=lab: not clients_of(lab), HEALED_S)  # type: ignore[misc]
        machines.remove(identity)


@pytest.mark.slow
def test_a_cancelled_run_leaves_no_client_on_either_machine(machines: Machines) -> None:
    identity = machines.launch("@lab2", "host")
    run = machines.measure(identity, "http", "60", "server")
    until(lambda: machines.blocks(run, FROM_SERVER) > 0, HEALED_S)
    assert clients_of(machines.deployment.lab.pid)
    assert machines.webs[1].ask("POST", f"/measurements/{run}/cancel/").status == 302
    assert machines.ended(run)["run"]["state"] == "cancelled"
    for lab in (machines.lab2.lab.pid, machines.deployment.lab.pid):
        until(lambda lab=lab: not clients_of(lab))  # type: ignore[misc]


@pytest.mark.slow
def test_a_client_that_is_lost_is_reported_and_the_other_paths_are_measured(machines: Machines) -> None:
    identity = machines.launch("", "host", "bridge")
    run = machines.measure(identity, "http", "20", "lab2")
    until(lambda: machines.blocks(run, "from-machine-address@lab2") > 1, HEALED_S)
    clients = clients_of(machines.lab2.lab.pid)
    assert clients
    machines.lab2.lab.kill()
    try:
        until(lambda: not any(psutil.pid_exists(pid) for pid in clients))
        measured = machines.ended(run)
        assert measured["run"]["state"] == "finished", measured["run"]
        (lost,) = series_of(measured, "from-machine-address@lab2")
        assert "machine lab2" in " ".join(lost["errors"]), lost["errors"]
        (loopback,) = series_of(measured, "loopback")
        assert loopback["blocks"] > lost["blocks"]
        attempts = machines.attempts(identity)
        assert [one["unavailable"] for one in attempts if one["origin"] == "@lab2"] == [
            "The lab on the machine lab2 does not respond. Containers keep running. Try again in a moment."
        ]
    finally:
        machines.lab2.lab.start()
        until(lambda: all("connected" in row(web, "lab2") for web in machines.webs), HEALED_S)
    until(lambda: not clients_of(machines.deployment.lab.pid))


def test_a_drained_machine_sends_no_requests_and_cannot_be_chosen(machines: Machines) -> None:
    identity = machines.launch("", "host")
    assert machines.webs[0].ask("POST", "/machines/lab2/drain/").status == 302
    try:
        (attempt,) = machines.attempts(identity)
        assert attempt["unavailable"].startswith("The machine lab2 is drained: it sends no requests.")
        fields = [("probe", "http"), ("seconds", "2"), ("from_machine", "lab2"), ("from_machine", "nowhere")]
        refused = machines.webs[0].ask("POST", f"/experiments/{identity}/measure/", fields)
        assert refused.status == 400
        assert "lab2 is drained" in refused.data.decode()
        assert "“nowhere” is not another machine" in refused.data.decode()
    finally:
        assert machines.webs[0].ask("POST", "/machines/lab2/undrain/").status == 302


def test_a_dropped_request_is_reported_in_a_sentence_and_a_closed_port_is_refused(machines: Machines) -> None:
    """The experiment's machine drops what arrives over the network between the machines."""
    identity = machines.launch("@lab2", "host")
    columns = "(run_id, machine, seconds, valid_until)"
    with (
        psycopg.connect(machines.lab2.received["database"], autocommit=True) as database,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        database.execute(f"INSERT INTO dashboard_measurementclient {columns} VALUES ('x', 'server', 60, now())")  # noqa: S608
    rule = ("INPUT", "-i", "nm-to-server", "-p", "tcp", "--dport", "80", "-j")
    engine2 = machines.engine2
    for target, words in (("DROP", "No answer from"), ("REJECT", "cannot be reached|refused")):
        engine2.in_network("iptables", "-I", *rule, target)
        try:
            (attempt,) = [one for one in machines.attempts(identity) if one["server"] == "host"]
        finally:
            engine2.in_network("iptables", "-D", *rule, target)
        assert re.search(words, attempt["error"]), attempt
        assert attempt["client_seen"] == "", attempt
        assert LAB2_ADDRESS in attempt["error"]
