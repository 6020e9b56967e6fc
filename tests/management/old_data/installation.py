"""This version on the data of version 0013."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from websockets.sync.client import connect
from websockets.typing import Origin

from tests.management.conftest import used_before
from tests.management.old_data.recorded import OLD, RECORDED
from tests.support.terminal import Page, Site, Terminal


@dataclass(frozen=True, slots=True)
class Installation:
    """A running server on the old data."""

    terminal: Terminal
    site: Site

    def browser(self, name: str = "") -> Site:
        """The browser of the owner or a participant with its old cookie; without a name, a browser without a cookie."""
        browser = Site(self.site.running, self.site.link)
        if name:
            browser.cookies["sessionid"] = OLD["cookies"][name]
        return browser

    def open(self, name: str, path: str, status: int = 200) -> Page:
        """The response to a browser; AssertionError if it has another status."""
        page = self.browser(name).ask("GET", path)
        assert page.status == status, f"{name} {path}: {page.status} {page.body[:300]}"
        return page

    def receive(self, name: str, path: str, kind: str) -> dict[str, Any]:
        """The first message of this type on a websocket."""
        address = f"{self.site.host}:{self.site.port}"
        cookie = {"Cookie": f"sessionid={OLD['cookies'][name]}"}
        with connect(f"ws://{address}{path}", origin=Origin(f"http://{address}"), additional_headers=cookie) as socket:
            while (message := json.loads(socket.recv(timeout=20)))["type"] != kind:
                pass
            return dict(message)


def post(browser: Site, path: str, **values: str) -> Page:
    """Submits a form in a browser that has opened a page with a form before."""
    if "csrftoken" not in browser.cookies:
        browser.ask("GET", "/join/")
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-CSRFToken": browser.cookies["csrftoken"]}
    return browser.ask("POST", path, urlencode(values), headers)


def without_data(folder: Path, kept: Path) -> Terminal:
    """A terminal without an engine and without a database."""
    used_before(folder, kept)
    for file in folder.glob("netmodes.db*"):
        file.unlink()
    missing = f"unix://{folder}/docker.sock"
    return Terminal({**os.environ, "NETMODES_DATA_DIR": str(folder), "DOCKER_HOST": missing}, folder)


def place(terminal: Terminal) -> None:
    """Puts the old database and its key into the data folder, and migrates it."""
    (terminal.folder / "secret.key").write_text(OLD["secret_key"])
    with closing(sqlite3.connect(terminal.folder / "netmodes.db")) as connection:
        connection.executescript((RECORDED / "database-0013.sql").read_text())
    assert terminal.run("migrate", "-v", "0").code == 0


def restore(terminal: Terminal) -> None:
    """Restores the old backup into the data folder."""
    done = terminal.run("restore", str(RECORDED / "backup-0013.backup"), "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json["key"] is True
