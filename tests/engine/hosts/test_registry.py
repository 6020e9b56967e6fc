"""The records of hosts: they are found again, and invalid records are ignored."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from dashboard.core.training.capacity import HostLimits
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts import registry as records
from dashboard.engine.hosts.cleanup import start_ticks
from dashboard.engine.hosts.registry import LanPlace, PrivateHost


def host_in(data_dir: Path, identity: str, **more: object) -> PrivateHost:
    """A host with this process as its dockerd."""
    folder = data_dir / "hosts" / identity
    folder.mkdir(parents=True)
    ticks = start_ticks(os.getpid()) or 0
    fields: dict[str, object] = {"pid": os.getpid(), "netns": 7, "ticks": ticks, "group": ""} | more
    return PrivateHost(id=identity, socket=f"/run/{identity}", started=1.0, folder=folder, **fields)  # type: ignore[arg-type]


def test_a_host_is_recalled_as_it_was_written_down(tmp_path: Path) -> None:
    host = host_in(tmp_path, "one", group="session-3", neighbour=9)
    records.remember(host, ready=True)
    assert records.list_hosts(tmp_path) == (host,)
    assert records.read_host(host.folder) == host
    assert (host.folder / records.RECORD).stat().st_mode & 0o077 == 0


def test_a_host_that_is_not_ready_yet_is_not_listed(tmp_path: Path) -> None:
    records.remember(host_in(tmp_path, "early"), ready=False)
    assert records.list_hosts(tmp_path) == ()


def test_a_host_of_a_class_is_known_after_its_engine_has_ended(tmp_path: Path) -> None:
    dead = host_in(tmp_path, "dead", group="session-1", ticks=1)
    for host in (dead, host_in(tmp_path, "other", ticks=1)):
        records.remember(host, ready=True)
    assert records.list_hosts(tmp_path) == ()
    assert records.group_hosts(tmp_path) == (dead,)


def test_a_host_of_a_lan_is_known_after_its_engine_has_ended_until_it_is_removed(tmp_path: Path) -> None:
    office, limits = LanPlace("office"), HostLimits(cpus=0.5)
    dead = host_in(tmp_path, "dead", lan=office, ticks=1, limits=limits)
    for host in (dead, host_in(tmp_path, "other", ticks=1)):
        records.remember(host, ready=True)
    early = host_in(tmp_path, "early", lan=office)
    records.remember(early, ready=False)
    assert records.lan_hosts(tmp_path) == (dead,)
    records.note_starter(dead)
    records.remember(dead, ready=False)
    assert [host.id for host in records.lan_hosts(tmp_path)] == ["dead"], "a start that was interrupted"
    records.note_failed_start(dead)
    assert not records.is_starting(dead.folder)
    records.note_removal(dead.folder)
    assert records.lan_hosts(tmp_path) == ()
    records.note_removal(tmp_path / "gone")
    records.note_failed_start(replace(dead, folder=tmp_path / "gone"))
    assert not (tmp_path / "gone").exists()


def test_a_host_of_a_lan_of_an_earlier_version_is_known(tmp_path: Path) -> None:
    """Its record does not state that it has been ready."""
    host = host_in(tmp_path, "old", lan=LanPlace("office"), ticks=1)
    records.remember(host, ready=True)
    record = records.read(host.folder)
    del record["has_been_ready"]
    records.write(host.folder, record)
    assert records.lan_hosts(tmp_path) == (host,)
    records.note_starter(host)
    records.remember(host, ready=False)
    assert [found.id for found in records.lan_hosts(tmp_path)] == ["old"], "a start that was interrupted"


def test_a_host_is_starting_while_its_starter_runs(tmp_path: Path) -> None:
    host = host_in(tmp_path, "slow")
    for ticks, expected in ((host.ticks, True), (1, False)):
        records.write(host.folder, {"starter": {"pid": os.getpid(), "ticks": ticks}, "ready": False})
        assert records.is_starting(host.folder) is expected
    records.remember(host, ready=True)
    assert not records.is_starting(host.folder)


async def test_a_host_that_becomes_ready_while_leftovers_are_removed_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, starting = host_in(tmp_path, "a", ticks=1), host_in(tmp_path, "b", netns=0)
    records.remember(ended, ready=True)
    records.note_starter(starting)
    records.remember(starting, ready=False)
    removed: list[Path] = []
    ready = replace(starting, netns=7)

    async def remove(folder: Path) -> None:
        removed.append(folder)
        records.remember(ready, ready=True)

    monkeypatch.setattr(private_host, "remove", remove)
    assert await private_host.adopt(tmp_path) == (ready,)
    assert removed == [ended.folder]


def test_a_host_that_starts_again_keeps_its_record_but_is_not_ready(tmp_path: Path) -> None:
    host = host_in(tmp_path, "again")
    records.remember(host, ready=True)
    records.note_starter(host)
    assert records.list_hosts(tmp_path) == ()
    assert records.is_starting(host.folder)
    assert records.read(host.folder)["socket"] == host.socket


def test_containers_that_ran_when_the_engine_ended_are_read_in_the_order_of_their_start(tmp_path: Path) -> None:
    host = host_in(tmp_path, "one")
    for name, text in (
        ("second", '{"State": {"Running": true, "StartedAt": "2026-02-02"}}'),
        ("first", '{"State": {"Running": true, "StartedAt": "2026-01-01"}}'),
        ("ended", '{"State": {"Running": false}}'),
        ("torn", '{"State": {"Run'),
        ("other", "[]"),
    ):
        (host.data / "containers" / name).mkdir(parents=True)
        (host.data / "containers" / name / "config.v2.json").write_text(text)
    assert records.left_running(host) == ("first", "second")


def test_containers_that_ran_are_recorded_until_they_are_started(tmp_path: Path) -> None:
    host = host_in(tmp_path, "one")
    records.remember(host, ready=True)

    def write_state(name: str, *, running: bool) -> None:
        (host.data / "containers" / name).mkdir(parents=True, exist_ok=True)
        state = {"State": {"Running": running, "StartedAt": ""}}
        (host.data / "containers" / name / "config.v2.json").write_text(json.dumps(state))

    write_state("web", running=True)
    assert records.note_left_running(host) == ("web",)
    write_state("web", running=False)  # as an engine that starts does
    write_state("late", running=True)
    assert records.note_left_running(host) == ("web", "late")
    records.note_starter(host)
    records.remember(host, ready=True)
    assert records.abandoned_containers(host) == (), "this process is starting them"
    dead = {"pid": os.getpid(), "ticks": 1}
    records.write(host.folder, records.read(host.folder) | {"starter": dead})
    assert records.abandoned_containers(host) == ("web", "late")
    records.note_containers(host, ())
    assert records.abandoned_containers(host) == ()
    assert records.list_hosts(tmp_path) == (host,)


def test_a_disk_that_cannot_be_mounted_is_logged_and_has_neither_containers_nor_messages(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    host = replace(host_in(tmp_path, "one", ticks=1), owner=524288)
    host.disk.write_bytes(bytes(4096))
    host.data.mkdir()
    host.log.write_text("the script's message\n")
    assert records.left_running(host) == ()
    assert records.last_message(host) == "Its last message: the script's message"
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "the disk of the private host one cannot be read"
    ] * 2
