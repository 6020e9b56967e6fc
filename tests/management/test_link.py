"""``./netmodes link``: sign-in links of the running server."""

from __future__ import annotations

import re

from tests.support.terminal import Site, Terminal


def test_only_a_link_that_works_once_is_printed(terminal: Terminal) -> None:
    site = terminal.serve()
    done = terminal.run("link")
    assert done.code == 0, done.err
    link = re.fullmatch(rf"Sign in \(once\): (http://127\.0\.0\.1:{site.port}/sign-in/\?token=\S+)\n", done.out)
    assert link, done.out
    assert Site(site.running, link[1]).sign_in().ask("GET", "/").status == 200


def test_without_a_server_the_command_prints_what_to_do(terminal: Terminal) -> None:
    done = terminal.run("link")
    assert done.code == 1
    assert done.out == ""
    assert "No server runs from " in done.err
    assert done.err.endswith("Start it with ./netmodes up.\n")
