"""``./netmodes reap`` removes leftovers of Netmodes and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from dashboard.configuration import store_joined
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.private_host import PrivateHost
from dashboard.engine.hosts.registry import note_starter
from tests.support.private_engine import PrivateEngine
from tests.support.terminal import Terminal


def test_without_leftovers_nothing_is_removed(terminal: Terminal) -> None:
    done = terminal.run("reap")
    assert (done.code, done.out.strip(), done.err) == (0, "There is nothing to remove.", "")
    done = terminal.run("reap", "--json")
    assert done.json == {"removed": [], "kept": [], "refused": [], "schema": "reap/1"}


def test_containers_of_another_installation_stay(terminal: Terminal, engine_host: PrivateEngine) -> None:
    kept = terminal.run("compare", "none", "--keep", "--json")
    assert kept.code == 0, kept.err
    name = kept.json["columns"][1]["container"]["name"]
    mine = terminal.environment["NETMODES_DATA_DIR"]
    terminal.environment["NETMODES_DATA_DIR"] = f"{mine}-other"
    assert terminal.run("reap", "--json").json["removed"] == []
    assert engine_host.docker("ps", "--format", "{{.Names}}") == name
    terminal.environment["NETMODES_DATA_DIR"] = mine
    assert terminal.run("reap", "--json").json["removed"] == [f"container {name}"]


def test_a_network_that_docker_refuses_to_remove_is_exit_1_with_its_message_and_the_rest_is_removed(
    terminal: Terminal, engine_host: PrivateEngine
) -> None:
    kept = terminal.run("compare", "user-bridge", "--keep", "--json")
    assert kept.code == 0, kept.err
    container = kept.json["columns"][1]["container"]["name"]
    network = next(iter(kept.json["columns"][1]["networks"]))
    guest = engine_host.docker("run", "-d", "--network", network, "nginx")
    try:
        done = terminal.run("reap", "--json")
        assert done.code == 1
        assert done.json["removed"] == [f"container {container}"]
        assert "has active endpoints" in done.json["refused"][0]
        assert "has active endpoints" in done.err
        assert engine_host.docker("ps", "-q", "--no-trunc") == guest
    finally:
        engine_host.docker("rm", "-f", guest)
    assert terminal.run("reap", "--json").json["removed"] == [f"network {network}"]


def test_without_an_engine_the_command_exits_with_1_and_prints_one_document(nowhere: Terminal) -> None:
    done = nowhere.run("reap", "--json")
    assert done.code == 1
    assert done.json["removed"] == []
    assert "No Docker Engine answers" in done.json["refused"][0]
    assert "Traceback" not in done.err


def test_remains_of_a_dead_private_host_are_removed(nowhere: Terminal) -> None:
    folder = nowhere.folder / "hosts" / "abc123"
    folder.mkdir(parents=True)
    (folder / "host.json").write_text('{"id": "abc123", "pid": 999999999, "ticks": 1, "ready": true}')
    done = nowhere.run("reap", "--json")
    assert done.json["removed"] == ["private host abc123"]
    assert not folder.exists()


def test_all_removes_everything_from_a_machine_that_was_revoked(terminal: Terminal, engine_host: PrivateEngine) -> None:
    kept = terminal.run("compare", "none", "--keep", "--json")
    assert kept.code == 0, kept.err
    name = kept.json["columns"][1]["container"]["name"]
    not_joined = terminal.run("reap", "--all")
    assert (not_joined.code, "has not joined" in not_joined.err) == (2, True)
    installation = engine_host.inspect(name, '{{index .Config.Labels "dev.netmodes.installation"}}')
    refused = "postgres://netmodes_machine_x:secret@127.0.0.1:1/netmodes"
    received = {"machine": "x", "server": "http://127.0.0.1:1", "database": refused, "nats": "nats://127.0.0.1:1"}
    store_joined(terminal.folder, received | {"installation": "another"})
    assert terminal.run("reap", "--all", "--json").json["removed"] == []
    store_joined(terminal.folder, received | {"installation": installation})
    done = terminal.run("reap", "--all", "--json")
    assert (done.code, done.json["removed"], done.err) == (0, [f"container {name}"], "")


@pytest.mark.engine
def test_all_removes_private_hosts_without_docker_and_without_the_id_of_the_installation(nowhere: Terminal) -> None:
    received = {"machine": "x", "server": "http://127.0.0.1:1", "database": "postgres://127.0.0.1:1/x", "nats": ""}
    store_joined(nowhere.folder, received)
    host = asyncio.run(private_host.start(nowhere.folder))
    try:
        folder = nowhere.folder / "hosts" / "abc123"
        folder.mkdir()
        note_starter(PrivateHost("abc123", 0, 0, "/nowhere", 1.0, folder, 0))
        done = nowhere.run("reap", "--all", "--json")
        assert (done.code, done.json["removed"]) == (1, [f"private host {host.id}"])
        assert done.json["kept"] == ["private host abc123: a process is starting it"]
        assert "does not know the id of its installation" in done.json["refused"][0]
        assert (host.folder.exists(), folder.exists()) == (False, True)
        store_joined(nowhere.folder, received | {"installation": "known"})
        done = nowhere.run("reap", "--all")
        assert (done.code, "No Docker Engine answers" in done.err, "Traceback" in done.err) == (1, True, False)
    finally:
        asyncio.run(private_host.stop(host))
