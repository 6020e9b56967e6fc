"""The state of each column: kernel, resolver files and lookups."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import UNSET

from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import FirewallRules, Lookup, NamespaceState, Origin
from dashboard.lab.experiments import observer as module
from dashboard.lab.experiments.observer import ObservationTarget, Observer
from dashboard.lab.watch_pool import WatchPool
from dashboard.netns.namespace import NamespaceGone
from dashboard.netns.namespace_ids import namespaces
from tests.netns.namespaces import Netns
from tests.support.polling import eventually, others_run, until


class Changes(list[dict[str, NamespaceState]]):
    """The reported changes, in order."""

    def __call__(self, states: dict[str, NamespaceState]) -> None:
        self.append(states)


@pytest.fixture
def changes() -> Changes:
    return Changes()


@pytest.fixture
async def observer(pool: WatchPool, changes: Changes) -> AsyncIterator[Observer]:
    made = Observer(pool, os.getpid, changes)
    yield made
    await made.close()


def subject(netns: Netns, key: str = "bridge", folder: Path | None = None) -> ObservationTarget:
    files = (str(folder / "resolv.conf"), str(folder / "hosts")) if folder else ("", "")
    return ObservationTarget(key, netns.pid, "bridge", *files)


def inode_of(netns: Netns) -> int:
    return Path(f"/proc/{netns.pid}/ns/net").stat().st_ino


def links(state: NamespaceState) -> list[str]:
    return [one.name for one in state.interfaces]


async def test_a_first_observation_is_complete(observer: Observer, netns: Netns, tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.53\nsearch example\n")
    (tmp_path / "hosts").write_text("192.0.2.7 db\n")
    netns.rename_host("host-one")
    state = await observer.add(subject(netns, folder=tmp_path))
    assert links(state) == ["lo"]
    assert state.hostname == "host-one"
    assert state.netns == inode_of(netns) == state.namespaces["net"]
    assert state.resolver is not None
    assert state.resolver.nameservers == ("192.0.2.53",)
    assert state.hosts[0].names == ("db",)
    assert observer.keys == ("bridge",)
    assert observer.state("bridge") == state


async def test_unreadable_files_are_marked(observer: Observer, netns: Netns, tmp_path: Path) -> None:
    state = await observer.add(subject(netns, folder=tmp_path))
    assert state.resolver is not None
    assert state.resolver.origin is Origin.UNREADABLE
    assert state.hosts == ()


async def test_a_block_list_in_the_hosts_file_hides_no_names(observer: Observer, netns: Netns, tmp_path: Path) -> None:
    blocked = "".join(f"0.0.0.0 advertising-{number}.example.com\n" for number in range(40_000))
    assert len(blocked) > 1024 * 1024
    (tmp_path / "hosts").write_text(f"127.0.0.1 localhost\n{blocked}")
    state = await observer.add(subject(netns, folder=tmp_path))
    assert state.hosts[0].names == ("localhost",)
    assert len(state.hosts) == 10_000


async def test_binary_files_are_no_error(observer: Observer, netns: Netns, tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_bytes(b"\xff\xfe\x00nameserver 192.0.2.53\nnameserver 192.0.2.54\n")
    (tmp_path / "hosts").write_bytes(b"192.0.2.7 \xff\xfe\n" + b"x" * 100_000)
    state = await observer.add(subject(netns, folder=tmp_path))
    assert state.resolver is not None
    assert "192.0.2.54" in state.resolver.nameservers


async def test_columns_that_share_a_namespace_are_reported_together(
    observer: Observer, netns: Netns, changes: Changes
) -> None:
    await observer.add(subject(netns, "one"))
    await observer.add(subject(netns, "two"))
    netns.ip("link", "add", "shared", "type", "bridge")
    await eventually(lambda: changes and "shared" in links(observer.state("one")))
    assert set(changes[0]) == {"one", "two"}
    assert observer.state("one") == observer.state("two")


async def test_changes_during_the_first_observation_are_not_missed(
    observer: Observer, netns: Netns, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(pid: int) -> dict[str, int]:
        netns.ip("link", "add", "meanwhile", "type", "bridge")

        def is_seen() -> bool:
            view = observer._pool.view(inode_of(netns))
            return view is not None and any(one.name == "meanwhile" for one in view.interfaces)

        until(is_seen)
        return namespaces(pid)

    monkeypatch.setattr(module, "namespaces", slow)
    assert "meanwhile" in links(await observer.add(subject(netns)))


async def test_a_column_that_is_added_again_is_watched_once(
    observer: Observer, pool: WatchPool, changes: Changes
) -> None:
    first, second = Netns(), Netns()
    try:
        old = (await observer.add(subject(first))).netns
        new = (await observer.add(subject(second))).netns
        assert old != new
        assert pool.namespace(old) is None
        first.ip("link", "add", "old", "type", "bridge")
        second.ip("link", "add", "new", "type", "bridge")
        await eventually(lambda: "new" in links(observer.state("bridge")))
        assert "old" not in links(observer.state("bridge"))
    finally:
        first.close()
        second.close()


async def test_changes_while_a_column_is_added_again_are_not_missed(
    observer: Observer, pool: WatchPool, netns: Netns, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsubscribe = pool.unsubscribe

    async def change_and_unsubscribe(token: object, inode: int) -> None:
        netns.ip("link", "add", "meanwhile", "type", "bridge")
        view = pool.view
        await eventually(lambda: any(one.name == "meanwhile" for one in getattr(view(inode), "interfaces", ())))
        await unsubscribe(token, inode)

    await observer.add(subject(netns))
    with monkeypatch.context() as patch:
        patch.setattr(pool, "unsubscribe", change_and_unsubscribe)
        assert "meanwhile" in links(await observer.add(subject(netns)))


async def test_a_process_that_ends_while_it_is_read_leaves_nothing_open(
    observer: Observer, netns: Netns, pool: WatchPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_pid: int) -> str:
        raise NamespaceGone("the process has ended")

    monkeypatch.setattr(module, "hostname", gone)
    with pytest.raises(NamespaceGone):
        await observer.add(subject(netns))
    assert observer.keys == ()
    assert pool.namespace(inode_of(netns)) is None


async def test_files_are_read_again_when_asked(
    observer: Observer, netns: Netns, tmp_path: Path, changes: Changes
) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.53\n")
    await observer.add(subject(netns, folder=tmp_path))
    await observer.reread_files()
    assert changes == []
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.99\n")
    await observer.reread_files()
    states = changes[0]
    assert states["bridge"].resolver is not None
    assert states["bridge"].resolver.nameservers == ("192.0.2.99",)


async def test_the_state_that_is_reported_last_has_the_change_of_the_kernel_and_of_the_files(
    observer: Observer,
    pool: WatchPool,
    netns: Netns,
    tmp_path: Path,
    changes: Changes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await observer.add(subject(netns, folder=tmp_path))
    view = pool.view(inode_of(netns))
    assert view is not None

    def lose_links(_engine: int) -> bool:
        """A change of the kernel's state after the files were read, in the same turn of the loop."""
        observer._on_kernel_change("bridge", replace(view, interfaces=()))
        return True

    (tmp_path / "hosts").write_text("192.0.2.7 db\n")
    monkeypatch.setattr(module, "shows_files", lose_links)
    await observer.reread_files()
    await others_run()
    assert len(changes) == 2
    assert changes[-1]["bridge"] == observer.state("bridge")
    assert changes[-1]["bridge"].hosts[0].names == ("db",)
    assert links(changes[-1]["bridge"]) == []


async def test_files_that_cannot_be_seen_because_the_engine_ended_have_not_changed(
    pool: WatchPool, netns: Netns, tmp_path: Path, changes: Changes
) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.53\n")
    engine = os.getpid()
    observer = Observer(pool, lambda: engine, changes)
    before = await observer.add(subject(netns, folder=tmp_path))
    engine = 2**22 + 5
    await observer.reread_files()
    assert changes == []
    assert observer.state("bridge") == before
    await observer.close()


async def test_lookups_of_an_earlier_observation_are_kept(observer: Observer, netns: Netns) -> None:
    known = (Lookup("db", "answer", ("192.0.2.7",)),)
    assert (await observer.add(subject(netns), known)).lookups == known


async def test_names_are_looked_up_from_inside(
    observer: Observer, netns: Netns, tmp_path: Path, changes: Changes
) -> None:
    (tmp_path / "hosts").write_text("192.0.2.7 db\n")
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.53\n")
    await observer.add(subject(netns, folder=tmp_path))
    await observer.look_up(("db", "nowhere.example"))
    found = {one.name: one for one in observer.state("bridge").lookups}
    assert found["db"].answers == ("192.0.2.7",)
    assert found["nowhere.example"].outcome == "no answer"
    assert len(changes) == 1
    await observer.look_up(("db", "nowhere.example"))
    assert len(changes) == 1, "the time that a lookup takes is no change"


async def test_a_cancelled_lookup_changes_nothing(
    observer: Observer, netns: Netns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    ended: list[str] = []

    async def hang(_namespace: object, name: str, *_: object) -> None:
        started.append(name)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    monkeypatch.setattr(module, "lookup", hang)
    await observer.add(subject(netns, "one"))
    await observer.add(subject(netns, "two"))
    task = asyncio.ensure_future(observer.look_up(("a", "b")))
    await eventually(lambda: len(started) == 4)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(ended) == ["a", "a", "b", "b"]


async def test_the_machine_s_resolver_is_its_own(observer: Observer) -> None:
    state = await observer.add(ObservationTarget(MACHINE, os.getpid(), MACHINE, "/etc/resolv.conf", "/etc/hosts"))
    assert state.resolver is not None
    assert state.resolver.origin in {Origin.MACHINE, Origin.UNREADABLE}
    assert observer.inode(MACHINE) == state.netns
    observed = observer.target(MACHINE)
    assert observed is not None
    assert observed.key == MACHINE
    await observer.remove(MACHINE)
    await observer.remove(MACHINE)
    assert observer.inode(MACHINE) is None
    assert observer.target(MACHINE) is None


@pytest.mark.parametrize("backend", ["iptables", ""], ids=["iptables", "unknown, as Podman's"])
async def test_only_the_column_that_requests_firewall_rules_gets_them(
    observer: Observer, netns: Netns, backend: str
) -> None:
    target = subject(netns, MACHINE)
    machine = await observer.add(replace(target, firewall_backend=backend))
    arm = await observer.add(replace(target, key="host"))
    assert isinstance(machine.firewall, FirewallRules)
    assert arm.firewall is UNSET
    netns.ip("link", "add", "new", "type", "bridge")
    await eventually(lambda: "new" in links(observer.state("host")))
    assert isinstance(observer.state(MACHINE).firewall, FirewallRules)
    assert observer.state("host").firewall is UNSET
