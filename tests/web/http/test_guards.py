"""Access control: hosts, origins, sessions, bodies."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
from channels.db import database_sync_to_async
from django.conf import settings
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from dashboard.asgi import BODY_LIMIT_BYTES
from dashboard.store import experiments as experiment_store
from dashboard.web.http import guards
from dashboard.web.http.guards import is_allowed_host, is_own_origin, split_host
from tests.support.specs import make_spec
from tests.web.asgi_client import HOST, NOBODY, ORIGIN, PORT, Person, flood, http, is_strict, websocket

pytestmark = pytest.mark.django_db(transaction=True)

FOREIGN_ORIGINS = (
    "",
    "null",
    "http://127.0.0.1",
    "http://127.0.0.1:80",
    "http://127.0.0.1:8001",
    "http://127.0.0.1:80001",
    "http://127.0.0.1:800",
    "http://127.0.0.1:08000",
    "http://127.0.0.1:8000/",
    "http://127.0.0.1:8000/ws/",
    "http://127.0.0.1:8000?",
    "http://127.0.0.1:8000#",
    "http://127.0.0.1:8000 ",
    " http://127.0.0.1:8000",
    "http://127.0.0.1:8000, http://127.0.0.1:8000",
    "https://127.0.0.1:8000",
    "ws://127.0.0.1:8000",
    "wss://127.0.0.1:8000",
    "HTTP://127.0.0.1:8000",
    "Http://127.0.0.1:8000",
    "//127.0.0.1:8000",
    "127.0.0.1:8000",
    "127.0.0.1",
    "http://localhost:8000",
    "http://LOCALHOST:8000",
    "http://127.0.0.1.:8000",
    "http://127.0.0.1.evil.example:8000",
    "http://evil-127.0.0.1:8000",
    "http://evil.example",
    "http://evil.example:8000",
    "http://evil.example/127.0.0.1:8000",
    "http://evil.example#127.0.0.1:8000",
    "http://127.0.0.1:8000@evil.example",
    "http://owner@127.0.0.1:8000",
    "http://owner:secret@127.0.0.1:8000",
    "http://[::1]:8000",
    "http://[::ffff:127.0.0.1]:8000",
    "http://127.0.0.2:8000",
    "http://127.1:8000",
    "http://2130706433:8000",
    "http://0x7f000001:8000",
    "http://0.0.0.0:8000",
    "http://127.0.0.1:8000\x00",
    "http://127.0.0.1:8000\x00.evil.example",
    "file://",
    "chrome-extension://abcdefghijklmnop",
    "about:blank",
    "data:text/html,x",
    "*",
)

FOREIGN_HOSTS = (
    "",
    "evil.example",
    "evil.example:8000",
    "127.0.0.1.evil.example:8000",
    "127.0.0.1:8001",
    "127.0.0.1",
    "127.0.0.1:8000:8000",
    "127.0.0.1:8000 ",
    "127.0.0.1:",
    "127.0.0.1:8000@evil.example",
    "evil@127.0.0.1:8000",
    "127.0.0.1.:8000",
    "localhost.:8000",
    "localhost:8001",
    "localhost.evil.example:8000",
    "127.0.0.2:8000",
    "0.0.0.0:8000",
    "127.1:8000",
    "2130706433:8000",
    "[::1]8000",
    "[::1]evil:8000",
    "[::1",
    "[::2]:8000",
    "[::ffff:127.0.0.1]:8000",
    "192.0.2.1:8000",
    "http://127.0.0.1:8000",
    "127.0.0.1:8000/",
    "127.0.0.1:8000, evil.example",
    "127.0.0.1:8000\x00",
    "netmodes.localhost:8000",
    "netmodes-aaaaaaaa.localhost:8000",
    settings.OWN_NAME,
    f"{settings.OWN_NAME}:8001",
    f"x.{settings.OWN_NAME}:8000",
)


@database_sync_to_async
def make_experiment() -> str:
    return experiment_store.create_experiment(make_spec("host", "bridge"))


@pytest.fixture
async def address(me: Person) -> str:
    return f"/ws/experiments/{await make_experiment()}/"


async def test_only_the_page_s_own_origin_may_connect(me: Person, address: str) -> None:
    assert len(FOREIGN_ORIGINS) >= 30
    for origin in FOREIGN_ORIGINS:
        async with websocket(address, who=me, headers=(("origin", origin),)) as socket:
            assert socket.refusal is not None, origin
            assert socket.refusal.status == 403, origin
    async with websocket(address, who=me, headers=(("origin", ORIGIN),)) as socket:
        assert socket.is_open
        assert (await socket.message())["type"] == "snapshot"


async def test_a_handshake_without_an_origin_is_refused(me: Person, address: str) -> None:
    async with websocket(address, who=me) as socket:
        assert socket.refusal is not None


async def test_two_origins_are_refused_even_if_both_are_allowed(me: Person, address: str) -> None:
    for pair in ((ORIGIN, ORIGIN), (ORIGIN, "http://evil.example"), ("http://evil.example", ORIGIN)):
        async with websocket(address, who=me, headers=[("origin", one) for one in pair]) as socket:
            assert socket.refusal is not None, pair


@pytest.mark.parametrize("host", ["localhost:8000", "[::1]:8000", "LOCALHOST:8000"])
async def test_the_origin_must_be_the_host_s_own(me: Person, address: str, host: str) -> None:
    async with websocket(address, who=me, host=host, headers=(("origin", f"http://{host.lower()}"),)) as socket:
        assert socket.is_open
    async with websocket(address, who=me, host=host, headers=(("origin", ORIGIN),)) as socket:
        assert socket.refusal is not None


async def test_behind_tls_the_origin_has_its_scheme(me: Person, address: str) -> None:
    secure = Person({f"__Host-{name}": value for name, value in me.cookies.items()})
    for origin, is_open in ((f"https://{HOST}", True), (ORIGIN, False)):
        async with websocket(address, who=secure, headers=(("origin", origin),), scheme="wss") as socket:
            assert socket.is_open is is_open


async def test_a_trusted_origin_may_connect_and_similar_ones_may_not(me: Person, address: str) -> None:
    with override_settings(CSRF_TRUSTED_ORIGINS=["https://lab.example"]):
        for origin, is_open in (("https://lab.example", True), ("https://lab.example.evil.example", False)):
            async with websocket(address, who=me, headers=(("origin", origin),)) as socket:
                assert socket.is_open is is_open


async def test_a_websocket_without_a_session_is_refused(address: str) -> None:
    for stranger in (NOBODY, Person({"sessionid": "guessed"}), Person({"csrftoken": "x" * 32})):
        async with websocket(address, who=stranger, headers=(("origin", ORIGIN),)) as socket:
            assert socket.refusal is not None
            assert socket.refusal.status == 403


async def test_a_websocket_for_a_foreign_host_gets_400_before_anything_else(me: Person, address: str) -> None:
    assert len(FOREIGN_HOSTS) >= 8
    for host in FOREIGN_HOSTS:
        headers = (("origin", f"http://{host}"),)
        async with websocket(address, who=me, host=host, headers=headers) as socket:
            assert socket.refusal is not None, host
            assert socket.refusal.status == 400, host
        async with websocket(address, who=me, host=host, headers=headers, extensions={}) as socket:
            assert socket.refusal is not None, host
    async with websocket(address, who=me, host=None, headers=(("origin", ORIGIN),)) as socket:
        assert socket.refusal is not None


async def test_a_missing_or_doubled_host_is_refused(me: Person) -> None:
    assert (await http("GET", "/", who=me, host=None)).status == 400
    for other in (HOST, "evil.example"):
        assert (await http("GET", "/", who=me, headers=(("host", other),))).status == 400
    assert (await http("GET", "/", who=me)).status == 200


async def test_the_refusal_of_a_host_says_what_to_do_and_has_strict_headers() -> None:
    answer = await http("GET", "/", host="evil.example")
    assert "./netmodes up" in answer.text
    assert "evil" not in answer.text
    assert is_strict(answer)
    assert answer["x-content-type-options"] == "nosniff"


def test_a_host_behind_a_proxy_may_have_the_proxy_s_port() -> None:
    with override_settings(ALLOWED_HOSTS=["127.0.0.1", "lab.example"]):
        assert is_allowed_host("lab.example", PORT)
        assert is_allowed_host("Lab.Example:8443", PORT)
        assert not is_allowed_host("127.0.0.1:8443", PORT)
        assert not is_allowed_host("x.lab.example", PORT)
    assert is_allowed_host("127.0.0.1", 80)


PAGE = (("sec-fetch-dest", "document"), ("user-agent", "Mozilla/5.0 Chrome/140.0.0.0 Safari/537.36"))


@pytest.mark.parametrize("path", ["/", "/sign-in/?token=x&y=%2F", "/join/?code=ABC", "/reports/x/", "//evil.example/"])
@pytest.mark.parametrize("host", [HOST, f"localhost:{PORT}", f"[::1]:{PORT}"])
async def test_a_browser_is_redirected_to_the_own_name_without_a_cookie(path: str, host: str) -> None:
    answer = await http("GET", path, headers=PAGE, host=host)
    assert (answer.status, answer["location"]) == (302, f"http://{settings.OWN_NAME}:{PORT}{path}")
    assert answer["set-cookie"] == ""
    assert answer["cache-control"] == "no-store"
    assert answer["referrer-policy"] == "no-referrer"


async def test_a_browser_with_cookies_of_an_earlier_version_loses_them(me: Person) -> None:
    answer = await http("GET", "/", who=me, headers=PAGE)
    assert answer.status == 302
    deleted = [value for name, value in answer.headers if name == "set-cookie"]
    assert sorted(value.partition("=")[0] for value in deleted) == ["csrftoken", "sessionid"]
    assert all("Max-Age=0" in value for value in deleted)


async def test_cookies_of_another_program_on_this_machine_stay() -> None:
    other = Person({"sessionid": "k" * 32, "csrftoken": "t" * 32})
    answer = await http("GET", "/", who=other, headers=PAGE)
    assert (answer.status, answer["set-cookie"]) == (302, "")


async def test_other_clients_and_requests_to_the_own_name_are_not_redirected(me: Person) -> None:
    assert (await http("GET", "/", who=me)).status == 200
    assert (await http("GET", "/", who=me, headers=PAGE, host=f"{settings.OWN_NAME}:{PORT}")).status == 200
    assert (await http("POST", "/sign-out/", who=me, headers=PAGE, token=True)).status == 200


async def test_an_account_has_a_limited_number_of_websockets(
    me: Person, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "MAX_ACCOUNT_SOCKETS", 3)
    own = (("origin", ORIGIN),)
    async with AsyncExitStack() as opened:
        for _ in range(3):
            assert (await opened.enter_async_context(websocket(address, who=me, headers=own))).is_open
        async with websocket(address, who=me, headers=own) as one_more:
            assert one_more.refusal is not None
            assert one_more.refusal.status == 429
            assert "Too many live connections are open (limit: 3). Close other tabs" in one_more.refusal.text
    async with websocket(address, who=me, headers=own) as again:
        assert again.is_open


async def test_a_websocket_under_the_own_name_has_its_origin(me: Person, address: str) -> None:
    own = f"{settings.OWN_NAME}:{PORT}"
    for origin, is_open in ((f"http://{own}", True), (ORIGIN, False), (f"http://{settings.OWN_NAME}:8080", False)):
        async with websocket(address, who=me, host=own, headers=(("origin", origin),)) as socket:
            assert socket.is_open is is_open, origin


@given(st.text(max_size=40))
def test_no_other_text_is_an_allowed_host(text: str) -> None:
    expected = text.lower() in {f"{name}:{PORT}" for name in ("127.0.0.1", "localhost", "[::1]", settings.OWN_NAME)}
    assert is_allowed_host(text, PORT) is expected
    name, port = split_host(text)
    assert len(name) + len(port) <= len(text.lower()) + 1


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=40))
def test_no_other_text_is_the_own_origin(origin: str) -> None:
    scope = {"scheme": "ws", "headers": [(b"host", HOST.encode()), (b"origin", origin.encode("latin-1"))]}
    assert is_own_origin(scope) is (origin == ORIGIN)


async def test_a_body_that_is_too_large_is_not_read(me: Person) -> None:
    huge = (("content-length", str(BODY_LIMIT_BYTES + 1)), ("content-type", "application/json"))
    for path in ("/experiments/", "/api/experiments", "/sign-in/"):
        for who in (me, NOBODY):
            answer = await http("POST", path, who=who, headers=huge)
            assert answer.status == 413, path
            assert "too large" in answer.text


@pytest.mark.parametrize("length", ["-1", "ten", "1e9", "9" * 40, "0x10", ""])
async def test_an_invalid_content_length_is_refused(length: str) -> None:
    answer = await http("POST", "/experiments/", headers=(("content-length", length),))
    assert 400 <= answer.status < 500


async def test_an_endless_body_is_cut() -> None:
    answer = await flood("/api/experiments", BODY_LIMIT_BYTES + (1 << 20))
    assert answer.status == 413
