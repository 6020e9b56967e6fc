"""What the instructor sees and does: the form, the console, the projector."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from channels.db import database_sync_to_async

from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.training.capacity import Capacity
from dashboard.lab.remote import workshop_calls
from dashboard.lab.workshops.files import Library
from dashboard.models import Experiment, TrainingSession
from dashboard.store import experiments as experiment_store
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.training import session_state
from dashboard.web.http.addresses import own_addresses
from dashboard.web.service import Service
from dashboard.web.training import step_context, views
from dashboard.web.training.console.pages import SHOWN_EXPERIMENTS
from tests.lab.training_builders import workshop
from tests.support.polling import eventually
from tests.support.specs import make_spec
from tests.web.asgi_client import http, person, websocket
from tests.web.training.session_clients import FORM, OWN, TwoSessions, get, new, post

pytestmark = pytest.mark.django_db(transaction=True)


async def _says(page: object, text: str) -> bool:
    return text in await page()  # type: ignore[operator]


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
    closed = (await get(f"/sessions/{sessions.row.id}/console/", sessions.owner)).text
    assert closed.index("<summary>Delete the session</summary>") < closed.index('console/delete/"')
    assert (await post(f"{steer}/step/", sessions.owner, by="next")).status == 409
    assert (await post(f"/sessions/{sessions.row.id}/console/delete/", sessions.owner))["location"] == "/sessions/"


async def test_a_session_can_be_closed_and_deleted_although_its_workshop_has_errors(
    sessions: TwoSessions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(step_context, "library", lambda: Library(tmp_path, tmp_path))
    console = f"/sessions/{sessions.row.id}/console"
    table: tuple[tuple[str, dict[str, str], int], ...] = (
        ("step", {"by": "next"}, 404),
        ("notes", {"notes": "mine"}, 302),
        ("extend", {"hours": "1"}, 302),
        ("close", {}, 302),
    )
    for what, fields, status in table:
        assert (await post(f"{console}/steer/{what}/", sessions.owner, **fields)).status == status, what
    assert (await post(f"{console}/delete/", sessions.owner))["location"] == "/sessions/"


async def test_the_console_s_script_gets_no_page_and_the_reason_of_a_refusal(sessions: TwoSessions) -> None:
    home = f"/sessions/{sessions.row.id}/console"

    async def send(what: str) -> tuple[int, str]:
        path, headers = f"{home}/seats/{sessions.ada_id}/{what}/", (FORM, ("x-netmodes-part", "1"))
        answer = await http("POST", path, who=sessions.owner, headers=headers, body=b"from=console", token=True)
        return answer.status, answer.text

    for what in ("lower", "admit"):
        assert await send(what) == (204, "")
    await post(f"{home}/steer/close/", sessions.owner)
    assert await send("admit") == (409, "This session is over and cannot be changed.\n")
    assert await send("remove") == (204, "")


async def test_the_next_step_is_relative_to_the_step_that_the_console_showed(sessions: TwoSessions) -> None:
    """A second press of the button, before the console has changed, does not skip a step."""
    home = f"/sessions/{sessions.row.id}"
    first, second, third = (step.slug for step in workshop().steps[:3])

    async def current() -> str:
        row = await TrainingSession.objects.aget(pk=sessions.row.id)
        return row.step

    assert f'name="from" value="{first}"' in (await get(f"{home}/console/", sessions.owner)).text
    for by, start, expected in (("next", first, second), ("next", first, second), ("next", second, third)):
        fields = {"by": by, "from": start}
        assert (await post(f"{home}/console/steer/step/", sessions.owner, **fields)).status == 302
        assert await current() == expected, fields
    for by in ("back", "back"):
        await post(f"{home}/console/steer/step/", sessions.owner, **{"by": by, "from": third})
        assert await current() == second
    assert (await post(f"{home}/console/steer/step/", sessions.owner, **{"by": "next", "from": "gone"})).status == 400
    assert await current() == second


async def test_a_message_that_is_not_stored_is_refused_with_the_reason(
    sessions: TwoSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_state, "MAX_MESSAGES", 0)
    home = f"/sessions/{sessions.row.id}/"
    for path, who in (
        (f"{home}console/steer/say/", sessions.owner),
        (f"{home}console/seats/{sessions.ada_id}/say/", sessions.owner),
        (f"{home}hand/", sessions.ada),
    ):
        answer = await post(path, who, text="Why?", up="yes")
        assert (answer.status, "at most 0 messages are stored" in answer.text) == (400, True), path
    assert 'data-need="hand"' in (await get(f"{home}console/", sessions.owner)).text


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


@pytest.mark.parametrize(
    ("hosts", "before", "after"),
    [
        ("none", "The code expires at 07:06 UTC.", "The code has expired."),
        (
            "person",
            "The code expires and all private hosts are removed at 07:06 UTC, unless you extend the time.",
            "The code has expired, and the private hosts were removed.",
        ),
    ],
)
async def test_the_console_states_when_the_code_expires_and_private_hosts_are_removed(
    hosts: str, before: str, after: str
) -> None:
    row, instructor = await new(hosts=hosts), await person()

    async def shown() -> str:
        page = (await get(f"/sessions/{row.id}/console/", instructor)).text
        return " ".join(page.partition('data-slot="code"')[2].partition("</p>")[2].partition("</p>")[0].split())

    assert (await shown()).endswith(before)
    await post(f"/sessions/{row.id}/console/steer/doors/", instructor, shut="yes")
    assert (await shown()).endswith(f"Newcomers wait until you admit them. {before}")
    await TrainingSession.objects.filter(pk=row.id).aupdate(expires_at=1.0)
    assert (await shown()).endswith(f'"soft"> {after}')


async def test_the_form_states_that_private_hosts_are_removed_when_the_code_expires(sessions: TwoSessions) -> None:
    page = (await get("/sessions/new/", sessions.owner)).text
    assert 'aria-describedby="hours-help"' in page
    assert "Then all private hosts are removed too, unless you extend the time in the console." in page


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


async def test_the_projector_shows_that_everyone_has_answered_and_then_the_explanation(sessions: TwoSessions) -> None:
    home = f"/sessions/{sessions.row.id}/"
    steer, projector, launch = f"{home}console/steer", f"{home}console/projector/", f"{home}steps/launch/"
    await post(f"{steer}/step/", sessions.owner, by="next")

    async def projected() -> str:
        return (await get(projector, sessions.owner)).text

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


async def test_a_reveal_reads_the_server_s_engine_only_without_private_hosts(
    sessions: TwoSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    async def ask(_self: Service, function: object, *_args: object) -> str:
        asked.append(function)
        return "gone"

    monkeypatch.setattr(Service, "ask", ask)
    with_hosts = await new(hosts="person")
    for row in (sessions.row, with_hosts):
        assert (await post(f"/sessions/{row.id}/console/steer/reveal/", sessions.owner, step="stop")).status == 302
    assert asked == [workshop_calls.truth]
    shown = [await database_sync_to_async(session_state.truths)(row, ["stop"]) for row in (sessions.row, with_hosts)]
    assert shown == [{"stop": "gone"}, {}]


async def test_the_console_counts_predictions_of_current_participants(sessions: TwoSessions) -> None:
    home = f"/sessions/{sessions.row.id}/"
    await post(f"{home}console/steer/step/", sessions.owner, by="next")
    await post(f"{home}steps/launch/predict/", sessions.ada, choice="1")
    await post(f"{home}console/seats/{sessions.ada_id}/remove/", sessions.owner)
    console = (await get(f"{home}console/", sessions.owner)).text
    assert "0 of 1 have answered" in console
    title = console.partition('<h2 id="answers-title">')[2].partition("</h2>")[0]
    assert re.findall(r"\d of \d", title) == ["0 of 1"]


async def test_the_comparison_for_all_is_on_the_projector(sessions: TwoSessions) -> None:
    steer = f"/sessions/{sessions.row.id}/console/steer"
    projector = f"/sessions/{sessions.row.id}/console/projector/"
    assert 'data-slot="comparison"' not in (await get(projector, sessions.owner)).text
    experiment = await database_sync_to_async(experiment_store.create_experiment)(make_spec("host", "none"))
    await post(f"{steer}/mirror/", sessions.owner, experiment=experiment)
    assert 'data-slot="comparison"' in (await get(projector, sessions.owner)).text
    await post(f"{steer}/pointer/", sessions.owner, row="no/such/row")
    assert 'data-slot="comparison"' in (await get(projector, sessions.owner)).text


async def test_the_console_offers_exactly_the_experiments_that_it_can_show(sessions: TwoSessions) -> None:
    home = f"/sessions/{sessions.row.id}/console"
    me, colleague, spec = sessions.row.owner_id, sessions.other.owner_id, make_spec("host", "none")

    def create() -> list[str]:
        offered = [experiment_store.create_experiment(spec, owner) for owner in (me, None)]
        twin = experiment_store.create_experiment(spec, me)
        measurement_store.create_run(twin, "Twin", [Probe.TCP_RR], Options(), 1, twin=True)
        for _ in range(SHOWN_EXPERIMENTS):
            experiment_store.create_experiment(spec, colleague)
        return offered

    mine, of_a_command = await database_sync_to_async(create)()
    page = (await get(f"{home}/", sessions.owner)).text
    choice = page.partition('<select name="experiment"')[2].partition("</select>")[0]
    assert re.findall(r'<option value="(\w+)"', choice) == [of_a_command, mine]
    for experiment in (mine, of_a_command):
        assert (await post(f"{home}/steer/mirror/", sessions.owner, experiment=experiment)).status == 302
