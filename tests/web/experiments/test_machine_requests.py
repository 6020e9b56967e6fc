"""“Try” from other machines; tests/team/test_between_machines.py sends real requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

import pytest

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.operations.machines import MachineFacts
from dashboard.core.paths.clients.machines import MachineClient
from dashboard.core.paths.clients.overlay import OverlayArm
from dashboard.core.paths.model import Path, PathKind
from dashboard.lab.supervisor import LabUnavailableError
from dashboard.netns.request import Reply
from dashboard.store import journal as journal_store
from dashboard.store import machines, parts
from dashboard.web.experiments import machine_requests
from dashboard.web.experiments.machine_requests import LATE, SeenClients, _request, _request_all
from dashboard.web.http.database import to_db_thread
from dashboard.web.service import service
from tests.core.machine_scenes import entries_of, on_overlay_of
from tests.support.records import load_record
from tests.support.specs import make_spec

PATH = Path(PathKind.FROM_MACHINE_ADDRESS, "Machine lab2 to host", "@lab2", "host", address="192.0.2.2", port=80)
OWN = "192.0.2.77:40000"


def answered(client: str) -> Reply:
    return Reply(200, "OK", client=client)


async def lines() -> AsyncGenerator[str]:
    for text in ("", '["host", "10.0.0.9:1"]\n["ho', f'st", "{OWN}"]\n', '["bridge", "172.17.0.1:5"]\n', "\n[ended]\n"):
        yield text


async def test_lines_are_read_across_pieces() -> None:
    seen = SeenClients()
    await seen.read(lines())
    assert (seen.count("host"), seen.count("bridge"), seen.count("none")) == (2, 1, 0)
    translated = answered("192.0.2.77:9")
    assert seen.client_of("host", translated, 0) == "", "two clients came: neither is proved"
    assert seen.client_of("host", translated, 1) == OWN, "the only new one is a translated address"
    assert seen.client_of("host", answered(OWN), 0) == OWN
    assert seen.client_of("bridge", answered(OWN), 0) == "172.17.0.1:5"
    assert seen.client_of("none", answered(OWN), 0) == ""


async def test_a_request_without_a_connection_has_no_client() -> None:
    """Requests of other clients arrive while this one waits."""
    seen = SeenClients()
    await seen.read(lines())
    assert seen.client_of("bridge", Reply(None, error="No answer from 192.0.2.2:80 within 3 s."), 0) == ""
    hung = Reply(None, error="No answer from 192.0.2.2:80 within 3 s.", client=OWN)
    assert seen.client_of("bridge", hung, 0) == "", "the other client is not proved"
    assert seen.client_of("host", hung, 0) == OWN, "it was connected"


async def test_the_end_of_another_request_is_not_the_client_of_this_one() -> None:
    seen = SeenClients()
    await seen.read(lines())
    assert seen.client_of("host", answered(OWN), 0) == OWN
    assert seen.client_of("host", answered("192.0.2.78:7"), 0) == "10.0.0.9:1", "the proxy"
    assert seen.client_of("host", answered("192.0.2.78:7"), 1) == ""


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (Reply(200, "OK", time_us=500, client=OWN), ""),
        (Reply(None, error="192.0.2.2:80 refused the connection: nothing listens there."), "refused"),
        (LabUnavailableError("The lab on the machine lab2 does not respond."), "does not respond"),
        (ValueError("192.0.2.2 is an address of this machine itself."), "itself"),
    ],
)
async def test_each_outcome_is_an_attempt(
    monkeypatch: pytest.MonkeyPatch, outcome: Reply | Exception, error: str
) -> None:
    async def ask_on(*_: object) -> Reply:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(service, "ask_on", ask_on)
    end = asyncio.get_running_loop().time() + 20
    attempt = await _request(PATH, SeenClients(), end)
    assert (attempt.origin, attempt.key, attempt.url) == ("@lab2", "", "http://192.0.2.2:80/")
    assert (error in attempt.error) if error else (attempt.status, attempt.time_us) == (200, 500)
    assert (await _request(PATH, SeenClients(), end - 60)).error == LATE
    missing = Path(PathKind.FROM_MACHINE_ADDRESS, "", "@lab2", "host", unavailable="no route")
    assert (await _request(missing, SeenClients(), end)).unavailable == "no route"


async def test_an_arm_on_another_machine_requests_by_address_and_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []

    async def ask_on(machine: str, _host: str, function: Callable[..., object], *args: object) -> Reply:
        calls.append((machine, function.__name__, *args))
        return answered(OWN)

    monkeypatch.setattr(service, "ask_on", ask_on)
    path = replace(PATH, kind=PathKind.FROM_MACHINE_OVERLAY, title="over the overlay network", host_name="overlay")
    arm, end = OverlayArm("part2", "overlay-lab2", "overlay-lab2", {}), asyncio.get_running_loop().time() + 20
    plain = await _request(path, SeenClients(), end, arm)
    named = await _request(path, SeenClients(), end, arm, "overlay")
    assert calls == [
        ("lab2", "request_from_arm", "part2", "overlay-lab2", "192.0.2.2", 80, ""),
        ("lab2", "request_from_arm", "part2", "overlay-lab2", "192.0.2.2", 80, "overlay"),
    ]
    assert (plain.url, plain.title) == ("http://192.0.2.2:80/", "over the overlay network")
    assert (named.url, named.title) == ("http://overlay:80/", "over the overlay network, by name")
    assert named.curl == "curl -i http://overlay:80/"


@pytest.mark.django_db(transaction=True)
async def test_without_other_machines_only_the_own_lab_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    async def ask_about(*arguments: object) -> tuple[()]:
        asked.append(arguments)
        return ()

    monkeypatch.setattr(service, "ask_about", ask_about)
    assert await machine_requests.try_everywhere("nothing", multicast=True) == ()
    assert [one[2:] for one in asked] == [("nothing", True)]
    assert NamespaceState(1).interfaces == ()


@pytest.mark.django_db(transaction=True)
async def test_columns_that_a_lab_has_invented_are_not_requested_over_the_overlay_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The other lab would look the key of a column up as a host name."""
    part = await to_db_thread(_part_with_a_forged_column)
    calls: list[tuple[object, ...]] = []

    async def ask_on(_machine: str, _host: str, function: Callable[..., object], *args: object) -> object:
        if function.__name__ == "watch_clients":
            return lines()
        calls.append((function.__name__, *args))
        return answered(OWN)

    monkeypatch.setattr(service, "ask_on", ask_on)
    arm = OverlayArm("part2", "overlay-lab2", "overlay-lab2", {"nm-whole-overlay": "eth0"})
    await _request_all(part, None, [MachineClient("lab2", NamespaceState(1), arm=arm)])
    asked = [call for call in calls if call[0] == "request_from_arm"]
    assert [call[-1] for call in asked] == ["", "overlay"]
    assert "secret.attacker.example" not in f"{calls}"


def _part_with_a_forged_column() -> str:
    machines.register("lab2", {}, MachineFacts())
    record = load_record(parts.create(make_spec("overlay", machines=["server", "lab2"])))
    part = parts.ids_of(record.parts)["server"]
    entries = on_overlay_of("whole", entries_of("server", ("overlay",)))
    (column,) = [one for one in entries[0].facts.columns if one.key == "overlay"]
    state = next(one.facts.states["overlay"] for one in entries if "overlay" in one.facts.states)
    forged = Facts(columns=(replace(column, key="secret.attacker.example"),), states={"secret.attacker.example": state})
    journal_store.append(part, [*entries, Entry(len(entries) + 1, 1200.0, Cause(Source.LAB, "x"), forged)])
    return part
