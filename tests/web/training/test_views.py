"""Sessions on the web: permissions, joining, predictions, and what participants and instructor see."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.test import Client

from dashboard import urls
from dashboard.core.operations.roles import Role
from dashboard.core.token_bucket import Rate
from dashboard.core.training.capacity import Capacity
from dashboard.core.training.join_address import JoinAddress
from dashboard.core.training.rate_limit import PER_CLIENT, JoinRateLimit
from dashboard.models import Account, Answer, Experiment, GroupHost, Participant, SessionEvent, TrainingSession
from dashboard.store import experiments as experiment_store
from dashboard.store.training import participants, session_state
from dashboard.store.training import sessions as training_sessions
from dashboard.web.http.addresses import own_addresses
from dashboard.web.service import Service
from dashboard.web.training import join_views, views
from dashboard.web.training.join_views import key_of
from tests.lab.training_builders import again, session
from tests.support.polling import eventually
from tests.support.specs import make_spec
from tests.web.asgi_client import HOST, NOBODY, ORIGIN, Person, http, is_strict, person, websocket
from tests.web.asgi_client import Answer as Got
from tests.web.markup import forbidden_in

pytestmark = pytest.mark.django_db(transaction=True)
FORM = ("content-type", "application/x-www-form-urlencoded")
OWN = (("origin", ORIGIN),)
FAR = 4e9


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    monkeypatch.setattr(join_views, "rate_limit", JoinRateLimit())


@pytest.fixture
def at_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops the clock of the rate limits: no token is restored while a slow machine sends requests."""
    moment = time.time()
    monkeypatch.setattr(join_views, "time", SimpleNamespace(time=lambda: moment))


async def post(path: str, who: Person, **fields: str) -> Got:
    return await http("POST", path, who=who, headers=(FORM,), body=urlencode(fields).encode(), token=True)


async def get(path: str, who: Person) -> Got:
    return await http("GET", path, who=who)


def _cookie(answer: Got, name: str) -> str:
    found = [value for key, value in answer.headers if key == "set-cookie" and value.startswith(f"{name}=")]
    return found[-1].partition("=")[2].partition(";")[0] if found else ""


async def stranger() -> Person:
    """A browser without a session, with the CSRF token of the form."""
    return Person({"csrftoken": _cookie(await get("/join/", NOBODY), "csrftoken")})


async def join(code: str, name: str, who: Person | None = None, **more: str) -> tuple[Got, Person]:
    """Joins a session with the form."""
    who = who or await stranger()
    answer = await post("/join/", who, code=code, name=name, **more)
    held = _cookie(answer, "sessionid")
    return answer, Person({**who.cookies, **({"sessionid": held} if held else {})})


@database_sync_to_async
def new(owner: str = "owner", **wanted: object) -> TrainingSession:
    row = session(owner, **wanted)
    TrainingSession.objects.filter(pk=row.id).update(expires_at=FAR)
    return again(row)


@database_sync_to_async
def sign_in_as(name: str) -> Person:
    client = Client(HTTP_HOST=HOST)
    user, _ = User.objects.get_or_create(username=name)
    Account.objects.get_or_create(user=user, defaults={"role": Role.INSTRUCTOR})
    client.force_login(user)
    client.get("/")
    return Person({key: morsel.value for key, morsel in client.cookies.items()})


@dataclass
class TwoSessions:
    """Two instructors with a session each, two participants in the first and one in the other."""

    row: TrainingSession
    other: TrainingSession
    owner: Person
    rival: Person
    ada: Person
    bob: Person
    outsider: Person
    ada_id: str


def _participant_id(name: str) -> str:
    return str(Participant.objects.get(name=name).pk)


@pytest.fixture
async def sessions() -> TwoSessions:
    row, other = await new(), await new("rival")
    ada, bob = (await join(row.code, "Ada"))[1], (await join(row.code, "Bob"))[1]
    outsider = (await join(other.code, "Outsider"))[1]
    ada_id = await database_sync_to_async(_participant_id)("Ada")
    return TwoSessions(row, other, await person(), await sign_in_as("rival"), ada, bob, outsider, ada_id)


PARTICIPANT_GETS = ("", "device/", "steps/prepare/")
PARTICIPANT_POSTS = (
    "hand/",
    "device/",
    "leave/",
    "host/",
    *(f"steps/prepare/{one}/" for one in ("opened", "predict", "run", "check", "hint")),
)
CONSOLE_GETS = ("console/", "console/projector/", "console/removal/", "console/seats/PARTICIPANT/")
COMMANDS = ("step", "pace", "lock", "doors", "timer", "reveal", "mirror", "pointer", "notes", "say", "extend", "close")
CONSOLE_POSTS = (
    "console/delete/",
    "console/removal/",
    *(f"console/steer/{one}/" for one in COMMANDS),
    *(f"console/seats/PARTICIPANT/{one}/" for one in ("rename", "remove", "admit", "lower", "say", "link")),
)
ELSEWHERE = (
    "/",
    "/experiments/",
    "/workshop/",
    "/workshop/host-network/",
    "/sessions/",
    "/sessions/new/",
    "/reports/",
    "/measurements/",
    "/claims/",
    "/doctor/",
    "/api/docs",
    "/api/experiments",
    "/no/such/page",
)


@database_sync_to_async
def everything(row: TrainingSession) -> tuple[object, ...]:
    """Every stored value that a participant or instructor could have changed."""
    return (
        TrainingSession.objects.filter(pk=row.id).values().get(),
        list(Participant.objects.filter(session=row).order_by("pk").values()),
        list(Answer.objects.values()),
        list(SessionEvent.objects.filter(session=row).values()),
        session_state.questions(row.id),
    )


async def test_nobody_reaches_pages_of_other_sessions(sessions: TwoSessions) -> None:
    mine, theirs = f"/sessions/{sessions.row.id}/", f"/sessions/{sessions.other.id}/"
    before = await everything(sessions.row)
    outside = {"stranger": await stranger(), "rival": sessions.rival, "outsider": sessions.outsider}
    for name, who in outside.items():
        for path in (*PARTICIPANT_GETS, "mirror/", *CONSOLE_GETS, "console/mirror/"):
            answer = await get(mine + path.replace("PARTICIPANT", sessions.ada_id), who)
            assert answer.status in {401, 403, 404}, (name, path)
            assert "Monday" not in answer.text or name == "outsider", (name, path)
        for path in (*PARTICIPANT_POSTS, *CONSOLE_POSTS):
            answer = await post(
                mine + path.replace("PARTICIPANT", sessions.ada_id), who, step="launch", choice="0", text="x"
            )
            assert answer.status in {401, 403, 404}, (name, path)
    for path in CONSOLE_GETS:
        assert (await get(mine + path.replace("PARTICIPANT", sessions.ada_id), sessions.ada)).status == 403, path
    for path in CONSOLE_POSTS:
        assert (
            await post(mine + path.replace("PARTICIPANT", sessions.ada_id), sessions.ada, step="launch")
        ).status == 403, path
    # The console of one session does not open participants of another.
    for what in ("rename", "remove", "admit", "lower", "say", "link"):
        path = f"{theirs}console/seats/{sessions.ada_id}/{what}/"
        assert (await post(path, sessions.rival, name="Eve", text="x")).status == 404, what
    assert await everything(sessions.row) == before


async def test_a_participant_reaches_only_the_own_session(sessions: TwoSessions) -> None:
    mine = f"/sessions/{sessions.row.id}/"
    for path in PARTICIPANT_GETS:
        answer = await get(mine + path, sessions.ada)
        assert answer.status == 200, path
        assert is_strict(answer)
        assert forbidden_in(answer.text) == []
    for path in ELSEWHERE:
        for answer in (await get(path, sessions.ada), await post(path, sessions.ada)):
            assert answer.status == 403, path
    shown = (await get("/doctor/", sessions.ada)).text
    assert f'href="{mine}"' in shown, "a link to the session"
    assert (await get("/static/dashboard/css/training.css", sessions.ada)).status == 200
    assert (await get(mine, sessions.owner))["location"] == f"{mine}console/"


async def test_websockets_are_for_the_participants_and_the_instructor(sessions: TwoSessions) -> None:
    @database_sync_to_async
    def shown() -> str:
        experiment = experiment_store.create_experiment(make_spec("host", "none"))
        training_sessions.mirror(sessions.row.id, sessions.row.owner_id, 1.0, experiment)
        return experiment

    await shown()
    own = f"/ws/sessions/{sessions.row.id}/"
    table = (
        (own, sessions.ada, True),
        (own, sessions.owner, True),
        (own, sessions.outsider, False),
        (own, NOBODY, False),
        (f"{own}mirror/", sessions.ada, True),
        (f"{own}mirror/", sessions.outsider, False),
        (f"/ws/sessions/{sessions.other.id}/", sessions.ada, False),
        (f"{own}console/", sessions.ada, False),
    )
    for path, who, opens in table:
        async with websocket(path, who=who, headers=OWN) as socket:
            assert socket.is_open is opens, path
            if opens:
                assert (await socket.next())["type"] == "websocket.send", path
        async with websocket(path, who=who, headers=(("origin", "http://evil.example"),)) as socket:
            assert not socket.is_open, path
    for path in (own, f"{own}mirror/"):  # signed in, but the session of another instructor
        async with websocket(path, who=sessions.rival, headers=OWN) as socket:
            assert await socket.closed() == 4404
    async with websocket(own, who=sessions.ada, headers=OWN) as socket:
        socket.incoming.put_nowait({"type": "websocket.receive", "text": "{}"})
        assert await socket.closed() == 4405


async def test_the_mirror_shows_one_experiment_read_only(sessions: TwoSessions) -> None:
    page = f"/sessions/{sessions.row.id}/mirror/"
    assert (await get(page, sessions.ada)).status == 404, "no comparison is shown"
    experiment = await database_sync_to_async(experiment_store.create_experiment)(make_spec("host", "none"))
    steer = f"/sessions/{sessions.row.id}/console/steer"
    assert (await post(f"{steer}/mirror/", sessions.owner, experiment="nothing")).status == 400
    assert (await post(f"{steer}/mirror/", sessions.owner, experiment=experiment)).status == 302
    shown = (await get(page, sessions.ada)).text
    assert 'action="/experiments/' not in shown
    assert "Launch again" not in shown
    assert f'data-ws="/ws/sessions/{sessions.row.id}/mirror/"' in shown
    async with websocket(f"/ws/sessions/{sessions.row.id}/mirror/", who=sessions.ada, headers=OWN) as socket:
        assert (await socket.message())["type"] == "snapshot"
        await post(f"{steer}/mirror/", sessions.owner, experiment="")
        assert await socket.closed() == 4404


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
    monkeypatch.setattr(join_views, "rate_limit", JoinRateLimit(joins=Rate(2, 0.001)))
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
    monkeypatch.setattr(join_views, "rate_limit", JoinRateLimit(joins=Rate(2, 0.001)))
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
    there = Person({**laptop.cookies, "sessionid": _cookie(moved, "sessionid")})
    assert (await get(moved["location"], there)).status == 200
    assert (await get(moved["location"], sessions.ada)).status == 401
    assert (await post(found[0], await stranger())).status == 404
    left = await post(f"/sessions/{sessions.row.id}/leave/", there)
    assert left["location"] == "/join/"
    assert (await get(moved["location"], there)).status == 401


async def test_a_prediction_counts_once_and_is_revealed_to_all(sessions: TwoSessions) -> None:
    home = f"/sessions/{sessions.row.id}/"
    launch = f"{home}steps/launch/"
    assert (await post(f"{launch}predict/", sessions.ada, choice="0")).status == 409, "not open yet"
    assert (await post(f"{home}console/steer/step/", sessions.owner, by="next")).status == 302
    assert (await post(f"{launch}predict/", sessions.ada, choice="7")).status == 400
    assert (await post(f"{launch}predict/", sessions.ada, choice="1"))["location"] == f"{launch}#predict-title"
    await post(f"{launch}predict/", sessions.ada, choice="0")
    assert [one.choice for one in await database_sync_to_async(list)(Answer.objects.all())] == [1]
    await post(f"{home}console/steer/lock/", sessions.owner, locked="yes")
    locked = await post(f"{launch}predict/", sessions.bob, choice="1")
    assert (locked.status, "locked the step" in locked.text) == (409, True)
    await post(f"{home}console/steer/lock/", sessions.owner, locked="no")
    assert "Predictions of all participants" in (await get(launch, sessions.bob)).text
    assert "data-session-predictions hidden" in (await get(launch, sessions.bob)).text
    assert (await post(f"{launch}run/", sessions.bob, number="0")).status == 409, "the session has no hosts"
    assert (await post(f"{home}console/steer/reveal/", sessions.owner, step="launch")).status == 302
    shown = (await get(launch, sessions.bob)).text
    assert "data-session-predictions>" in shown
    assert (await post(f"{launch}predict/", sessions.bob, choice="1")).status == 409, "the answer is revealed"
    assert await database_sync_to_async(Answer.objects.count)() == 1


async def test_without_hosts_a_gated_session_accepts_predictions_after_revealed_steps(sessions: TwoSessions) -> None:
    home = f"/sessions/{sessions.row.id}/"
    steer, request = f"{home}console/steer", f"{home}steps/request/"
    assert (await post(f"{steer}/pace/", sessions.owner, pace="gated", step="stop")).status == 302
    assert (await post(f"{request}predict/", sessions.ada, choice="0")).status == 409, "earlier steps are not done"
    for step in ("prepare", "launch"):
        assert (await post(f"{steer}/reveal/", sessions.owner, step=step)).status == 302
    assert (await get(request, sessions.ada)).status == 200, "the page shows the step"
    assert (await post(f"{request}opened/", sessions.ada)).status == 204
    assert (await post(f"{request}predict/", sessions.ada, choice="0")).status == 302
    assert [answer.step async for answer in Answer.objects.all()] == ["request"]


async def test_without_hosts_nothing_that_a_participant_sends_reaches_an_engine(
    sessions: TwoSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers of participants run on private hosts only, never on the machine's engine."""
    asked: list[str] = []

    async def ask_of(_self: Service, host: str, function: Callable[..., object], *_args: object) -> None:
        asked.append(f"{function} of {host or 'the machine'}")

    monkeypatch.setattr(Service, "ask_of", ask_of)
    await database_sync_to_async(experiment_store.create_experiment)(make_spec("host"), None)
    made = await database_sync_to_async(Experiment.objects.get)()
    home = f"/sessions/{sessions.row.id}/"
    assert (await post(f"{home}console/steer/reveal/", sessions.owner, step="prepare")).status == 302
    asked.clear()
    routes = [str(pattern.pattern) for pattern in urls.lab_patterns]
    commands = [route for route in routes if not route.endswith(("track/", "distribution"))]
    assert len(commands) > 10
    for command in commands:
        path = f"{home}lab/{command.replace('<str:run_id>', made.pk)}"
        answer = await post(path, sessions.ada, modes="host", image="nginx", claims="host-shares-netns")
        assert answer.status in {403, 404, 405, 409}, (path, answer.status)
    for command in ("run", "check", "hint", "measure"):
        answer = await post(f"{home}steps/prepare/{command}/", sessions.ada, number="0")
        assert answer.status in {302, 404, 409}, (command, answer.status)
    assert (await post(f"{home}host/", sessions.ada)).status == 404
    assert asked == []
    assert await database_sync_to_async(Experiment.objects.count)() == 1


async def test_actions_of_the_instructor_reach_the_participants_concerned(sessions: TwoSessions) -> None:
    home = f"/sessions/{sessions.row.id}/"
    person_page = f"{home}console/seats/{sessions.ada_id}/"
    ws = f"/ws{home}"
    async with websocket(ws, who=sessions.ada, headers=OWN) as ada, websocket(ws, who=sessions.bob, headers=OWN) as bob:
        for one in (ada, bob):
            kinds = [(await one.message())["type"], (await one.message())["type"]]
            assert sorted(kinds) == ["participant", "session"]
        await post(f"{home}console/steer/step/", sessions.owner, by="next")

        async def until(socket: object, kind: str, is_it: object) -> dict[str, object]:
            while True:
                message: dict[str, object] = await socket.message()  # type: ignore[attr-defined]
                if message["type"] == kind and is_it(message):  # type: ignore[operator]
                    return message

        for one in (ada, bob):
            await until(one, "session", lambda message: message["step"] == "launch")
        await post(f"{person_page}say/", sessions.owner, text="for Ada alone")
        told = await until(ada, "participant", lambda message: message["messages"])
        assert "for Ada alone" in str(told)
        await post(f"{home}console/steer/say/", sessions.owner, text="for all")
        heard = await until(bob, "session", lambda message: message["hint"])
        assert "for Ada alone" not in str(heard)
        await post(f"{person_page}rename/", sessions.owner, name="Ada L.")
        await until(ada, "participant", lambda message: message["name"] == "Ada L.")
        await post(f"{person_page}remove/", sessions.owner)
        assert await ada.closed() == 4404
    assert (await get(home, sessions.ada)).status == 401


async def test_a_newcomer_waits_and_is_admitted(sessions: TwoSessions) -> None:
    home = f"/sessions/{sessions.row.id}/"
    await post(f"{home}console/steer/doors/", sessions.owner, shut="yes")
    _, late = await join(sessions.row.code, "Late")
    assert "Please wait, Late" in (await get(home, late)).text
    assert (await get(f"{home}steps/prepare/", late))["location"] == home
    assert (await get(f"{home}mirror/", late)).status in {302, 404}
    async with websocket(f"/ws{home}", who=late, headers=OWN) as socket:
        first = await socket.message()
        assert (first["type"], first["admitted"]) == ("participant", False)
        await post(f"{home}console/steer/step/", sessions.owner, by="next")
        await post(f"{home}console/steer/doors/", sessions.owner, shut="no")
        second = await socket.message()
        assert (second["type"], second["admitted"]) == ("participant", True), "nothing was sent before"
    assert (await get(f"{home}steps/prepare/", late)).status == 200


async def test_the_console_shows_requests_for_help_and_presence(sessions: TwoSessions) -> None:
    home = f"/sessions/{sessions.row.id}/"
    await post(f"{home}hand/", sessions.ada, up="yes", text="Why?", step="prepare")
    async with websocket(f"/ws{home}", who=sessions.bob, headers=OWN) as socket:
        await socket.message()

        async def console() -> str:
            return (await get(f"{home}console/", sessions.owner)).text

        shown = await console()
        assert 'data-need="hand"' in shown
        assert "Why?" in shown
        await eventually(lambda: _says(console, "1 of 2 present"))
    assert (await post(f"{home}hand/", sessions.ada, up="yes", text="x" * 501)).status == 400
    await post(f"{home}hand/", sessions.ada, up="no")
    assert 'data-need="hand"' not in await console()
    assert "Why?" not in (await get(f"{home}console/projector/", sessions.owner)).text


async def _says(page: object, text: str) -> bool:
    return text in await page()  # type: ignore[operator]


async def test_invalid_commands_are_refused_with_a_sentence(sessions: TwoSessions) -> None:
    steer = f"/sessions/{sessions.row.id}/console/steer"
    table: tuple[tuple[str, dict[str, str], int], ...] = (
        ("step", {"step": "gone"}, 400),
        ("pace", {"pace": "fast", "step": "launch"}, 400),
        ("timer", {"minutes": "x"}, 400),
        ("timer", {"minutes": "9999"}, 400),
        ("timer", {"minutes": "nan"}, 400),
        ("say", {"text": " "}, 400),
        ("extend", {"hours": "1000"}, 400),
        ("nonsense", {}, 404),
        ("timer", {"minutes": "1,5"}, 302),
        ("pace", {"pace": "gated", "step": "stop"}, 302),
        ("notes", {"notes": "mine"}, 302),
    )
    for what, fields, status in table:
        assert (await post(f"{steer}/{what}/", sessions.owner, **fields)).status == status, (what, fields)
    assert (await post(f"/sessions/{sessions.row.id}/console/delete/", sessions.owner)).status == 409
    await post(f"{steer}/close/", sessions.owner)
    assert (await post(f"{steer}/step/", sessions.owner, by="next")).status == 409
    assert (await post(f"/sessions/{sessions.row.id}/console/delete/", sessions.owner))["location"] == "/sessions/"


@pytest.mark.parametrize(("isolated", "sentence"), [(True, "is an ordinary user of"), (False, "is root on")])
async def test_the_form_states_what_root_on_a_private_host_is(
    sessions: TwoSessions, monkeypatch: pytest.MonkeyPatch, isolated: bool, sentence: str
) -> None:
    async def capacity(*_arguments: object) -> Capacity:
        return Capacity(0, 5, "memory", isolated=isolated)

    monkeypatch.setattr(views, "capacity", capacity)
    page = (await get("/sessions/new/", sessions.owner)).text
    assert re.findall(r"Root on a private host (is .*?) this machine", page) == [sentence]


async def test_the_form_creates_a_session(sessions: TwoSessions) -> None:
    shown = await get("/sessions/new/", sessions.owner)
    assert "No Docker Engine answers" in shown.text, "the capacity is shown"
    bad = await post("/sessions/new/", sessions.owner, title="", workshop="host-network")
    assert (bad.status, "Enter a title" in bad.text) == (400, True)
    hosts = await post("/sessions/new/", sessions.owner, title="T", workshop="host-network", hosts="person")
    assert hosts.status == 400
    made = await post("/sessions/new/", sessions.owner, title="Tuesday", workshop="bridge-and-dns", hours="8")
    page = await get(made["location"], sessions.owner)
    assert "Tuesday" in page.text
    assert "Tuesday" in (await get("/sessions/", sessions.owner)).text
    assert "Tuesday" not in (await get("/sessions/", sessions.rival)).text
    assert not await database_sync_to_async(Experiment.objects.exists)()


async def test_the_instructor_is_warned_where_only_this_machine_can_open_the_join_address(
    sessions: TwoSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_addresses, "reachable_addresses", lambda _state: ("192.0.2.2",))
    for path in ("/sessions/new/", f"/sessions/{sessions.row.id}/console/"):
        page = (await get(path, sessions.owner)).text
        assert "participants on other devices cannot join" in page
        assert "NETMODES_ALLOWED_HOSTS=&#x27;192.0.2.2&#x27; ./netmodes up --host 0.0.0.0 --port" in page
        assert "http://192.0.2.2:" in page
        assert '<a href="/docs/deploying/">' in page
    shown = (await get(f"/sessions/{sessions.row.id}/console/projector/", sessions.owner)).text
    assert "Only this machine can open this address." in shown


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


async def test_a_closed_session_has_no_timer_and_its_forms_are_off(sessions: TwoSessions) -> None:
    home = f"/sessions/{sessions.row.id}/"
    steer, person_page = f"{home}console/steer", f"{home}console/seats/{sessions.ada_id}/"
    await post(f"{steer}/step/", sessions.owner, by="next")
    await post(f"{steer}/timer/", sessions.owner, minutes="5")
    launch = f"{home}steps/launch/"
    assert "data-session-forms>" in (await get(launch, sessions.ada)).text
    assert (await post(f"{steer}/close/", sessions.owner)).status == 302
    shown = (await get(launch, sessions.ada)).text
    assert "data-session-forms disabled>" in shown
    assert "You can no longer predict or run commands" in shown
    assert 'data-ends="0.000"' in shown
    console = (await get(f"{home}console/", sessions.owner)).text
    assert "This session is over and cannot be changed." in console
    assert not re.findall(r"/steer/(?!notes)\w+/", console)
    assert "data-ends" not in console
    assert f'action="{person_page}say/"' not in (await get(person_page, sessions.owner)).text
    for path in (f"{steer}/say/", f"{person_page}say/", f"{steer}/mirror/"):
        assert (await post(path, sessions.owner, text="too late", experiment="")).status == 409, path
    assert "too late" not in (await get(home, sessions.ada)).text


async def test_the_projector_says_when_everyone_has_answered_and_then_why(sessions: TwoSessions) -> None:
    home = f"/sessions/{sessions.row.id}/"
    steer, wall, launch = f"{home}console/steer", f"{home}console/projector/", f"{home}steps/launch/"
    await post(f"{steer}/step/", sessions.owner, by="next")

    async def projected() -> str:
        return (await get(wall, sessions.owner)).text

    await post(f"{launch}predict/", sessions.ada, choice="1")
    assert "Everyone has answered." not in await projected()
    await post(f"{launch}predict/", sessions.bob, choice="0")
    waiting = await projected()
    assert "Everyone has answered." in waiting
    assert "A network namespace has a number" not in waiting, "the explanation waits for the reveal"
    await post(f"{steer}/reveal/", sessions.owner, step="launch")
    revealed = await projected()
    assert "A network namespace has a number" in revealed
    assert "Ada" not in revealed
    assert sessions.row.code[:4] in revealed, "latecomers can still join"
    await post(f"{steer}/close/", sessions.owner)
    assert sessions.row.code[:4] not in await projected()


async def test_the_comparison_for_all_is_on_the_projector(sessions: TwoSessions) -> None:
    steer = f"/sessions/{sessions.row.id}/console/steer"
    wall = f"/sessions/{sessions.row.id}/console/projector/"
    assert 'data-slot="comparison"' not in (await get(wall, sessions.owner)).text
    experiment = await database_sync_to_async(experiment_store.create_experiment)(make_spec("host", "none"))
    await post(f"{steer}/mirror/", sessions.owner, experiment=experiment)
    assert 'data-slot="comparison"' in (await get(wall, sessions.owner)).text
    await post(f"{steer}/pointer/", sessions.owner, row="no/such/row")
    assert 'data-slot="comparison"' in (await get(wall, sessions.owner)).text
