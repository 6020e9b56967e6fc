"""Sessions on the web: permissions, the mirror, predictions."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from channels.db import database_sync_to_async
from django.template.loader import render_to_string

from dashboard import urls
from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.workshops.progress import StepRecord
from dashboard.models import Answer, Experiment, Participant, SessionEvent, TrainingSession
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store import workshops as workshop_store
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.training import participants, session_state
from dashboard.store.training import sessions as training_sessions
from dashboard.store.training.participants import ParticipantRef
from dashboard.web.http import session_connections
from dashboard.web.http.browser_sessions import SessionStore
from dashboard.web.service import Service
from dashboard.web.training.hub import hub
from dashboard.web.training.step_context import place_of, workshop_in
from tests.lab.training_builders import workshop
from tests.support.polling import eventually
from tests.support.specs import make_spec
from tests.web.asgi_client import NOBODY, http, is_strict, person, websocket
from tests.web.markup import forbidden_in
from tests.web.training.session_clients import FORM, OWN, TwoSessions, get, join, new, participant_id, post, stranger

pytestmark = pytest.mark.django_db(transaction=True)

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


async def test_an_instructor_who_has_joined_in_the_same_browser_is_a_participant_on_participants_pages(
    sessions: TwoSessions,
) -> None:
    home = f"/sessions/{sessions.row.id}/"
    both = (await join(sessions.row.code, "Teacher", sessions.owner))[1]
    page = (await get(f"{home}steps/prepare/", both)).text
    own = re.findall(r'data-session="([^"]+)"', page)[0]
    assert own == f"/ws{home}?own"

    async def present() -> bool:
        return "1 of 3 present" in (await get(f"{home}console/", both)).text

    async with websocket(f"/ws{home}", who=both, headers=OWN) as console:
        assert (await console.message())["type"] == "session"
        async with websocket(own, who=both, headers=OWN) as socket:
            assert sorted([(await socket.message())["type"], (await socket.message())["type"]]) == [
                "participant",
                "session",
            ]
            await eventually(present)
            teacher = await database_sync_to_async(participant_id)("Teacher")
            await post(f"{home}console/seats/{teacher}/remove/", both)
            assert await socket.closed() == 4404
        async with websocket(own, who=sessions.owner, headers=OWN) as socket:
            assert await socket.closed() == 4404, "not a participant"


async def test_an_instructor_who_leaves_as_a_participant_stays_connected_as_the_instructor(
    sessions: TwoSessions,
) -> None:
    home = f"/sessions/{sessions.row.id}/"
    both = (await join(sessions.row.code, "Teacher", sessions.owner))[1]
    experiment = await database_sync_to_async(experiment_store.create_experiment)(make_spec("host", "none"))
    async with (
        websocket(f"/ws/experiments/{experiment}/", who=both, headers=OWN) as live,
        websocket(f"/ws{home}", who=both, headers=OWN) as console,
        websocket(f"/ws{home}?own", who=both, headers=OWN) as own,
    ):
        assert (await post(f"{home}leave/", both))["location"] == "/join/"
        assert await own.closed() == 4404
        for socket in (live, console):
            socket.incoming.put_nowait({"type": "websocket.receive", "text": "{}"})
            assert await socket.closed() == 4405, "it was open"


async def test_the_pages_of_a_participant_who_leaves_are_closed_when_the_browser_has_no_token(
    sessions: TwoSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They reload at once, and would otherwise be let in again."""
    calls: list[str] = []
    save = SessionStore.save

    def note_save(store: SessionStore, must_create: bool = False) -> None:
        save(store, must_create)
        calls.append("saved")

    monkeypatch.setattr(SessionStore, "save", note_save)
    monkeypatch.setattr(hub, "disconnect_participant", lambda *closed: calls.append(f"closed {closed}"))
    await post(f"/sessions/{sessions.row.id}/leave/", sessions.ada)
    assert calls[:2] == ["saved", f"closed {(sessions.row.id, sessions.ada_id)}"]


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


async def test_a_refused_connection_to_the_mirror_is_not_kept(sessions: TwoSessions) -> None:
    for _ in range(2):
        async with websocket(f"/ws/sessions/{sessions.row.id}/mirror/", who=sessions.ada, headers=OWN) as socket:
            assert await socket.closed() == 4404, "no comparison is shown"
    assert sessions.ada.cookies["sessionid"] not in session_connections._connections


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


async def test_with_hosts_a_participant_can_predict_after_the_reveal_to_run_the_step() -> None:
    row, instructor = await new(hosts="person"), await person()
    ada, cleo = (await join(row.code, "Ada"))[1], (await join(row.code, "Cleo"))[1]
    steer, launch = f"/sessions/{row.id}/console/steer", f"/sessions/{row.id}/steps/launch/"
    await post(f"{steer}/step/", instructor, by="next")
    await post(f"{launch}predict/", ada, choice="1")
    assert (await post(f"{steer}/reveal/", instructor, step="launch")).status == 302
    assert "Submit a prediction to see the commands." in (await get(launch, cleo)).text
    assert (await post(f"{launch}predict/", cleo, choice="0"))["location"] == f"{launch}#predict-title"
    assert 'data-stage="run"' in (await get(launch, cleo)).text
    counted = await database_sync_to_async(session_state.histogram_of)(row, workshop(), "launch")
    assert counted is not None
    assert (counted.revealed, counted.answered) == (True, 1)


async def test_the_page_about_a_participant_judges_only_a_prediction_before_the_reveal() -> None:
    row = await new(hosts="person")

    def complete(name: str, predicted_at: float) -> str:
        one = participants.join(row.id, name, 1.0)[0]
        session_state.answer(row, one.id, "launch", 0, "x", predicted_at)
        done = StepRecord(prediction=0, predicted_at=predicted_at, truth="machine", passed_at=30.0)
        workshop_store.update_step(one.person, row.workshop, "launch", lambda _record: done)
        return f"/sessions/{row.id}/console/seats/{one.id}/"

    early = await database_sync_to_async(complete)("Ada", 10.0)
    late = await database_sync_to_async(complete)("Cleo", 25.0)
    await database_sync_to_async(training_sessions.reveal)(row.id, row.owner_id, 20.0, "launch")
    instructor = await person()
    for page, judged in ((early, True), (late, False)):
        shown = await get(page, instructor)
        assert ("correct</span>" in shown.text) is judged, page


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


async def test_a_script_gets_the_reason_why_a_step_is_locked_as_text(sessions: TwoSessions) -> None:
    home = f"/sessions/{sessions.row.id}/"
    for command in ("predict", "check", "run"):
        headers = (FORM, ("x-netmodes-part", "1"))
        answer = await http("POST", f"{home}steps/launch/{command}/", who=sessions.ada, headers=headers, token=True)
        assert (answer.status, answer["content-type"]) == (409, "text/plain; charset=utf-8")
        assert answer.text.startswith("Your instructor has not opened this step yet. ")


async def test_without_hosts_nothing_that_a_participant_sends_reaches_an_engine(
    sessions: TwoSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers of participants run on private hosts only, never on the machine's engine."""
    asked: list[str] = []

    async def ask_on(
        _self: Service, _machine: str | None, host: str, function: Callable[..., object], *_args: object
    ) -> None:
        asked.append(f"{function} of {host or 'the machine'}")

    monkeypatch.setattr(Service, "ask_on", ask_on)
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


async def test_the_parts_of_a_step_describe_the_host_of_their_session(sessions: TwoSessions) -> None:
    @database_sync_to_async
    def draw() -> str:
        ada = ParticipantRef(sessions.ada_id, sessions.row.id, "Ada", 1, True)
        place = place_of(sessions.row, ada, workshop_in(sessions.row))
        return render_to_string("workshops/_run.html", {"stage": "run", "commands": (), **place.extra})

    assert "on the engine's machine" not in await draw(), "participants have their own host"


async def test_after_the_session_its_comparison_shows_the_state_at_the_end_and_is_not_live(
    sessions: TwoSessions,
) -> None:
    home = f"/sessions/{sessions.row.id}/"
    steer, live = f"{home}console/steer", f"/ws{home}mirror/"
    experiment = await database_sync_to_async(experiment_store.create_experiment)(make_spec("host", "none"))

    @database_sync_to_async
    def record(seq: int, at: float, text: str) -> None:
        journal_store.append(experiment, [Entry(seq, at, Cause(Source.LAB, "say"), Facts(), text, ())])

    await record(1, 1000.0, "seen in the session")
    await post(f"{steer}/mirror/", sessions.owner, experiment=experiment)
    async with websocket(live, who=sessions.ada, headers=OWN) as socket:
        assert (await socket.message())["type"] == "snapshot"
        await post(f"{steer}/close/", sessions.owner)
        assert await socket.closed() == 4404
    await record(2, shared_clock() + 60, "done the next day")
    for page, who in ((f"{home}mirror/", sessions.ada), (f"{home}console/mirror/", sessions.owner)):
        shown = (await get(page, who)).text
        assert "seen in the session" in shown
        assert "done the next day" not in shown
        assert 'data-ws=""' in shown
        assert "not live: a past state" in shown
    for who in (sessions.ada, sessions.owner):
        async with websocket(live, who=who, headers=OWN) as socket:
            assert await socket.closed() == 4404


async def test_a_closed_session_has_no_timer_and_its_forms_are_off(sessions: TwoSessions) -> None:
    home = f"/sessions/{sessions.row.id}/"
    steer, person_page = f"{home}console/steer", f"{home}console/seats/{sessions.ada_id}/"
    await post(f"{steer}/step/", sessions.owner, by="next")
    await post(f"{steer}/timer/", sessions.owner, minutes="5")
    await post(f"{home}hand/", sessions.ada, up="yes")
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
    assert re.findall(r"Who needs help <small>(\d+)", console) == ["0"]
    assert 'data-need="' not in console + (await get(person_page, sessions.owner)).text
    assert f'action="{person_page}say/"' not in (await get(person_page, sessions.owner)).text
    for path in (f"{steer}/say/", f"{person_page}say/", f"{steer}/mirror/"):
        assert (await post(path, sessions.owner, text="too late", experiment="")).status == 409, path
    assert "too late" not in (await get(home, sessions.ada)).text
