"""Cookies and secret links do not reach containers, and pages of containers change nothing: a real browser beside a
container in host mode, and one with a published port, that log every request."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.chromium import ARGUMENTS, find_chromium
from tests.browser.server import LONG_S, Server
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine, share_lab_image

pytestmark = [pytest.mark.browser, pytest.mark.engine]

PORTS = (8090, 8091)
PUBLISHED = 8093
ADDRESSES = ("127.0.0.1", "localhost", "[::1]", "127.9.9.9", "netmodes.localhost")
#: nginx with a log of what a request says about the browser's session, and a page that ``ATTACK`` replaces.
CONFIGURATION = """\
user root root;
pid /tmp/nginx.pid;
events {}
http {
    client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
    default_type text/html;
    log_format said '[$http_host] [$request] [cookie: $http_cookie] [referer: $http_referer]';
    access_log /dev/stdout said;
    server {
        LISTEN
        location / { root /tmp; index index.html; try_files $uri /index.html; error_page 405 =200 /index.html; }
    }
}
"""
ATTACK = """\
<!doctype html><title>attack</title>
<script>
addEventListener("load", async () => {
    for (const origin of ORIGINS) for (const path of PATHS) {
        new Image().src = origin + path;
        for (const type of ["text/plain", "application/x-www-form-urlencoded"]) {
            const options = { method: "POST", mode: "no-cors", credentials: "include" };
            const said = { headers: { "Content-Type": type }, body: "modes=none&image=nginx&port=80" };
            await fetch(origin + path, { ...options, ...said }).catch(() => {});
        }
    }
    // A new tab for each form costs most: only where the cookies are.
    for (const path of PATHS) {
        const form = document.createElement("form");
        form.method = "post"; form.action = ORIGINS[0] + path; form.target = "_blank";
        document.body.append(form); form.submit();
    }
    document.title = "done";
});
</script>
"""


@dataclass
class Machine:
    """A server, an engine and a browser that share a network namespace."""

    server: Server
    engine: PrivateEngine
    context: BrowserContext
    page: Page

    def post(self, path: str, value: dict[str, Any]) -> Any:
        """The answer to a POST request of the page."""
        script = """async ([path, value]) => {
            const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
            const headers = { "Content-Type": "application/json", "X-CSRFToken": token };
            const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(value) });
            return await answer.json();
        }"""
        return self.page.evaluate(script, [path, value])

    def get(self, path: str) -> Any:
        """The answer to a GET request of the page."""
        return self.page.evaluate("async (path) => (await fetch(path)).json()", path)

    def phase(self, identity: str) -> str:
        """The phase of an experiment."""
        return str(self.get(f"/api/experiments/{identity}")["experiment"]["phase"])

    def log(self, identity: str) -> list[str]:
        """What the containers of an experiment logged."""
        return [
            line
            for arm in ("host", "bridge")
            for line in self.engine.docker("logs", f"nm-{identity}-{arm}").splitlines()
        ]


@pytest.fixture(scope="module")
def machine(
    browser: Browser, engine_host: PrivateEngine, kept: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """The machine, whose browser is signed in and shows the start page."""
    folder = shutil.copytree(kept, tmp_path_factory.mktemp("machine"), dirs_exist_ok=True)
    share_lab_image(folder)
    inside = ["nsenter", f"--net=/proc/{engine_host.pid}/ns/net", "--"]
    wrapper = folder / "chromium"
    wrapper.write_text(f'#!/bin/sh\nexec {" ".join(inside)} {find_chromium()} "$@"\n')
    wrapper.chmod(0o700)
    server = Server(folder, engine_host.endpoint, inside)
    link = server.start()
    beside = browser.browser_type.launch(executable_path=wrapper, args=ARGUMENTS)
    try:
        context = beside.new_context()
        page = context.new_page()
        page.goto(link)
        yield Machine(server, engine_host, context, page)
    finally:
        beside.close()
        server.interrupt()


def arm(mode: str, listen: str, page: str, **more: Any) -> dict[str, Any]:
    """A container that logs every request and answers it with a page."""
    configuration = CONFIGURATION.replace("LISTEN", listen)
    command = f"cat >/tmp/nginx.conf <<'END'\n{configuration}END\ncat >/tmp/index.html <<'END'\n{page}\nEND\n"
    return {
        "mode": mode,
        "key": mode,
        "image": "nginx",
        "command": ["sh", "-c", f"{command}exec nginx -e stderr -c /tmp/nginx.conf -g 'daemon off;'"],
        **more,
    }


def launch(machine: Machine, page: str = "<!doctype html><title>done</title>") -> str:
    """Launches the two containers; returns the experiment's id."""
    everywhere = "".join(f"listen {port}; listen [::]:{port}; " for port in PORTS)
    arms = [
        arm("host", everywhere, page),
        arm("bridge", "listen 80;", page, publish=[f"{PUBLISHED}:80"]),
    ]
    answer = machine.post("/api/experiments", {"image": "nginx", "port": 80, "arms": arms})
    assert "id" in answer, answer
    identity = str(answer["id"])
    until(lambda: machine.phase(identity) in {"running", "failed"}, LONG_S)
    assert machine.phase(identity) == "running", [
        column.get("error") for column in machine.get(f"/api/experiments/{identity}")["columns"]
    ]
    # The engine reports a container as running before its program listens.
    until(lambda: {"host", "bridge"} <= listening(machine, identity), LONG_S)
    return identity


def listening(machine: Machine, identity: str) -> set[str]:
    """The columns in which nginx listens."""
    states = machine.get(f"/api/experiments/{identity}/comparison")["states"]
    return {key for key, state in states.items() if any(one["process"] == "nginx" for one in state["listeners"])}


def remove(machine: Machine, identity: str) -> None:
    machine.post(f"/api/experiments/{identity}/remove", {})
    until(lambda: not any(identity in name for name in machine.server.remains()), LONG_S)


def hosts(lines: list[str]) -> set[str]:
    """The hosts that the logged requests name."""
    return {line.partition("] [")[0].removeprefix("[") for line in lines}


def test_no_container_receives_a_cookie_or_a_secret_link(machine: Machine) -> None:
    page, home = machine.page, machine.page.url.rstrip("/")
    identity = launch(machine)
    try:
        opened = machine.context.new_page()
        addresses = [f"http://{name}:{(PORTS[0], PUBLISHED)[at % 2]}/" for at, name in enumerate(ADDRESSES)]
        addresses += [f"http://127.0.0.1:{port}/" for port in (PORTS[1], PUBLISHED)]
        for number, address in enumerate(addresses):
            # From a page of the server, as a user follows a link in notes, and from a new tab.
            page.goto(f"{home}/{('', f'experiments/{identity}/', 'reports/', 'doctor/')[number % 4]}")
            page.evaluate("address => { location.href = address; }", address)
            page.wait_for_url(address)
            opened.goto(address)
        wanted = {address.removeprefix("http://").rstrip("/") for address in addresses}
        with suppress(AssertionError):  # the engine may store lines after the responses
            until(lambda: hosts(machine.log(identity)) >= wanted)
        lines = machine.log(identity)
        assert hosts(lines) == wanted
        assert not [line for line in lines if "sessionid" in line or "csrftoken" in line]
        assert not [line for line in lines if "token=" in line or "/sign-in" in line]
        own = machine.server.url.removeprefix("http://").partition(":")[0]
        assert not [line for line in lines if own in line], "pages of containers do not learn the name"
        assert home == machine.server.url
        assert {cookie["name"] for cookie in machine.context.cookies()} == {"sessionid", "csrftoken"}
    finally:
        page.goto(f"{home}/")
        remove(machine, identity)


@pytest.mark.parametrize(
    "name", ["127.0.0.1", *(pytest.param(name, marks=pytest.mark.slow) for name in ("localhost", "[::1]"))]
)
def test_a_page_on_another_port_changes_nothing(machine: Machine, name: str) -> None:
    target = launch(machine)
    paths = ["/sign-out/", "/experiments/", "/api/experiments", "/doctor/"]
    paths += [f"/experiments/{target}/{action}/" for action in ("stop", "again", "remove")]
    paths += [f"/api/experiments/{target}/{action}" for action in ("stop", "remove")]
    port = machine.server.port
    origins = [machine.server.url, f"http://127.0.0.1:{port}", f"http://localhost:{port}", f"http://[::1]:{port}"]
    attack = ATTACK.replace("ORIGINS", str(origins)).replace("PATHS", str(paths))
    known = len(machine.get("/api/experiments"))
    machine.engine.docker("exec", f"nm-{target}-host", "sh", "-c", f"cat >/tmp/index.html <<'END'\n{attack}\nEND")
    try:
        attacker = machine.context.new_page()
        attacker.goto(f"http://{name}:{PORTS[0]}/")
        attacker.wait_for_function("document.title === 'done'", timeout=LONG_S * 1000)
        machine.page.reload()
        assert len(machine.get("/api/experiments")) == known
        assert machine.phase(target) == "running"
    finally:
        machine.page.goto(f"{machine.server.url}/")
        remove(machine, target)
