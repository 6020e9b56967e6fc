"""Permissions of every URL and websocket for every kind of client. A URL that is not in the table fails the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.urls import get_resolver

from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.operations.roles import Role
from dashboard.core.training.session import HostsFor
from dashboard.models import AuditEntry, Experiment, GroupHost, TrainingSession
from dashboard.routing import websocket_urlpatterns
from dashboard.store import experiments as experiment_store
from dashboard.store.training import group_runs
from dashboard.store.training import hosts as group_host_store
from dashboard.store.training import sessions as training_sessions
from dashboard.web.feed_hub import GONE, TRY_LATER
from dashboard.web.http.guards import MAX_SOCKETS
from dashboard.web.http.session_connections import SIGNED_OUT, reconnect_changed_roles
from tests.support.specs import make_spec
from tests.web.accounts import account
from tests.web.asgi_client import NOBODY, ORIGIN, Person, http, person, websocket
from tests.web.http.test_security_walk import FILLED, _patterns, count_per_route, everything, some
from tests.web.training.access_table import (
    API,
    EVERYBODY,
    EXPERIMENT,
    LAST,
    MAY,
    NOT_FOUND_FOR_ALL,
    PARTICIPANTS,
    SOCKETS,
    TABLE,
)
from tests.web.training.session_clients import FORM, join, new, participant_id, sign_in_as, stranger

pytestmark = pytest.mark.django_db(transaction=True)
OWN = (("origin", ORIGIN),)
REFUSED = {401, 403, 404, 405}


def addresses() -> Iterator[str]:
    """Every URL pattern of the site, without converters."""
    for one in _patterns(get_resolver()):
        yield one.replace("<str:", "<").replace("<int:", "<")


@dataclass(frozen=True)
class Site:
    """Two sessions, the runs of a group of the first, and the clients."""

    row: TrainingSession
    who: dict[str, Person]
    participant: str
    works: dict[str, str]
    own: str

    def fill(self, pattern: str, own: str = "") -> str:
        """The URL of a pattern, filled with the ids of the session and its runs, or of the run ``own``."""
        kind = next((one for one in self.works if f"{one}/" in pattern.replace("runs/", "")), "")
        work = own or self.works.get(kind, "")
        identity = self.row.pk if "/sessions/<identity>" in pattern else work or "0" * 10
        filled = pattern
        for name, value in (
            FILLED | {"identity": identity, "run_id": work, "participant": self.participant, "what": "say"}
        ).items():
            filled = filled.replace(f"<{name}>", value)
        assert "<" not in filled, f"{pattern} needs a value in FILLED"
        return filled


@database_sync_to_async
def ran(row: TrainingSession) -> tuple[dict[str, str], str]:
    """Creates an experiment, a measurement and a claim run of the first group, and an experiment without a group.
    Returns the ids of the first three by the segment of their URL, and that of the last."""
    group = f"{row.pk}-1"
    group_host_store.request(group, row.created_at)
    group_host_store.note(group, state="ready", host="abc")
    experiment = group_runs.launch(make_spec("host", "none"), row.owner_id, group)
    works = {
        "experiments": experiment,
        "measurements": group_runs.measure(experiment, group, (Probe.HTTP,), Options(seconds=1), None),
        "claims": group_runs.run_claims(["host-shares-netns"], group, None),
    }
    shown = experiment_store.create_experiment(make_spec("host", "none"))
    training_sessions.mirror(row.pk, row.owner_id, 1.0, shown)
    GroupHost.objects.filter(pk=group).update(state="stopped", host="")
    return works, shown


@pytest.fixture
async def place(monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    row, other = await new(hosts=HostsFor.TEAM, team_size=2), await new("rival")
    who = {"stranger": await stranger(), "owner": await person(), "rival": await sign_in_as("rival")}
    for name in ("ada", "bea", "bob"):
        who[name] = (await join(row.code, name))[1]
    who["outsider"] = (await join(other.code, "outsider"))[1]
    participant = await database_sync_to_async(participant_id)("ada")
    works, own = await ran(row)
    return Site(row, who, participant, works, own)


async def statuses(path: str, who: Person) -> tuple[int, int]:
    """The status codes of a GET and a POST request."""
    kind = ("content-type", "application/json") if path.startswith(API) else FORM
    read = await http("GET", path, who=who)
    written = await http(
        "POST", path, who=who, headers=(kind, *OWN), body=b"{}" if "json" in kind[1] else b"", token=True
    )
    return read.status, written.status


async def everything_but_the_audit_trail() -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table that no refused command may add to."""
    return {table: rows for table, rows in (await everything()).items() if table != "dashboard.AuditEntry"}


@count_per_route
async def test_every_url_answers_only_those_who_may_use_it(place: Site, count: int) -> None:
    known = {pattern: kind for kind, patterns in TABLE.items() for pattern in patterns}
    assert set(addresses()) == known.keys(), "every URL has a line in the table, and every line a URL"
    before = await everything_but_the_audit_trail()
    for number, (pattern, kind) in enumerate(known.items()):
        path = place.fill(pattern)
        refused = EVERYBODY - MAY[kind]
        if refused >= PARTICIPANTS:
            # URLs that none of them may use are refused for the same reason, so only one of them requests each URL.
            refused -= PARTICIPANTS - {sorted(PARTICIPANTS)[number % 3]}
        # Unless slow tests run, each URL is requested as one of them, which is another at the next URL.
        for name in some(sorted(refused), number, count) if refused else ():
            read, written = await statuses(path, place.who[name])
            assert {read, written} <= REFUSED, (pattern, name, read, written)
            assert {read, written} != {405}, (pattern, name)
    assert await everything_but_the_audit_trail() == before, "refused clients changed nothing"
    for number, pattern in enumerate(sorted(known, key=lambda one: (one in LAST, one))):
        kind, path = known[pattern], place.fill(pattern)
        closed = {401, 403} if kind == "signed-in users" or pattern in NOT_FOUND_FOR_ALL else REFUSED
        for name in some(sorted(MAY[kind]), number, count) if kind != "anybody" else ():
            read, written = await statuses(path, place.who[name])
            assert read not in closed or written not in closed, (pattern, name, read, written)
            assert max(read, written) < 500 or path.startswith(API), (pattern, name, read, written)


async def test_runs_of_the_server_s_own_engine_are_for_all_signed_in_users(place: Site) -> None:
    for pattern in (EXPERIMENT, f"{API}experiments/<identity>", f"{API}experiments/<identity>/journal"):
        path = place.fill(pattern, place.own)
        found = {name: (await http("GET", path, who=who)).status for name, who in place.who.items()}
        assert {name for name, status in found.items() if status == 200} == {"owner", "rival"}, pattern


async def test_a_command_on_a_run_of_another_instructors_group_is_hidden_and_recorded(place: Site) -> None:
    identity = place.works["experiments"]
    await database_sync_to_async(AuditEntry.objects.all().delete)()
    for path, kind in ((f"/experiments/{identity}/stop/", FORM), (f"{API}experiments/{identity}/stop", None)):
        headers = (kind or ("content-type", "application/json"), *OWN)
        assert (await http("POST", path, who=place.who["rival"], headers=headers, token=True)).status == 404
    assert (await http("GET", f"/experiments/{identity}/", who=place.who["rival"])).status == 404
    recorded = AuditEntry.objects.values_list("account", "action", "object", "outcome")
    assert await database_sync_to_async(list)(recorded) == [("rival", "stop experiment", identity, "refused")] * 2


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_demoted_instructors_console_receives_nothing_further(place: Site, *, elsewhere: bool) -> None:
    row, rival = await new("rival"), place.who["rival"]
    path = f"/ws/sessions/{row.pk}/"
    async with websocket(path, who=rival, headers=OWN) as console:
        assert (await console.message())["type"] == "session"
        await reconnect_changed_roles()
        demoted = await database_sync_to_async(User.objects.get)(username="rival")
        if elsewhere:  # another process of the server has changed the role
            await database_sync_to_async(account)("rival", Role.READER)
            await reconnect_changed_roles()
        else:
            body = f"/accounts/{demoted.pk}/role/", b"role=reader"
            done = await http("POST", body[0], who=place.who["owner"], headers=(FORM, *OWN), body=body[1], token=True)
            assert done.status == 302
        assert await console.closed() == TRY_LATER
    async with websocket(path, who=rival, headers=OWN) as console:
        assert await console.closed() == GONE


@pytest.mark.parametrize("what", ["sign-out", "deactivate"])
async def test_an_account_that_is_signed_out_by_an_owner_receives_nothing_further(place: Site, what: str) -> None:
    row = await new("rival")
    async with websocket(f"/ws/sessions/{row.pk}/", who=place.who["rival"], headers=OWN) as console:
        await console.message()
        user = await database_sync_to_async(User.objects.get)(username="rival")
        path = f"/accounts/{user.pk}/{what}/"
        assert (await http("POST", path, who=place.who["owner"], headers=(FORM, *OWN), token=True)).status == 302
        assert await console.closed() == SIGNED_OUT


async def test_lists_contain_runs_of_groups_only_for_the_instructor_s_session(place: Site) -> None:
    owner, rival = place.who["owner"], place.who["rival"]
    ran_there = set(place.works.values())
    pages = ("/", "/measurements/", "/claims/", f"/sessions/{place.row.pk}/console/", "/reports/")
    for path in (*pages, *(f"{API}{one}" for one in ("experiments", "measurements", "claims/runs", "claims"))):
        text = (await http("GET", path, who=owner)).text
        assert not [one for one in ran_there if one in text], path
    for name, work in (("experiments", "experiments"), ("measurements", "measurements"), ("claims/runs", "claims")):
        path = f"{API}{name}?session={place.row.pk}"
        assert [one["id"] for one in (await http("GET", path, who=owner)).json] == [place.works[work]]
        assert (await http("GET", path, who=rival)).status == 404
    body = f'{{"experiment": "{place.works["experiments"]}"}}'.encode()
    kind = (("content-type", "application/json"), *OWN)
    for path, status in ((f"{API}measurements", 404), (f"{API}reports", 400)):
        answer = await http("POST", path, who=rival, headers=kind, body=body, token=True)
        assert answer.status == status, path


async def test_every_websocket_answers_only_those_who_may_use_it(place: Site) -> None:
    known = {str(one.pattern).replace("<str:", "<") for one in websocket_urlpatterns}
    assert known == set(SOCKETS), "every websocket has a line in the table"
    works = {
        "ws/experiments/<identity>/": place.works["experiments"],
        "ws/measurements/<identity>/": place.works["measurements"],
    }
    for pattern, kind in SOCKETS.items():
        if kind == "nobody":
            continue
        path = "/" + pattern.replace("<identity>", works.get(pattern, place.row.pk))
        may = {"the session": PARTICIPANTS | {"owner"}, "the group and its instructor": {"ada", "bea", "owner"}}.get(
            kind, set()
        )
        for name, who in place.who.items():
            async with websocket(path, who=who, headers=OWN) as socket:
                if name in may:
                    assert socket.is_open, (pattern, name)
                    assert (await socket.next())["type"] == "websocket.send", (pattern, name)
                elif socket.is_open:
                    assert await socket.closed() == 4404, (pattern, name)
                else:
                    assert socket.refusal is not None
                    assert socket.refusal.status == 403, (pattern, name)
            async with websocket(path, who=who, headers=(("origin", "http://evil.example"),)) as socket:
                assert not socket.is_open, (pattern, name)
    for name in ("stranger", "nobody"):
        async with websocket(f"/ws/experiments/{place.own}/", who=place.who.get(name, NOBODY), headers=OWN) as socket:
            assert not socket.is_open, name
    async with websocket(f"/ws/experiments/{place.own}/", who=place.who["ada"], headers=OWN) as socket:
        assert await socket.closed() == 4404, "a participant sees nothing of the server's own engine"


async def test_a_participant_that_is_removed_receives_nothing_further(place: Site) -> None:
    path = f"/ws/experiments/{place.works['experiments']}/"
    mirror_path, ada = f"/ws/sessions/{place.row.pk}/mirror/", place.who["ada"]
    async with websocket(path, who=ada, headers=OWN) as socket, websocket(mirror_path, who=ada, headers=OWN) as mirror:
        assert (await socket.message())["type"] == (await mirror.message())["type"] == "snapshot"
        removed = f"/sessions/{place.row.pk}/console/seats/{place.participant}/remove/"
        assert (await http("POST", removed, who=place.who["owner"], headers=(FORM, *OWN), token=True)).status == 302
        assert await socket.closed() == await mirror.closed() == 4404
    for closed in (path, mirror_path):
        async with websocket(closed, who=ada, headers=OWN) as socket:
            assert not socket.is_open
    assert await database_sync_to_async(Experiment.objects.filter(pk=place.works["experiments"]).exists)()


async def test_a_participant_has_a_limited_number_of_websockets(place: Site) -> None:
    path = f"/ws/sessions/{place.row.pk}/"
    async with AsyncExitStack() as opened:
        for _ in range(MAX_SOCKETS):
            socket = await opened.enter_async_context(websocket(path, who=place.who["ada"], headers=OWN))
            assert socket.is_open
        async with websocket(path, who=place.who["ada"], headers=OWN) as one_more:
            assert one_more.refusal is not None
            assert one_more.refusal.status == 429
            assert f"Too many live connections are open (limit: {MAX_SOCKETS})" in one_more.refusal.text
        for name in ("bea", "owner"):
            async with websocket(path, who=place.who[name], headers=OWN) as other:
                assert other.is_open, name
    async with websocket(path, who=place.who["ada"], headers=OWN) as again:
        assert again.is_open
