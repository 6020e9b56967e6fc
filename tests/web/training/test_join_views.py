"""Joining a session: mistakes, limits, admission, another device."""

from __future__ import annotations

import asyncio
import re
import threading

import pytest
from channels.db import database_sync_to_async

from dashboard.core.token_bucket import Rate
from dashboard.core.training.join_address import JoinAddress
from dashboard.core.training.rate_limit import PER_CLIENT
from dashboard.models import GroupHost, Participant, TrainingSession
from dashboard.store.operations import rate_limits
from dashboard.store.training import participants, session_state
from dashboard.web.http.addresses import own_addresses
from dashboard.web.training.join_views import key_of
from tests.web.asgi_client import Person, websocket
from tests.web.training.session_clients import OWN, TwoSessions, cookie_of, get, join, new, post, stranger

pytestmark = pytest.mark.django_db(transaction=True)


async def test_the_join_form_explains_mistakes(sessions: TwoSessions) -> None:
    code = sessions.row.code
    for typed, status, sentence in (
        ("", 400, "8 letters and digits"),
        ("7K3M", 400, "8 letters and digits"),
        ("0000-0000", 404, "No session has this code"),
    ):
        answer, _ = await join(typed, "Zoe")
        assert (answer.status, sentence in answer.text) == (status, True), typed
    for name, status, sentence in (
        ("", 400, "Enter the name"),
        ("x" * 41, 400, "at most 40"),
        ("ADA", 409, "is taken"),
    ):
        answer, _ = await join(code, name)
        assert (answer.status, sentence in answer.text) == (status, True), name
    answer, me = await join(f"{code[:4].lower()} {code[4:].lower()}", "<b>Zoe</b>")
    assert answer["location"] == f"/sessions/{sessions.row.id}/"
    assert "&lt;b&gt;Zoe" in (await get(answer["location"], me)).text
    answer, _ = await join(code, "Zoe2", me)
    assert answer.status == 302, "a participant that joins again is redirected"
    assert await database_sync_to_async(Participant.objects.filter(session=sessions.row).count)() == 3


async def test_closed_and_expired_sessions_refuse_newcomers(sessions: TwoSessions) -> None:
    await database_sync_to_async(TrainingSession.objects.filter(pk=sessions.other.id).update)(expires_at=1.0)
    answer, _ = await join(sessions.other.code, "Late")
    assert (answer.status, "expired" in answer.text) == (410, True)
    await post(f"/sessions/{sessions.row.id}/console/steer/close/", sessions.owner)
    answer, _ = await join(sessions.row.code, "Late")
    assert (answer.status, "is over" in answer.text) == (410, True)
    step = f"/sessions/{sessions.row.id}/steps/prepare/"
    assert (await get(step, sessions.ada)).status == 200, "results can still be read"
    assert (await post(f"{step}predict/", sessions.ada, choice="0")).status in {400, 409}


@pytest.mark.usefixtures("at_one_moment")
async def test_guesses_are_limited_while_thirty_participants_join_by_link(sessions: TwoSessions) -> None:
    guesser, burst = await stranger(), int(PER_CLIENT.burst)
    codes = (f"{number:08d}".replace("1", "Z") for number in range(burst + 20))
    statuses = [(await post("/join/", guesser, code=code, name="x")).status for code in codes]
    assert statuses == [404] * burst + [429] * 20
    refused = await post("/join/", guesser, code=sessions.row.code, name="Typed")
    assert (refused.status, bool(refused["retry-after"])) == (429, True), "even with the correct code"
    assert "the QR code" in refused.text
    for number in range(28):  # behind the same address, with the link
        answer, _ = await join(sessions.row.code, f"P{number}", key=key_of(sessions.row.code))
        assert answer.status == 302
    assert (await join("00000000", "Forged", key=key_of(sessions.row.code)))[0].status == 429
    answer, _ = await join(sessions.row.code, "One more", key=key_of(sessions.row.code))
    assert (answer.status, "All 30 places are taken" in answer.text) == (409, True)


async def test_thirty_participants_behind_one_address_may_mistype_once() -> None:
    row = await new()
    for number in range(30):
        assert (await join("00000000", "oops"))[0].status == 404
        assert (await join(row.code, f"P{number}"))[0].status == 302


@pytest.mark.usefixtures("at_one_moment")
async def test_a_flood_of_newcomers_from_one_address_is_limited_and_others_join() -> None:
    row = await new(max_participants=500)
    statuses = [(await join(row.code, f"P{number}"))[0].status for number in range(50)]
    assert statuses == [302] * 40 + [429] * 10
    answer, _ = await join(row.code, "Late")
    assert answer.status == 429
    assert "have joined from your network" in answer.text
    assert answer["retry-after"] in {"1", "2"}
    assert 'value="Late"' in answer.text, "what was typed stays"


async def test_simultaneous_joins_cannot_exceed_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    row = await new()
    monkeypatch.setattr(rate_limits, "JOINS", Rate(2, 0.001))
    real, waits = participants.join, threading.Event()
    inside: list[str] = []

    def slow(session: str, name: str, now: float) -> object:
        inside.append(name)
        waits.wait(1.0 if len(inside) < 6 else 0.0)
        return real(session, name, now)

    monkeypatch.setattr(participants, "join", slow)
    browsers = [await stranger() for _ in range(6)]
    answers = await asyncio.gather(*(join(row.code, f"P{n}", browsers[n]) for n in range(6)))
    assert sorted(answer.status for answer, _ in answers) == [302, 302, 429, 429, 429, 429]


async def test_a_refused_name_does_not_count_as_a_join(monkeypatch: pytest.MonkeyPatch) -> None:
    row = await new()
    monkeypatch.setattr(rate_limits, "JOINS", Rate(2, 0.001))
    assert [(await join(row.code, name))[0].status for name in ("Ada", "Ada", "", "Bob", "Eve")] == [
        302,
        409,
        400,
        302,
        429,
    ]


async def test_a_host_is_requested_with_the_first_step_and_not_by_joining() -> None:
    row = await new(hosts="person")
    _, ada = await join(row.code, "Ada")

    @database_sync_to_async
    def in_rows() -> list[tuple[str, str]]:
        return list(GroupHost.objects.values_list("group", "wanted"))

    assert await in_rows() == []
    assert (await post(f"/sessions/{row.id}/steps/prepare/opened/", ada)).status == 204
    assert await in_rows() == [(f"{row.id}-1", "running")]
    await database_sync_to_async(GroupHost.objects.update)(wanted="stopped", state="stopped")
    await post(f"/sessions/{row.id}/steps/prepare/opened/", ada)
    assert await in_rows() == [(f"{row.id}-1", "stopped")], "a host that was stopped is started by hand"


async def test_a_participant_moves_to_another_device_once(sessions: TwoSessions) -> None:
    made = await post(f"/sessions/{sessions.row.id}/device/", sessions.ada)
    assert (made.status, made["cache-control"]) == (201, "no-store")
    found = re.search(r"/seat/[\w-]{22}/", made.text)
    assert found is not None
    assert '<svg role="img"' in made.text
    laptop = await stranger()
    for _ in range(2):
        looked = await get(found[0], laptop)
        assert (looked.status, looked["referrer-policy"]) == (200, "no-referrer")
    async with websocket(f"/ws/sessions/{sessions.row.id}/", who=sessions.ada, headers=OWN) as socket:
        assert {(await socket.message())["type"] for _ in range(2)} == {"participant", "session"}
        moved = await post(found[0], laptop)
        assert await socket.closed() == 4404, "the old device is out"
    assert moved["location"] == f"/sessions/{sessions.row.id}/"
    there = Person({**laptop.cookies, "sessionid": cookie_of(moved, "sessionid")})
    assert (await get(moved["location"], there)).status == 200
    assert (await get(moved["location"], sessions.ada)).status == 401
    assert (await post(found[0], await stranger())).status == 404
    left = await post(f"/sessions/{sessions.row.id}/leave/", there)
    assert left["location"] == "/join/"
    assert (await get(moved["location"], there)).status == 401


async def test_a_newcomer_waits_and_is_admitted(sessions: TwoSessions) -> None:
    home = f"/sessions/{sessions.row.id}/"
    await post(f"{home}console/steer/doors/", sessions.owner, shut="yes")
    _, late = await join(sessions.row.code, "Late")
    assert "Please wait, Late" in (await get(home, late)).text
    assert (await get(f"{home}steps/prepare/", late))["location"] == home
    assert (await get(f"{home}mirror/", late)).status in {302, 404}
    assert (await post(f"{home}hand/", late, up="yes", text="Let me in"))["location"] == home
    assert await database_sync_to_async(session_state.questions)(sessions.row.id) == ()
    async with websocket(f"/ws{home}", who=late, headers=OWN) as socket:
        first = await socket.message()
        assert (first["type"], first["admitted"]) == ("participant", False)
        await post(f"{home}console/steer/step/", sessions.owner, by="next")
        await post(f"{home}console/steer/doors/", sessions.owner, shut="no")
        second = await socket.message()
        assert (second["type"], second["admitted"]) == ("participant", True), "nothing was sent before"
    assert (await get(f"{home}steps/prepare/", late)).status == 200


async def test_a_newcomer_does_not_wait_for_a_session_that_is_over(sessions: TwoSessions) -> None:
    home = f"/sessions/{sessions.row.id}/"
    await post(f"{home}console/steer/doors/", sessions.owner, shut="yes")
    _, late = await join(sessions.row.code, "Late")
    await post(f"{home}console/steer/close/", sessions.owner)
    page = (await get(home, late)).text
    assert "Please wait" not in page
    assert "This session is over. You were not admitted to it." in page


async def test_participants_are_sent_to_an_address_that_other_devices_can_open(
    sessions: TwoSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_addresses, "choose_join_address", lambda *_: JoinAddress("http://192.0.2.2:8000"))
    console = (await get(f"/sessions/{sessions.row.id}/console/", sessions.owner)).text
    assert f"http://192.0.2.2:8000/join/?code={sessions.row.code}" in console
    assert "cannot join" not in console
    shown = (await get(f"/sessions/{sessions.row.id}/console/projector/", sessions.owner)).text
    assert "192.0.2.2:8000/join/" in shown
    for link in (
        await post(f"/sessions/{sessions.row.id}/console/seats/{sessions.ada_id}/link/", sessions.owner),
        await post(f"/sessions/{sessions.row.id}/device/", sessions.ada),
    ):
        assert "http://192.0.2.2:8000/seat/" in link.text
