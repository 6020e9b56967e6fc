"""Cookies and links of version 0013: who is signed in, and what others open."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.management.old_data.installation import Installation, post
from tests.management.old_data.recorded import CLOSED, EXPERIMENT, OLD, OPEN


def test_participants_stay_signed_in_with_their_old_cookies(old: Installation) -> None:
    home = f"/sessions/{CLOSED['session']}/"
    for path, text in {
        home: "Ada",
        f"{home}steps/two-containers/": "",
        f"{home}results/": "Ada",
        f"{home}mirror/": "Host or bridge",
        f"{home}lab/": "nginx on port 80",
        f"{home}lab/experiments/{CLOSED['experiment']}/": "nginx on port 80",
        f"{home}lab/experiments/{CLOSED['experiment']}/track/": "",
        f"{home}lab/measurements/{CLOSED['measurement']}/": "nginx on port 80",
        f"{home}lab/measurements/{CLOSED['measurement']}/distribution": "",
        f"{home}lab/claims/": "",
    }.items():
        assert text in old.open("Ada", path).body, path
    for text in ("Why does the name not resolve?", "Look at the server that nslookup asks.", "It is the machine"):
        assert text in old.open("Ben", home).body
    other = f"{home}lab/claims/runs/{CLOSED['claims']}/"
    old.open("Ada", other, 404)  # of the other group
    assert "Bridge and DNS on Monday" not in old.open("Eva", home, 403).body, "a participant of another session"


def test_removed_participants_stay_out_and_waiting_ones_still_wait(old: Installation) -> None:
    old.open("Dora M.", f"/sessions/{CLOSED['session']}/", 401)
    old.open("Gina", f"/sessions/{OPEN['session']}/", 401)
    assert "Hugo" in old.open("Hugo", f"/sessions/{OPEN['session']}/").body
    waits = old.open("Hugo", f"/sessions/{OPEN['session']}/steps/launch/", 302)
    assert waits.headers["location"] == f"/sessions/{OPEN['session']}/"


def test_a_person_who_is_not_signed_in_opens_the_old_links_of_others(old: Installation) -> None:
    assert "host-copies-hostname" in old.open("", OLD["shared_report"]).body
    assert "Bridge and DNS on Monday" in old.open("", CLOSED["shared"]).body
    assert "Ada" not in old.open("", CLOSED["shared"]).body
    for path in (OLD["revoked_report"], CLOSED["revoked"]):
        old.open("", path, 404)
    assert "Ada" in old.open("", CLOSED["results"]).body
    assert "Eva" in old.open("", OPEN["results"]).body
    old.open("", f"/experiments/{EXPERIMENT}/", 401)


@pytest.mark.parametrize(("session", "name"), [(CLOSED, "Chen"), (OPEN, "Finn")])
def test_a_personal_link_moves_its_participant_to_another_device(
    old: Installation, session: dict[str, Any], name: str
) -> None:
    home = f"/sessions/{session['session']}/"
    old.open(name, home)
    device = old.browser()
    assert name in device.ask("GET", session["resume"]).body
    assert post(device, session["resume"]).headers["location"] == home
    assert name in device.ask("GET", home).body
    old.open(name, home, 401)
    old.open("", session["resume"], 404)


def test_the_old_join_link_admits_up_to_the_old_limit_after_the_instructor_agrees(old: Installation) -> None:
    home, link = f"/sessions/{OPEN['session']}/", OPEN["join"]
    invited = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    assert old.open("", link).status == 200
    guesses = (post(old.browser(), "/join/", name="Guest", code="23456789").status for _ in range(300))
    assert 429 in guesses, "from now on only the key in a link admits from this address"
    joined = 0
    while (page := post(browser := old.browser(), "/join/", name=f"Guest {joined}", **invited)).status == 302:
        assert page.headers["location"] == home
        waits = browser.ask("GET", f"{home}steps/launch/")
        assert (waits.status, waits.headers["location"]) == (302, home), "newcomers wait until they are admitted"
        joined += 1
        assert joined < 10
    assert (page.status, joined) == (409, 7), "ten at most, and Eva, Finn and Hugo are there"
    closed = {name: values[0] for name, values in parse_qs(urlsplit(CLOSED["join"]).query).items()}
    assert post(old.browser(), "/join/", name="Late", **closed).status == 410


def test_the_old_sign_in_link_works_once_unless_it_was_in_a_backup(
    old: Installation, request: pytest.FixtureRequest
) -> None:
    restored = request.node.callspec.params["old"] == "restored"
    first, second = (old.browser().ask("GET", OLD["sign_in"]) for _ in range(2))
    assert (first.status == 302) is not restored, first.body[:300]
    assert second.status != 302
