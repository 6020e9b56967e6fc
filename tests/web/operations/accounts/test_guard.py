"""Each role may do what the table says, on every route; and the audit trail names what was done."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from channels.db import database_sync_to_async
from django.db import OperationalError
from django.urls import URLPattern, URLResolver, get_resolver

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.operations.roles import RULES, Access, Action, OwnedKind, Role, may
from dashboard.models import AuditEntry, Experiment
from dashboard.store import experiments as experiment_store
from dashboard.store import parts
from dashboard.store.operations.audit import FAILED, PendingEntry, audited
from dashboard.web.experiments import machines
from dashboard.web.operations.accounts.commands import (
    COMMANDS,
    NOT_RECORDED,
    PAGES,
    PARTICIPANT_PREFIXES,
    is_participants,
)
from dashboard.web.operations.accounts.guard import AccountMiddleware
from tests.support.polling import eventually
from tests.support.specs import make_spec
from tests.web.accounts import account, someone
from tests.web.asgi_client import Answer, Person, abandon, http
from tests.web.http.test_security_walk import FILLED

pytestmark = pytest.mark.django_db(transaction=True)

OWNER, INSTRUCTOR, READER = Role
#: Words in the refusals of roles.
WORDS = ("belongs to another account", "An account with the role", "Only an owner manages")
#: Routes that accept no POST: GET only, or documents.
API_ACTIONS = {
    "api/experiments/<identity>/<action>": ("try", "stop", "again", "remove"),
    "api/reports/<identity>/<action>": ("archive", "unarchive", "delete", "undelete", "purge"),
}


def all_routes(resolver: URLResolver, front: str = "") -> Iterator[str]:
    for one in resolver.url_patterns:
        path = front + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from all_routes(one, path)
        elif isinstance(one, URLPattern):
            yield path


ROUTES = tuple(dict.fromkeys(all_routes(get_resolver())))


def url_of(route: str, identity: str, action: str = "stop") -> str:
    """The URL of a route with its parameters filled in."""
    filled = route
    values = FILLED | {"identity": identity, "action": action, "account": "999"}
    for name, value in values.items():
        for form in (f"<{name}>", f"<str:{name}>", f"<int:{name}>"):
            filled = filled.replace(form, value)
    assert "<" not in filled, route
    return f"/{filled}"


async def send(route: str, who: Person, identity: str, action: str = "stop") -> Answer:
    """A POST request without fields to a route; JSON to the API."""
    api = route.startswith("api/")
    headers = (("content-type", "application/json"),) if api else ()
    return await http(
        "POST", url_of(route, identity, action), who=who, headers=headers, body=b"{}" if api else b"", token=True
    )


def is_refused_for_the_role(answer: Answer) -> bool:
    return answer.status == 403 and any(word in answer.text for word in WORDS)


@database_sync_to_async
def experiment_of(name: str, role: Role) -> str:
    return experiment_store.create_experiment(make_spec("host", "bridge"), account(name, role).pk)


@database_sync_to_async
def entries() -> list[tuple[str, str, str, str]]:
    rows = AuditEntry.objects.order_by("at")
    return [(row.account, row.action, row.object, row.outcome) for row in rows]


@database_sync_to_async
def forget() -> None:
    AuditEntry.objects.all().delete()


async def post_routes(who: Person) -> list[str]:
    """The routes that accept POST: they do not answer 405 to a signed-in owner."""
    others = [route for route in ROUTES if route != "sign-out/"]
    return [route for route in others if (await send(route, who, "nothing")).status != 405]


async def test_every_post_route_is_a_command_or_listed_with_a_reason(me: Person) -> None:
    for route in await post_routes(me):
        actions = API_ACTIONS.get(route, ("",))
        for action in actions:
            known = route.replace("<action>", action) in COMMANDS or is_participants(route)
            assert known, f"add {route} to COMMANDS, or to NOT_RECORDED with a reason"


def test_every_command_and_page_is_a_route() -> None:
    filled = {route.replace("<action>", action) for route in ROUTES for action in API_ACTIONS.get(route, ("",))}
    assert set(COMMANDS) - filled == set()
    configured = set(NOT_RECORDED) - {"sign-in/openid/"}  # exists only with a provider
    assert configured | set(PAGES) <= set(ROUTES)
    assert all(any(route.startswith(prefix) for route in ROUTES) for prefix in PARTICIPANT_PREFIXES)


async def test_every_command_of_an_account_leaves_an_entry(me: Person) -> None:
    for route, command in COMMANDS.items():
        if route == "sign-out/":
            continue  # below: it ends the session
        await forget()
        last = route.rsplit("/", 1)[-1]
        template = next((one for one in API_ACTIONS if one.replace("<action>", last) == route), route)
        answer = await send(template, me, "nothing", last)
        assert answer.status != 405, route
        found = await entries()
        assert [(account, action) for account, action, _, _ in found] == [("owner", command.name)], route
    await forget()
    assert (await send("sign-out/", me, "")).status == 200
    assert await entries() == [("owner", "sign out", "", "done")]


@pytest.mark.parametrize("role", [INSTRUCTOR, READER])
async def test_a_role_may_do_what_the_table_says_on_every_command(role: Role) -> None:
    who = await someone("ada", role)
    foreign = await experiment_of("eve", INSTRUCTOR)
    for route, command in COMMANDS.items():
        if route == "sign-out/":
            continue
        last = route.rsplit("/", 1)[-1]
        template = next((one for one in API_ACTIONS if one.replace("<action>", last) == route), route)
        owned = command.kind is not OwnedKind.EXPERIMENT  # nothing else exists under this id
        identity = foreign if command.kind is OwnedKind.EXPERIMENT else "nothing"
        answer = await send(template, who, identity, last)
        refused = may(role, command.action, owned=owned) is not None
        assert is_refused_for_the_role(answer) == refused, (route, answer.status, answer.text[:200])
    assert await database_sync_to_async(Experiment.objects.get)(pk=foreign)


@pytest.mark.parametrize("role", Role)
async def test_a_role_is_refused_exactly_the_pages_that_it_may_not_use(role: Role) -> None:
    who = await someone("ada", role)
    for route in ROUTES:
        answer = await http("GET", url_of(route, "nothing"), who=who)
        refused = may(role, PAGES.get(route, Action.READ), owned=True) is not None
        assert is_refused_for_the_role(answer) == refused, route


async def test_an_instructor_stops_own_experiments_and_no_others() -> None:
    ada, eve = await someone("ada", INSTRUCTOR), await someone("eve", INSTRUCTOR)
    own, other = await experiment_of("ada", INSTRUCTOR), await experiment_of("eve", INSTRUCTOR)
    unowned = await database_sync_to_async(experiment_store.create_experiment)(make_spec("host", "bridge"))
    await forget()
    for prefix in ("experiments/", "api/experiments/"):
        ending = "/" if prefix == "experiments/" else ""
        headers = () if ending else (("content-type", "application/json"),)
        for identity, who, expected in (
            (own, ada, {302, 202}),
            (other, ada, {403}),
            (unowned, ada, {403}),
            (other, eve, {302, 202}),
        ):
            answer = await http("POST", f"/{prefix}{identity}/stop{ending}", who=who, headers=headers, token=True)
            assert answer.status in expected, (prefix, identity)
    assert (await entries())[:4] == [
        ("ada", "stop experiment", own, "done"),
        ("ada", "stop experiment", other, "refused"),
        ("ada", "stop experiment", unowned, "refused"),
        ("eve", "stop experiment", other, "done"),
    ]


async def test_the_launch_form_stops_no_experiment_of_another_account() -> None:
    ada, other = await someone("ada", INSTRUCTOR), await experiment_of("eve", INSTRUCTOR)
    form = (("content-type", "application/x-www-form-urlencoded"),)
    answer = await http("POST", "/experiments/", who=ada, headers=form, body=f"stop={other}".encode(), token=True)
    assert is_refused_for_the_role(answer)
    assert (await database_sync_to_async(Experiment.objects.get)(pk=other)).wanted == "running"


async def test_a_demoted_account_may_no_longer_launch() -> None:
    ada = await someone("ada", INSTRUCTOR)
    assert (await send("experiments/", ada, "")).status == 400
    await database_sync_to_async(account)("ada", READER)
    assert is_refused_for_the_role(await send("experiments/", ada, ""))


async def test_an_unknown_command_of_the_api_is_answered_to_an_owner_only(me: Person) -> None:
    ada = await someone("ada", INSTRUCTOR)
    route = "api/experiments/<identity>/<action>"
    assert (await send(route, me, "nothing", "explode")).status in {400, 404}
    assert is_refused_for_the_role(await send(route, ada, "nothing", "explode"))


def test_a_reader_may_send_no_command_but_to_the_own_account() -> None:
    allowed = {route for route, command in COMMANDS.items() if RULES[command.action].reader is not Access.NO}
    assert allowed == {"sign-out/", "account/", "experiments/<str:identity>/inspect/"}


def test_a_command_that_the_audit_trail_cannot_store_is_logged_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def store(_entry: PendingEntry, _outcome: str) -> None:
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(PendingEntry, "store", store)
    AccountMiddleware._finish(PendingEntry(account="owner", action="launch experiment"), 507)
    (record,) = caplog.records
    assert record.exc_info is None
    assert record.getMessage() == (
        "missing from the audit trail: “launch experiment” of owner: Cannot use the database: database or disk is full."
        " The disk of the data folder is full. Free space on it, then try again."
    )


async def test_a_command_whose_client_disconnects_leaves_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    ada, identity, began = await someone("ada", INSTRUCTOR), await experiment_of("ada", INSTRUCTOR), asyncio.Event()

    async def hang(_identity: str, *, multicast: bool) -> None:
        began.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(machines, "try_paths", hang)
    await abandon("POST", f"/experiments/{identity}/try/", began.is_set, who=ada)
    assert await entries() == [("ada", "try paths", identity, "failed")]


async def test_a_store_function_that_ends_after_its_client_has_disconnected_leaves_one_entry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ada, identity = await someone("ada", INSTRUCTOR), await experiment_of("ada", INSTRUCTOR)
    began, ending, failing, store = threading.Event(), threading.Event(), threading.Event(), PendingEntry.store

    @audited
    def hold(_identity: str, _wanted: Wanted, **_options: bool) -> bool:
        began.set()
        return ending.wait(20)

    def note_failure(entry: PendingEntry, outcome: str) -> None:
        if outcome == FAILED:
            failing.set()
        store(entry, outcome)

    monkeypatch.setattr(parts, "set_wanted", hold)
    monkeypatch.setattr(PendingEntry, "store", note_failure)
    request = asyncio.create_task(abandon("POST", f"/experiments/{identity}/again/", began.is_set, who=ada))
    try:
        await eventually(failing.is_set)
    finally:
        ending.set()
        await request

    async def is_recorded() -> bool:
        return [entry[:3] for entry in await entries()] == [("ada", "launch experiment again", identity)]

    await eventually(is_recorded)
