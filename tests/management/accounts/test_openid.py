"""Sign-in with OpenID Connect at a provider on this machine, with the server as users start it."""

from __future__ import annotations

import html
import http.client
import json
import os
import re
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.management.accounts.openid_provider import CLIENT, SECRET, Provider, openid_provider
from tests.management.conftest import used_before
from tests.support.terminal import Site, Terminal

PERSON = {"sub": "u1", "email": "ada@example.org", "email_verified": True, "name": "Ada"}


class Browser:
    """Cookies and requests, without redirects."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, url: str, port: int | None = None) -> tuple[int, str, str]:
        """The status, the Location and the body."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=60)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if method == "POST":
            headers |= {"X-CSRFToken": self.cookies.get("csrftoken", ""), "Content-Length": "0"}
        connection.request(method, url, headers=headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        if port is None:
            for name, value in answer.getheaders():
                if name.lower() == "set-cookie":
                    self.cookies |= {key: morsel.value for key, morsel in SimpleCookie(value).items()}
        connection.close()
        return answer.status, answer.headers.get("Location", ""), body

    def sign_in(self) -> tuple[int, str, str]:
        """Signs in at the provider; returns the response to its redirect."""
        assert "Sign in with School login" in self.ask("GET", "/sign-in/")[2]
        status, _, page = self.ask("POST", "/sign-in/openid/")
        assert status == 200, page
        link = re.search(r'href="(http://[^"]+/authorize[^"]+)"', page)
        assert link is not None, page
        provider = urlsplit(html.unescape(link[1]))
        _, back, _ = self.ask("GET", f"{provider.path}?{provider.query}", provider.port)
        parts = urlsplit(back)
        assert (parts.path, parts.port) == ("/sign-in/openid/callback/", self.port)
        return self.ask("GET", f"{parts.path}?{parts.query}")


@pytest.fixture(scope="module")
def shared_provider() -> Iterator[Provider]:
    with openid_provider(PERSON) as found:
        yield found


@pytest.fixture
def provider(shared_provider: Provider) -> Provider:
    """The provider without faults."""
    shared_provider.person, shared_provider.faults = PERSON, set()
    return shared_provider


@pytest.fixture(scope="module")
def desk(shared_provider: Provider, tmp_path_factory: pytest.TempPathFactory, kept: Path) -> Iterator[Terminal]:
    """A terminal without an engine, whose server knows the provider."""
    folder = used_before(tmp_path_factory.mktemp("openid") / "data", kept)
    environment = {
        "NETMODES_DATA_DIR": str(folder),
        "DOCKER_HOST": f"unix://{folder}/docker.sock",
        "NETMODES_OIDC_ISSUER": shared_provider.issuer,
        "NETMODES_OIDC_CLIENT_ID": CLIENT,
        "NETMODES_OIDC_CLIENT_SECRET": SECRET,
        "NETMODES_OIDC_NAME": "School login",
    }
    made = Terminal({**os.environ, **environment}, folder)
    yield made
    made.close()


@pytest.fixture(scope="module")
def site(desk: Terminal) -> Site:
    return desk.serve()


def problem_of(page: str) -> str:
    found = re.search(r'role="alert">([^<]+)<', page)
    return html.unescape(found[1]) if found else ""


def test_only_invited_people_with_a_verified_address_get_in(site: Site, provider: Provider, desk: Terminal) -> None:
    status, _, page = Browser(site.port).sign_in()
    assert (status, "No account was invited" in problem_of(page)) == (403, True)
    assert desk.run("accounts", "invite", "ada", "--role", "reader", "--email", "Ada@Example.org").code == 0
    provider.person = {**PERSON, "email_verified": False}
    assert Browser(site.port).sign_in()[0] == 403, "the provider has not verified the address"

    provider.person = PERSON
    ada = Browser(site.port)
    assert ada.sign_in()[:2] == (302, "/")
    assert ada.ask("GET", "/")[0] == 200
    assert ada.ask("GET", "/accounts/")[0] == 403, "the role is that of the invitation"

    provider.person = {**PERSON, "email": "new@example.org"}
    assert Browser(site.port).sign_in()[0] == 302, "the account now belongs to the person, not to the address"
    provider.person = {**PERSON, "sub": "u2", "email": "eve@example.org"}
    assert Browser(site.port).sign_in()[0] == 403
    assert desk.run("accounts", "deactivate", "ada").code == 0
    assert ada.ask("GET", "/")[0] == 401
    provider.person = PERSON
    assert Browser(site.port).sign_in()[0] == 403, "deactivated"

    trail = json.loads(desk.run("audit", "--action", "sign in", "--json").out)["entries"]
    found = [(one["account"], one["object"].split()[0], one["outcome"]) for one in reversed(trail)]
    assert ("ada", "OpenID", "done") in found
    assert ("unknown", "OpenID", "refused") in found


def test_sign_ins_that_the_provider_does_not_confirm_are_refused(
    site: Site, provider: Provider, desk: Terminal
) -> None:
    assert desk.run("accounts", "invite", "bea", "--email", "bea@example.org").code == 0
    provider.person = {**PERSON, "sub": "u3", "email": "bea@example.org"}
    for fault, reason in (("audience", "did not confirm"), ("token", "did not confirm"), ("denied", "was cancelled")):
        provider.faults = {fault}
        status, _, page = Browser(site.port).sign_in()
        assert (status, reason in problem_of(page)) == (401, True), fault
    provider.faults = set()
    stranger = Browser(site.port)
    status, _, page = stranger.ask("GET", "/sign-in/openid/callback/?state=guessed&code=guessed")
    assert (status, "did not confirm" in problem_of(page)) == (401, True)
    assert stranger.ask("GET", "/")[0] == 401
    assert Browser(site.port).ask("GET", "/sign-in/openid/")[0] == 405, "a link alone starts no sign-in"


def test_a_provider_that_does_not_answer_leaves_the_other_ways_to_sign_in(site: Site, provider: Provider) -> None:
    provider.faults = {"down"}
    browser = Browser(site.port)
    browser.ask("GET", "/sign-in/")
    status, _, page = browser.ask("POST", "/sign-in/openid/")
    assert (status, "does not answer" in problem_of(page)) == (502, True)
    assert Site(site.running, site.link).sign_in()


@pytest.mark.parametrize("issuer", ["http://id.example.org", "https://id.example.org"])
def test_an_incomplete_or_unencrypted_provider_is_refused_at_the_start(nowhere: Terminal, issuer: str) -> None:
    nowhere.environment["NETMODES_OIDC_ISSUER"] = issuer
    if issuer.startswith("http://"):
        nowhere.environment |= {"NETMODES_OIDC_CLIENT_ID": CLIENT, "NETMODES_OIDC_CLIENT_SECRET": SECRET}
    done = nowhere.run("accounts", "list")
    assert done.code != 0
    assert "NETMODES_OIDC_ISSUER" in done.err
