"""Machines form a swarm, and an experiment has one overlay network on both; their engines are two hosts of a LAN."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboard.bench.operations.team_deployment import team_deployment
from dashboard.bench.server import Server
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.registry import LanPlace
from dashboard.engine.lans.lan import Lan, create_lan
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine, load_lab_image, share_lab_image
from tests.team.machine import HEALED_S, Machine, row, token
from tests.team.test_machine_arms import containers, phase

pytestmark = [pytest.mark.engine, pytest.mark.slow]
PAGE = "/machines/swarm/"
NAMES = ("server", "lab2")


@pytest.fixture
def lan(tmp_path: Path) -> Iterator[Lan]:
    """Two hosts; at the end they are removed."""
    made = asyncio.run(create_lan(tmp_path, LanPlace("machines"), 2))
    for host in made.hosts:
        asyncio.run(load_lab_image(host))
    yield made
    asyncio.run(private_host.stop_all(tmp_path))


@pytest.fixture
def server(lan: Lan) -> Iterator[Server]:
    """A signed-in browser; the installation and lab2 have joined, each with a host of the LAN as its engine."""
    first, second = lan.hosts
    with team_deployment(first.endpoint, webs=1) as deployment:
        share_lab_image(deployment.folder / "lab")
        browser = Server(deployment.webs[0].host, {})
        browser.sign_in(deployment.webs[0].link)
        machine = Machine("lab2", deployment.folder / "lab2", second.endpoint)
        assert machine.join(token(browser), "--name", "lab2").returncode == 0
        machine.lab.start()
        until(lambda: "connected" in row(browser, "lab2"), HEALED_S)
        yield browser
        machine.lab.stop()
        browser.close()


def overlays(engine: PrivateEngine) -> set[str]:
    """The overlay networks of experiments that an engine sees."""
    names = engine.docker("network", "ls", "--filter", "driver=overlay", "--format", "{{.Name}}")
    return set(names.split()) - {"ingress"}


def state(engine: PrivateEngine) -> str:
    return engine.docker("info", "--format", "{{.Swarm.LocalNodeState}}")


def requested_from_arm_to_arm(server: Server, identity: str, own: str) -> None:
    """Requests pass over the overlay network in both directions, by address and by name; ``own`` is the address of the
    first arm."""
    tried = server.ask("POST", f"/experiments/{identity}/try/", headers={"Accept": "application/json"})
    assert tried.status == 200, tried.data.decode()
    found = [one for one in json.loads(tried.data)["attempts"] if one["path"] == "from-machine-overlay"]
    assert [(one["origin"], one["server"], one["url"].startswith("http://overlay")) for one in found] == [
        ("@lab2", "overlay", False),
        ("@lab2", "overlay", True),
        ("@server", "overlay-lab2", False),
        ("@server", "overlay-lab2", True),
    ], tried.data.decode()
    assert [(one["status"], one["error"]) for one in found] == [(200, "")] * 4, found
    assert [one["client_seen"].startswith(f"{own}:") for one in found] == [False, False, True, True]
    assert all(one["client_seen"] for one in found)

    def stored() -> list[dict[str, Any]]:
        trial = json.loads(server.get(f"/api/experiments/{identity}"))["trial"]
        return [one for one in trial["attempts"] if one["path"] == "from-machine-overlay"]

    until(lambda: len(stored()) == len(found), HEALED_S)
    assert [(one["origin"], one["url"]) for one in stored()] == [(one["origin"], one["url"]) for one in found]


def measured_from_arm_to_arm(server: Server, identity: str) -> None:
    """The path is measured with http; a run with a responder contains the reason why it is not measured."""

    def measure(probe: str) -> dict[str, Any]:
        fields = [("machine", "server"), ("probe", probe), ("seconds", "4"), ("from_machine", "lab2")]
        started = server.ask("POST", f"/experiments/{identity}/measure/", fields)
        assert started.status == 302, started.data.decode()[-3000:]
        address = f"/api{started.headers['location'].rstrip('/')}"
        until(lambda: json.loads(server.get(address))["run"]["state"] not in {"waiting", "running"}, 2 * HEALED_S)
        found = json.loads(server.get(address))
        assert found["run"]["state"] == "finished", found
        measurement: dict[str, Any] = found["measurement"]
        return measurement

    path = "from-machine-overlay@lab2"
    (series,) = [one for one in measure("http")["series"] if one["path"] == path]
    assert (series["n"] > 0, series["failed_blocks"], series["client"]) == (True, 0, "@lab2"), series
    assert "use the probe http" in json.dumps(measure("tcp-rr"))


def test_an_experiment_has_one_overlay_network_on_two_machines(lan: Lan, server: Server, tmp_path: Path) -> None:
    first, second = (PrivateEngine(host, tmp_path) for host in lan.hosts)
    machines = [("machine", name) for name in NAMES]
    second.docker("swarm", "init", "--advertise-addr", lan.hosts[1].lan.addresses[0])
    node = second.docker("node", "ls", "--format", "{{.ID}}")
    swarm = [("what", "form"), ("agreed", "yes"), *machines]
    refused = server.ask("POST", PAGE, swarm)
    assert (refused.status, b"does not change" in refused.data) == (409, True)
    assert server.ask("POST", PAGE, [("what", "end")]).status == 302
    assert (second.docker("node", "ls", "--format", "{{.ID}}"), state(first)) == (node, "inactive")
    second.docker("swarm", "leave", "--force")

    formed = server.ask("POST", PAGE, swarm)
    assert formed.status == 302, formed.data.decode()[-3000:]
    assert server.get(PAGE).decode().count("manager of this swarm") == 2
    assert set(first.docker("node", "ls", "--format", "{{.ManagerStatus}}").split()) == {"Leader", "Reachable"}

    form = [("image", "nginx"), ("port", "80"), ("publish", ""), ("mode", "overlay")]
    launched = server.ask("POST", "/experiments/", [*form, *(("machines", name) for name in NAMES)])
    assert launched.status == 302, launched.data.decode()[-3000:]
    identity = launched.headers["location"].split("/")[2]
    until(lambda: len(containers(server, identity)) == 2 and phase(server, identity) == "running", HEALED_S)
    assert overlays(first) == overlays(second) == {f"nm-{identity}-overlay"}
    found = containers(server, identity)
    wget = ("exec", found["overlay"], "busybox", "wget", "-T2", "-qO-", "http://overlay-lab2/")
    own = first.inspect(
        found["overlay"], f'{{{{(index .NetworkSettings.Networks "nm-{identity}-overlay").IPAddress}}}}'
    )
    until(lambda: f"from {own}." in first.try_docker(*wget).stdout, HEALED_S)
    requested_from_arm_to_arm(server, identity, own)
    measured_from_arm_to_arm(server, identity)

    assert server.ask("POST", f"/experiments/{identity}/stop/").status == 302
    until(lambda: phase(server, identity) == "stopped", HEALED_S)
    until(lambda: not overlays(first) | overlays(second), HEALED_S)
    proof = json.loads(server.get(f"/api/experiments/{identity}"))["experiment"]["proof"]
    assert all(check["ok"] for check in proof)
    assert server.ask("POST", PAGE, [("what", "end")]).status == 302
    assert (state(first), state(second)) == ("inactive", "inactive")

    again = server.ask("POST", PAGE, swarm)
    assert again.status == 302, "no engine has kept the port of the swarm that ended"
    assert first.docker("config", "ls", "--quiet") == ""
    assert server.ask("POST", PAGE, [("what", "end")]).status == 302
