"""``./netmodes link``: a way in to what is running."""

from __future__ import annotations

import re

from tests.management.terminal import Site, Terminal


def test_it_makes_a_link_that_works_once_and_is_all_that_it_prints(terminal: Terminal) -> None:
    site = terminal.serve()
    done = terminal.run("link")
    assert done.code == 0, done.err
    link = re.fullmatch(rf"Sign in \(once\): (http://127\.0\.0\.1:{site.port}/sign-in/\?token=\S+)\n", done.out)
    assert link, done.out
    assert Site(site.running, link[1]).sign_in().ask("GET", "/").status == 200


def test_where_nothing_serves_it_says_what_to_type(terminal: Terminal) -> None:
    done = terminal.run("link")
    assert done.code == 1
    assert done.out == ""
    assert "Nothing serves from " in done.err
    assert done.err.endswith("type ./netmodes up.\n")
