"""Behind a real nginx with TLS and the configuration in docs/deploying.md: pages, forms, websockets, client addresses
and host names."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from socket import create_connection
from urllib.parse import urlencode, urlsplit

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from dashboard.core.training.rate_limit import PER_CLIENT
from tests.browser.server import LONG_S, Server, free_port
from tests.support.private_engine import PrivateEngine
from tests.web.operations.nginx import NAME, Nginx

pytestmark = pytest.mark.engine


class Answer:
    """A response and its cookies."""

    def __init__(self, connection: HTTPConnection) -> None:
        found = connection.getresponse()
        self.status, self.body = found.status, found.read().decode()
        self.location, self.retry_after = found.getheader("Location"), found.getheader("Retry-After")
        self.set_cookies = found.headers.get_all("Set-Cookie", [])
        connection.close()


class Browser:
    """A browser with cookies, an Origin and an address."""

    def __init__(self, nginx: Nginx, address: str = "127.0.0.1") -> None:
        self._nginx = nginx
        self._address = address
        self.cookies: dict[str, str] = {}

    @property
    def cookie_header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> Answer:
        """Sends a request. Header names have ``_`` for ``-``."""
        sent = {"Cookie": self.cookie_header, "Origin": self._nginx.origin}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = self._nginx.connect(self._address)
        connection.request(method, path, body or None, {name: value for name, value in sent.items() if value})
        answer = Answer(connection)
        for one in answer.set_cookies:
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(one).items()}
        return answer

    def launch(self, **headers: str) -> Answer:
        """Launches a comparison as the page's script does."""
        body = json.dumps({"image": "nginx", "port": 80, "modes": ["bridge", "none"]})
        headers = {"X_CSRFToken": self.cookies.get("__Host-csrftoken", ""), **headers}
        return self.ask("POST", "/api/experiments", body, Content_Type="application/json", **headers)

    def guess(self, code: str, **headers: str) -> Answer:
        """Submits a join code with the form."""
        if "__Host-csrftoken" not in self.cookies:
            assert self.ask("GET", "/join/").status == 200
        fields = {"code": code, "name": "Ada", "csrfmiddlewaretoken": self.cookies["__Host-csrftoken"]}
        kind = "application/x-www-form-urlencoded"
        return self.ask("POST", "/join/", urlencode(fields), Content_Type=kind, **headers)

    def stop(self, experiment: str) -> None:
        """Stops an experiment as the page's script does."""
        headers = {"X_CSRFToken": self.cookies.get("__Host-csrftoken", "")}
        assert self.ask("POST", f"/api/experiments/{experiment}/stop", **headers).status == 202

    def listen(self, path: str, origin: str, wanted: str, after_first: Callable[[], None] | None = None) -> set[str]:
        """The types of a websocket's messages up to the first of the ``wanted`` type. ``after_first`` is called after
        the first message.

        The client is the asynchronous one: the synchronous one uses one TLS connection in two threads, which OpenSSL
        does not support. It never sent 3 of 450 requests, and nginx waited for them.
        """
        return asyncio.run(self._listen(path, origin, wanted, after_first))

    async def _listen(
        self, path: str, origin: str, wanted: str, after_first: Callable[[], None] | None = None
    ) -> set[str]:
        types: set[str] = set()
        async with connect(
            f"wss://{NAME}:{self._nginx.port}{path}",
            sock=create_connection(("127.0.0.1", self._nginx.port), 20),
            ssl=self._nginx.trust,
            server_hostname=NAME,
            origin=Origin(origin),
            additional_headers={"Cookie": self.cookie_header},
            proxy=None,
            open_timeout=LONG_S,
        ) as socket:
            while wanted not in types:
                if types and after_first is not None:
                    await asyncio.to_thread(after_first)
                    after_first = None
                types.add(json.loads(await asyncio.wait_for(socket.recv(), LONG_S))["type"])
        return types


@pytest.fixture(scope="module")
def server(engine_host: PrivateEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Nginx, str]]:
    """Netmodes behind nginx, and the sign-in link."""
    folder = tmp_path_factory.mktemp("behind")
    settings = {"NETMODES_ALLOWED_HOSTS": NAME, "NETMODES_TRUSTED_PROXIES": "127.0.0.1"}
    running = Server(folder, engine_host.endpoint, **settings)
    (folder / "nginx").mkdir()
    nginx = Nginx(folder / "nginx", running.port, free_port(), free_port())
    link = running.start()
    nginx.start()
    yield running, nginx, link
    nginx.stop()
    assert running.interrupt() == 0
    assert running.remains() == []


def test_a_comparison_is_launched_and_watched_through_the_proxy(server: tuple[Server, Nginx, str]) -> None:
    running, nginx, link = server
    browser = Browser(nginx)
    assert browser.ask("GET", "/").status == 401
    found = urlsplit(link)
    answer = browser.ask("GET", f"{found.path}?{found.query}")
    assert (answer.status, answer.location) == (302, "/")
    assert browser.ask("GET", "/").status == 200
    assert set(browser.cookies) >= {"__Host-sessionid", "__Host-csrftoken"}

    assert browser.launch(X_CSRFToken="").status == 403
    assert browser.launch(Origin=running.url).status == 403, "the port behind the proxy is another origin"
    assert browser.launch(Origin=f"https://{NAME}").status == 403, "so is another port of the same name"
    launched = browser.launch()
    assert launched.status == 201, launched.body
    identity = json.loads(launched.body)["id"]
    address = f"/ws/experiments/{identity}/"

    # The launch may have ended before the websocket is open: then the stop makes the first patch.
    types = browser.listen(address, nginx.origin, wanted="patch", after_first=lambda: browser.stop(identity))
    assert "snapshot" in types
    for origin in (running.url, f"http://{NAME}:{nginx.port}", "https://evil.example"):
        with pytest.raises(InvalidStatus, match="403"):
            browser.listen(address, origin, wanted="patch")
    running.sign_in(running.another_link())
    running.forget_everything()


def test_cookies_are_sent_over_tls_only(server: tuple[Server, Nginx, str]) -> None:
    _running, nginx, _link = server
    cookies = Browser(nginx).ask("GET", "/join/").set_cookies
    assert cookies
    assert all("; secure" in one.lower() for one in cookies), cookies
    assert all(one.startswith("__Host-") and "; path=/;" in one.lower() for one in cookies), cookies
    assert not any("domain=" in one.lower() for one in cookies), cookies
    plain = nginx.connect_plainly()
    plain.request("GET", "/join/?code=X")
    answer = Answer(plain)
    assert (answer.status, answer.location) == (308, f"https://{NAME}/join/?code=X")


def test_another_host_name_is_refused_by_nginx_and_by_netmodes(server: tuple[Server, Nginx, str]) -> None:
    running, nginx, _link = server
    assert Browser(nginx).ask("GET", "/join/", Host="evil.example").status == 421
    direct = HTTPConnection("127.0.0.1", running.port, timeout=20)
    for said in ({"Host": "evil.example"}, {"Host": "evil.example", "X-Forwarded-Host": NAME}):
        direct.request("GET", "/join/", headers=said)
        assert Answer(direct).status == 400
    direct.request("GET", "/join/", headers={"Host": NAME})
    assert Answer(direct).status == 200


def test_a_client_cannot_forge_the_address_of_its_rate_limit(server: tuple[Server, Nginx, str]) -> None:
    _running, nginx, _link = server
    guesser = Browser(nginx, "127.0.0.2")
    codes = [
        "".join("ABCD"[number // 4**place % 4] for place in range(8)) for number in range(int(PER_CLIENT.burst) + 2)
    ]
    answers = [
        guesser.guess(code, X_Forwarded_For=f"198.51.100.{number}", X_Real_IP=f"198.51.100.{number}")
        for number, code in enumerate(codes)
    ]
    assert {one.status for one in answers[:-2]} == {404}
    assert answers[-1].status == 429
    assert re.fullmatch(r"[1-9]\d?", answers[-1].retry_after or "")
    assert Browser(nginx, "127.0.0.3").guess(codes[0]).status == 404, (
        "another address behind the same proxy is not limited"
    )
