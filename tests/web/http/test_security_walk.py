"""Security properties of every route, present and future."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import pytest
from channels.db import database_sync_to_async
from django.apps import apps
from django.conf import settings
from django.test import override_settings
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from dashboard.store import experiments as experiment_store
from dashboard.web.experiments import views as experiment_views
from dashboard.web.http.guards import LINK_PATH, OPEN_PATHS, OPEN_PREFIXES, is_allowed_host
from tests.support.specs import make_spec
from tests.web.asgi_client import HOST, NOBODY, ORIGIN, Answer, Person, http, is_strict, websocket
from tests.web.http.test_guards import FOREIGN_HOSTS
from tests.web.markup import forbidden_in

pytestmark = pytest.mark.django_db(transaction=True)

#: Paths that answer without a session, with their status. Add none without a reason.
OPEN = {
    "/sign-in/": 401,
    "/join/": 200,
    "/machines/join/": 405,
    "/readyz": 503,
    "/metrics": 401,
    "/docs/": 200,
    "/docs/comparison/": 404,
    "/docs/comparison": 404,
    f"/r/{'t' * 22}/": 404,
    f"/seat/{'t' * 22}/": 404,
    f"/results/{'t' * 22}/": 404,
}
#: Forms that are open without a session, with their status for an unknown code or link.
OPEN_FORMS = {"/join/": 400, f"/seat/{'t' * 22}/": 404}
FILLED = {
    "name": "comparison",
    "version": "1",
    "action": "stop",
    "ending": "json",
    "number": "1",
    "token": "t" * 22,
    "signature": "0" * 16,
    "workshop": "host-network",
    "participant": "s" * 10,
    "run_id": "w" * 10,
    "what": "step",
    "step": "launch",
    "account": "999999",
}
#: A shared report opens with its token; this token is unknown.
SHARED = f"/r/{FILLED['token']}/"
MUST_BE_THERE = {
    "/",
    "/sign-in/",
    "/sign-out/",
    "/experiments/",
    "/doctor/",
    "/api/docs",
    "/api/experiments",
}
NO_ENGINE = "unix:///nonexistent/docker.sock"


def _patterns(resolver: URLResolver, front: str = "") -> Iterator[str]:
    for one in resolver.url_patterns:
        assert isinstance(one.pattern, RoutePattern), one
        path = front + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from _patterns(one, path)
        elif isinstance(one, URLPattern):
            yield "/" + path


def routes(identity: str) -> list[str]:
    """Every URL of the site with its parameters filled in."""
    found = []
    for path in _patterns(get_resolver()):
        filled = path
        for name, value in (FILLED | {"identity": identity}).items():
            for form in (f"<{name}>", f"<str:{name}>", f"<int:{name}>"):
                filled = filled.replace(form, value)
        assert "<" not in filled, f"add values for {path} to FILLED"
        found.append(filled)
    assert set(found) >= {*MUST_BE_THERE, f"/experiments/{identity}/trace/"}
    return list(dict.fromkeys(found))


def some[T](ways: Sequence[T], number: int, count: int) -> Sequence[T]:
    """Chooses ``count`` of the ways to request the route with this number. Neighbouring routes are requested in other
    ways, so that each way is tried on many routes."""
    return [ways[(count * number + step) % len(ways)] for step in range(min(count, len(ways)))]


#: Every way on every route takes minutes.
count_per_route = pytest.mark.parametrize("count", [1, pytest.param(100, marks=pytest.mark.slow, id="all")])


@pytest.fixture
async def identity() -> str:
    made: str = await database_sync_to_async(experiment_store.create_experiment)(make_spec("host", "bridge"))
    return made


@database_sync_to_async
def everything() -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    return {
        model._meta.label: sorted(model._default_manager.values_list(), key=repr)
        for model in apps.get_models(include_auto_created=True)
    }


async def test_every_route_refuses_every_foreign_host_before_anything_else(me: Person, identity: str) -> None:
    before = await everything()
    for path in [*routes(identity), "/healthz", "/static/dashboard/icon.svg", "/no/such/page"]:
        for host in FOREIGN_HOSTS:
            for who in (me, NOBODY):
                answer = await http("GET", path, host=host, who=who)
                assert answer.status == 400, (path, host)
                assert "set-cookie" not in dict(answer.headers)
        for method in ("POST", "HEAD", "OPTIONS", "DELETE"):
            assert (await http(method, path, host="evil.example", who=me, token=True)).status == 400
    assert await everything() == before


@count_per_route
async def test_only_listed_paths_answer_without_a_session(identity: str, count: int) -> None:
    strangers = (Person({"sessionid": "0" * 32}), Person({"csrftoken": "x" * 32}))
    before = await everything()
    others = ("/no/such/page", "/api/no/such/page", "/experiments/nobody/", "/static")
    for number, path in enumerate([*routes(identity), *others]):
        for who in [NOBODY, *some(strangers, number, count)]:
            answer = await http("GET", path, who=who)
            assert answer.status == OPEN.get(path, 401), path
            post = await http("POST", path, who=who, headers=(("origin", ORIGIN),), token=True)
            assert post.status in {401, 403, 405, OPEN_FORMS.get(path)}, path
        if path not in OPEN and not path.startswith("/api/"):
            assert "./netmodes link" in answer.text, path
        if path.startswith("/api/"):
            assert "./netmodes up" in answer.json["detail"], path
    assert await everything() == before


async def test_open_paths_reveal_nothing(identity: str) -> None:
    assert (await http("GET", "/healthz")).text == "ok\n"
    assert (await http("GET", "/readyz")).text == "missing: engine\nNo Docker Engine has answered yet.\n"
    assert identity not in (await http("GET", "/sign-in/")).text


async def test_without_a_session_an_unknown_experiment_answers_like_a_known_one(identity: str) -> None:
    known = await http("GET", f"/experiments/{identity}/")
    unknown = await http("GET", "/experiments/aaaaaaaaaa/")
    assert (known.status, known.body) == (unknown.status, unknown.body)


@count_per_route
async def test_no_route_accepts_a_write_without_the_csrf_token(me: Person, identity: str, count: int) -> None:
    kinds = ("application/json", "application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x")
    ways = [*(("POST", kind) for kind in kinds), *((method, kinds[0]) for method in ("PUT", "PATCH", "DELETE"))]
    before = await everything()
    for number, path in enumerate(routes(identity)):
        for method, kind in some(ways, number, count):
            headers = (("content-type", kind), ("origin", ORIGIN))
            answer = await http(method, path, who=me, headers=headers, body=b"{}")
            assert answer.status in {403, 405}, (method, path, kind)
        wrong = (("content-type", "application/json"), ("x-csrftoken", "y" * 32))
        assert (await http("POST", path, who=me, headers=wrong, body=b"{}")).status in {403, 405}
    assert await everything() == before


FOREIGN = (
    (("origin", "http://evil.example"),),
    (("origin", "http://127.0.0.1:8001"),),
    (("origin", "http://localhost:8000"),),
    (("origin", "https://127.0.0.1:8000"),),
    (("origin", "null"),),
    (("sec-fetch-site", "cross-site"),),
    (("sec-fetch-site", "same-site"),),
    (("sec-fetch-site", "same-site"), ("origin", ORIGIN)),
    (("sec-fetch-site", "nonsense"),),
)


@count_per_route
async def test_no_route_accepts_a_write_from_another_site_even_with_the_token(
    me: Person, identity: str, count: int
) -> None:
    before = await everything()
    for number, path in enumerate(routes(identity)):
        for foreign in some(FOREIGN, number, count):
            headers = (("content-type", "application/json"), *foreign)
            answer = await http("POST", path, who=me, headers=headers, body=b"{}", token=True)
            assert answer.status in {403, 405}, (path, foreign)
    assert await everything() == before


async def test_a_write_of_the_own_page_is_accepted(me: Person, identity: str) -> None:
    own = (("origin", ORIGIN), ("sec-fetch-site", "same-origin"))
    for path, kind in (
        (f"/experiments/{identity}/stop/", ""),
        (f"/api/experiments/{identity}/stop", "application/json"),
    ):
        headers = (*own, *((("content-type", kind),) if kind else ()))
        answer = await http("POST", path, who=me, headers=headers, token=True)
        assert answer.status in {202, 302}, path


@count_per_route
async def test_get_requests_change_nothing(me: Person, identity: str, count: int) -> None:
    before = await everything()
    assert before["dashboard.Experiment"]
    queries = ("?token=guess&action=stop&wanted=stopped", "?at=1", "?_method=POST")
    override = (("x-http-method-override", "POST"),)
    asked = [
        ("GET", "", override),
        *((method, query, ()) for method, query in product(("GET", "HEAD", "OPTIONS"), ("", *queries))),
    ]
    for number, path in enumerate(routes(identity)):
        for method, query, headers in some(asked, number, count):
            answer = await http(method, path + query, who=me, headers=headers)
            assert answer.status < 500 or path == "/readyz", (method, path)
    assert await everything() == before


_answers: list[tuple[str, Answer]] = []


@pytest.fixture
async def every_answer(me: Person, identity: str) -> list[tuple[str, Answer]]:
    """One response of every kind: pages, refusals, errors, data, files. All tests that read them share these
    responses."""
    if not _answers:
        _answers.extend(await _request_everything(me, identity))
    return _answers


async def _request_everything(me: Person, identity: str) -> list[tuple[str, Answer]]:
    before = await everything()
    found = [(path, await http("GET", path, who=me)) for path in routes(identity)]
    assert await everything() == before, "reading changes nothing"
    assert [path for path, answer in found if answer.status >= 500 and path != "/readyz"] == []
    found += [
        ("401", await http("GET", "/")),
        ("401 api", await http("GET", "/api/experiments")),
        ("403 site", await http("POST", "/experiments/", who=me, headers=(("sec-fetch-site", "cross-site"),))),
        ("403 token", await http("POST", "/experiments/", who=me)),
        ("403 api", await http("POST", "/api/experiments", who=me)),
        ("404", await http("GET", "/no/such/page", who=me)),
        ("404 experiment", await http("GET", "/experiments/nobody/", who=me)),
        ("404 static", await http("GET", "/static/no.css")),
        ("405", await http("DELETE", "/", who=me, token=True)),
        ("400 at", await http("GET", f"/experiments/{identity}/?at=x", who=me)),
        ("400 form", await http("POST", "/experiments/", who=me, token=True)),
        ("400 host", await http("GET", "/", host="evil.example")),
        ("expired link", await http("GET", "/sign-in/?token=x")),
        ("static", await http("GET", "/static/dashboard/icon.svg")),
        ("signed out", await http("POST", "/sign-out/", who=me, token=True)),
    ]
    return found


def test_every_response_has_the_strict_policies(every_answer: list[tuple[str, Answer]]) -> None:
    for name, answer in every_answer:
        headers = dict(answer.headers)
        assert headers.get("x-content-type-options") == "nosniff", name
        assert headers.get("referrer-policy") in {"same-origin", "no-referrer"}, name
        if name in {"static", "404 static"}:
            continue  # public files, never pages
        assert headers.get("x-frame-options") == "DENY", name
        assert is_strict(answer), (name, headers.get("content-security-policy"))


def test_caches_store_no_personal_page(every_answer: list[tuple[str, Answer]]) -> None:
    open_paths = {*OPEN_PATHS, *OPEN_FORMS}
    personal = 0
    for path, answer in every_answer:
        if (
            not path.startswith("/")
            or path in open_paths
            or path.startswith(OPEN_PREFIXES)
            or LINK_PATH.fullmatch(path)
        ):
            continue
        personal += 1
        assert answer["cache-control"] in {"private, no-store", "no-store", "private, no-cache"}, path
    assert personal > 100


def test_no_page_has_inline_scripts_or_styles_or_foreign_urls(every_answer: list[tuple[str, Answer]]) -> None:
    pages = 0
    for name, answer in every_answer:
        if name == SHARED:
            assert "sha256-" in answer["content-security-policy"]  # its inline style is allowed by hash
        elif answer["content-type"].startswith("text/html") and answer.body:
            pages += 1
            links = "a href=https://" if name == "/questions/" else "no link to another site"
            assert [found for found in forbidden_in(answer.text) if not found.startswith(links)] == [], name
    assert pages >= 10


@count_per_route
async def test_nothing_is_shared_with_other_origins(me: Person, identity: str, count: int) -> None:
    asked = (
        ("origin", "http://evil.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "x-csrftoken"),
        ("access-control-request-private-network", "true"),
    )
    files = ["/static/dashboard/js/main.js", "/static/dashboard/css/base.css", "/no"]
    ways = list(product(("GET", "OPTIONS", "POST"), (me, NOBODY)))
    for number, path in enumerate([*routes(identity), *files]):
        for method, who in some(ways, number, count):
            answer = await http(method, path, who=who, headers=asked)
            assert not [name for name, _ in answer.headers if name.startswith("access-control-")], path


async def test_a_server_error_is_a_page_without_internals(
    me: Person, identity: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the canary of a secret")

    monkeypatch.setattr(experiment_views, "load_shown", fail)
    answer = await http("GET", f"/experiments/{identity}/", who=me)
    assert answer.status == 500
    assert is_strict(answer)
    assert answer["x-frame-options"] == "DENY"
    assert forbidden_in(answer.text) == []
    assert "canary" not in answer.text
    assert "canary" in caplog.text


async def test_every_websocket_is_behind_the_same_guard(me: Person, identity: str) -> None:
    for path in (f"/ws/experiments/{identity}/", "/ws/experiments/nobody/", "/ws/", "/", "/ws/no/such/", "/api/docs"):
        for headers, who in (((("origin", "http://evil.example"),), me), ((("origin", ORIGIN),), NOBODY), ((), me)):
            async with websocket(path, who=who, headers=headers) as socket:
                assert socket.refusal is not None, path
        async with websocket(path, who=me, host="evil.example", headers=(("origin", "http://evil.example"),)) as socket:
            assert socket.refusal is not None
            assert socket.refusal.status == 400


async def test_cookies_are_for_this_host_and_not_for_scripts_or_other_sites(me: Person) -> None:
    assert settings.SESSION_COOKIE_HTTPONLY
    assert settings.SESSION_COOKIE_DOMAIN is None
    answer = await http("GET", "/", who=me)
    cookies = [value for name, value in answer.headers if name == "set-cookie"]
    assert all("SameSite=Strict" in one and "Domain" not in one for one in cookies)


def test_a_wildcard_among_the_hosts_is_refused_at_the_start() -> None:
    with override_settings(ALLOWED_HOSTS=["127.0.0.1"]):
        assert not is_allowed_host("localhost:8000", 8000)
    assert HOST.startswith("127.0.0.1")
