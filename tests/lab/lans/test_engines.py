"""dashboard.lab.lans.engines; tests/engine/lans/test_swarm.py runs it on real hosts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dashboard.engine.hosts.private_host import PrivateHostError
from dashboard.engine.hosts.registry import LanPlace, PrivateHost
from dashboard.engine.lans import lan as lans
from dashboard.engine.lans import swarm_node
from dashboard.engine.lans.lan import Lan
from dashboard.lab.lans import engines


@pytest.mark.parametrize("kept", [(), ("b",)])
async def test_only_an_engine_that_has_kept_the_port_is_started_again_before_a_swarm_is_formed(
    kept: Sequence[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hosts = [
        PrivateHost(name, number, 1, "", 1.0, tmp_path, 1, lan=LanPlace("office", number))
        for number, name in enumerate("abc", 1)
    ]
    ended: list[PrivateHost] = []
    calls: list[object] = []

    def look(_folder: Path) -> tuple[Lan, ...]:
        return (Lan("office", tuple(hosts), tuple(ended)),)

    def end(host: PrivateHost) -> None:
        hosts.remove(host)
        ended.append(host)

    async def start(host: PrivateHost, *, ready_s: float, joined: PrivateHost | None) -> PrivateHost:
        assert joined is not None
        calls.append(("started", host.id, joined.id))
        ended.remove(host)
        hosts.append(replace(host, pid=10 + host.pid))
        return hosts[-1]

    async def leave(those: Sequence[PrivateHost]) -> None:
        calls.append(("left", *(host.id for host in those)))

    async def form(those: Sequence[PrivateHost]) -> None:
        calls.append(("formed", *(host.pid for host in those)))

    for module in (engines, lans):
        monkeypatch.setattr(module, "list_lans", look)
    monkeypatch.setattr(engines, "keeps_port", lambda pid: "abc"[pid - 1] in kept)
    monkeypatch.setattr(engines, "_end", end)
    monkeypatch.setattr(engines, "start_with_containers", start)
    monkeypatch.setattr(engines, "leave_swarm", leave)
    monkeypatch.setattr(engines, "form_swarm", form)
    await engines.form_new_swarm(tmp_path, Lan("office", tuple(hosts)))
    # The host may have been started again because it did not answer: then it is still in its former swarm.
    again = [("started", "b", "a"), ("left", "b"), ("formed", 1, 3, 12)] if kept else [("formed", 1, 2, 3)]
    assert calls == [("left", "a", "b", "c"), *again]


async def test_each_host_leaves_its_former_swarm_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An engine that does not answer takes 30 s each time."""
    hosts = tuple(
        PrivateHost(name, 1, 1, name, 1.0, tmp_path, 1, lan=LanPlace("office", number))
        for number, name in enumerate("abc", 1)
    )
    calls: list[tuple[str, str]] = []

    def record(name: str) -> None:
        async def call(endpoint: object, *_: object) -> tuple[str, str]:
            calls.append((name, str(endpoint).removeprefix("unix://")))
            return ("c1", "SWMTKN")

        monkeypatch.setattr(swarm_node, name, call)

    for name in ("leave", "init", "read_swarm", "join", "wait_until_stored"):
        record(name)
    monkeypatch.setattr(engines, "keeps_port", lambda _host: False)
    await engines.form_new_swarm(tmp_path, Lan("office", hosts))
    assert [host for name, host in calls if name == "leave"] == ["a", "b", "c"]
    assert [call for call in calls if call[0] in {"init", "join"}] == [("init", "a"), ("join", "b"), ("join", "c")]


async def test_a_damaged_host_does_not_keep_the_containers_of_the_others_from_starting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    host = PrivateHost("a", 1, 1, "", 1.0, tmp_path, 1, lan=LanPlace("office", 1))
    finished: list[str] = []

    async def fail(*_arguments: object) -> None:
        raise PrivateHostError("b is damaged.")

    async def finish(hosts: Sequence[PrivateHost]) -> None:
        finished.extend(host.id for host in hosts)

    monkeypatch.setattr(engines, "start_lan_again", fail)
    monkeypatch.setattr(engines, "finish_starts", finish)
    with pytest.raises(PrivateHostError, match="b is damaged"):
        await engines.start_again(tmp_path, Lan("office", (host,)))
    assert finished == ["a"]
