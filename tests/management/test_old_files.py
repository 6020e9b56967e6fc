"""Data of version 0013: its database, backup, reports, links and cookies work in this version.

That version's own code wrote the files in ``tests/recorded``. These tests use only public interfaces:
commands, addresses, the HTTP API and the websockets.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.management.conftest import used_before
from tests.support.terminal import Page, Site, Terminal

RECORDED = Path(__file__).resolve().parent.parent / "recorded"
REPORT, CLAIMS = RECORDED / "report-0013.json", RECORDED / "report-claims-0013.json"
OLD: dict[str, Any] = json.loads((RECORDED / "links-0013.json").read_text())
CLOSED, OPEN = OLD["closed"], OLD["open"]
ROW = "identity/netns/"
#: Texts of a session report that come from the workshop, which is edited between versions.
WORKSHOP_TEXTS = {"question", "text", "truth", "about", "words", "predicted", "sentence", "failing", "workshop_title"}
#: Columns of a report's CSV that are sentences or drawn paths.
SENTENCES = {"hops", "cause", "unavailable"}


def known(after: Any, before: Any) -> Any:
    """``after`` without the members of objects that ``before`` does not have: fields are added between versions."""
    if isinstance(after, dict) and isinstance(before, dict):
        return {key: known(value, before[key]) for key, value in after.items() if key in before}
    if isinstance(after, list) and isinstance(before, list) and len(after) == len(before):
        return [known(*pair) for pair in zip(after, before, strict=True)]
    return after


def recorded(name: str) -> Any:
    """A recorded JSON document."""
    return json.loads((RECORDED / name).read_text())


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


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory, kept: Path) -> Path:
    """A data folder with the old database, migrated. Tests leave it unchanged."""
    terminal = without_data(tmp_path_factory.mktemp("placed") / "data", kept)
    place(terminal)
    return terminal.folder


@pytest.fixture(scope="module", params=["placed", pytest.param("restored", marks=pytest.mark.slow)])
def old(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, kept: Path, placed: Path
) -> Iterator[Installation]:
    """This version with the old database, either from its data folder or restored from the old backup."""
    terminal = without_data(tmp_path_factory.mktemp("old") / "data", kept)
    if request.param == "restored":
        restore(terminal)
    else:
        shutil.copytree(placed, terminal.folder, dirs_exist_ok=True)
    with closing(sqlite3.connect(terminal.folder / "netmodes.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    yield Installation(terminal, terminal.serve())
    terminal.close()


def contents(folder: Path) -> dict[str, list[Any]]:
    """The rows of every table, except those that record when this version migrated."""
    with closing(sqlite3.connect(folder / "netmodes.db")) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: sorted(connection.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)  # noqa: S608
            for name in names
            if name not in {"django_migrations", "sqlite_sequence"}
        }


def test_the_old_backup_restores_the_rows_of_the_old_database(tmp_path: Path, kept: Path, placed: Path) -> None:
    """So every test of the placed database also holds for the restored one, except for links to sign in."""
    restored = without_data(tmp_path / "restored", kept)
    restore(restored)
    before, after = contents(placed), contents(restored.folder)
    assert before.pop("dashboard_signinlink") != []
    assert after.pop("dashboard_signinlink") == []
    assert len(before["dashboard_report"]) > 2
    assert after == before
    assert (restored.folder / "secret.key").read_text() == OLD["secret_key"]


EXPERIMENT, MEASUREMENT, SAVED = OLD["experiment"], OLD["measurement"], OLD["report"]
CONSOLE, PARTICIPANTS = f"/sessions/{CLOSED['session']}/console/", CLOSED["participants"]
SERIES = recorded("report-0013.json")["content"]["measurements"][0]["series"][0]
#: Every address that showed something of the owner's, with a text from the data that must be in the answer.
OWNER = {
    "/": "Host or bridge",
    f"/experiments/{EXPERIMENT}/": "Host or bridge",
    f"/experiments/{EXPERIMENT}/?at=8": "Host or bridge",
    f"/experiments/{EXPERIMENT}/track/": EXPERIMENT,
    f"/experiments/{OLD['failed_experiment']}/": "registry.invalid/none:1",
    "/measurements/": MEASUREMENT,
    f"/measurements/{MEASUREMENT}/": "Host or bridge",
    f"/measurements/history/?signature={quote('bridge bridge-address tcp-rr 64B closed idle')}": MEASUREMENT,
    "/reports/": SAVED,
    "/reports/?q=bridge&tag=monday&origin=experiment": SAVED,
    "/reports/?archived=1": OLD["archived_report"],
    f"/reports/{SAVED}/": "<strong>No load</strong>",
    f"/reports/{SAVED}/#remark-1": "The <em>proxy</em> costs most.",
    f"/reports/{SAVED}/track/": "veth",
    f"/reports/{SAVED}/export.html": "Host or bridge, measured",
    f"/reports/{SAVED}/export.md": "Host or bridge, measured",
    f"/reports/{SAVED}/export.histograms.csv": MEASUREMENT,
    f"/reports/{OLD['archived_report']}/": "Only the measurement",
    f"/reports/{OLD['claims_report']}/": "host-shares-netns",
    f"/reports/{OLD['imported_report']}/": "host-shares-netns",
    f"/reports/compare/?report={SAVED}&report={OLD['archived_report']}": "Only the measurement",
    "/reports/trends/c04c078990305e7e/": SAVED,
    f"/reports/{SAVED}/share/": "",
    "/claims/": "host-shares-netns",
    f"/claims/runs/{OLD['claims']}/": "host-copies-hostname",
    f"/misconceptions/add-host-hides/?run={OLD['misconception']}": "",
    "/workshop/": "bridge-and-dns",
    "/workshop/bridge-and-dns/": "no-names",
    "/workshop/bridge-and-dns/two-containers/": "",
    "/sessions/": "Host network on Tuesday",
    CONSOLE: "Bridge and DNS on Monday",
    f"{CONSOLE}projector/": "Bridge and DNS on Monday",
    f"{CONSOLE}mirror/": "Host or bridge",
    f"{CONSOLE}seats/{PARTICIPANTS['Ben']}/": "Why does the name not resolve?",
    f"{CONSOLE}seats/{PARTICIPANTS['Ada']}/": "nginx on port 80",
    f"{CONSOLE}seats/{PARTICIPANTS['Ada']}/terminal/?step=two-containers": "docker ps --format",
    f"{CONSOLE}seats/{PARTICIPANTS['Ada']}/experiments/{CLOSED['experiment']}/": "nginx on port 80",
    f"{CONSOLE}results/replay.html": "Ben",
    f"{CONSOLE}results/share/": "",
    f"{CONSOLE}results/anonymous/": "Bridge and DNS on Monday",
    f"/sessions/{CLOSED['session']}/results/": "Chen",
    f"/sessions/{CLOSED['session']}/results/?person={PARTICIPANTS['Ada']}": "Ada",
    f"/sessions/{OPEN['session']}/console/": "Bring the projector.",
    f"/api/experiments/{EXPERIMENT}": "Host or bridge",
    f"/api/experiments?session={CLOSED['session']}": CLOSED["experiment"],
    f"/api/measurements?session={CLOSED['session']}": CLOSED["measurement"],
    f"/api/claims/runs?session={CLOSED['session']}": CLOSED["claims"],
    f"/api/measurements/{MEASUREMENT}/distribution": SERIES["key"],
    f"/api/claims/runs/{OLD['claims']}": "ip-refused",
    "/api/claims": "host-shares-netns",
    f"/api/reports/{SAVED}/about": "Seen again on Tuesday.",
    "/api/reports/trends/c04c078990305e7e": SAVED,
}


def test_every_address_of_the_owner_opens_with_the_old_cookie(old: Installation) -> None:
    for path, text in OWNER.items():
        assert text in old.open("owner", path).body, path


def test_an_experiment_shows_the_same_facts(old: Installation) -> None:
    before = recorded("comparison-0013.json")
    after = old.open("owner", f"/api/experiments/{EXPERIMENT}/comparison").json
    assert after["schema"] == "comparison/1"
    assert known(after["columns"], before["columns"]) == before["columns"]
    assert known(after["states"], before["states"]) == before["states"]
    named = [
        sorted((row["section"], row["key"], row["field"], row["relation"]) for row in one["rows"])
        for one in (before, after)
    ]
    assert named[0] == named[1]
    frozen = recorded("report-0013.json")["content"]["experiment"]["journal"]
    entries = old.open("owner", f"/api/experiments/{EXPERIMENT}/journal").json
    assert len(entries) == len(frozen)
    for entry, old_entry in zip(entries, frozen, strict=True):
        for name in ("seq", "at", "facts"):
            assert known(entry[name], old_entry[name]) == old_entry[name]


def test_a_measurement_shows_the_same_figures(old: Installation) -> None:
    before = recorded("report-0013.json")["content"]["measurements"][0]["measurement"]
    after = old.open("owner", f"/api/measurements/{MEASUREMENT}").json["measurement"]
    for name in ("schema", "seed", "elapsed_s", "started_at", "options", "environment", "series", "stopped"):
        assert known(after[name], before[name]) == before[name], name


def test_saved_reports_are_exported_byte_for_byte_as_before(old: Installation) -> None:
    for report, file in ((SAVED, REPORT), (OLD["claims_report"], CLAIMS), (OLD["imported_report"], CLAIMS)):
        assert old.open("owner", f"/reports/{report}/export.json").body == file.read_text()
        assert old.open("owner", f"/api/reports/{report}").body == file.read_text()


def table(text: str) -> list[dict[str, str]]:
    """The rows of a CSV by column."""
    return list(csv.DictReader(io.StringIO(text)))


def test_the_table_of_a_report_has_the_same_columns_and_figures(old: Installation) -> None:
    before = table((RECORDED / "report-0013.csv").read_text())
    after = table(old.open("owner", f"/reports/{SAVED}/export.csv").body)
    assert [list(row) for row in after] == [list(row) for row in before]
    for then, now in zip(before, after, strict=True):
        assert {name: now[name] for name in now if name not in SENTENCES} == {
            name: then[name] for name in then if name not in SENTENCES
        }


def facts(value: Any, without: set[str]) -> Any:
    """A JSON value without the members of these names."""
    if isinstance(value, list):
        return [facts(one, without) for one in value]
    if isinstance(value, Mapping):
        return {name: facts(one, without) for name, one in value.items() if name not in without}
    return value


def results(report: Any) -> Any:
    """A session report without the texts that come from the workshop, such as the titles of steps."""
    return {**facts(report, {*WORKSHOP_TEXTS, "title"}), "title": report["title"]}


def test_a_closed_session_has_the_same_results(old: Installation) -> None:
    session, before = CLOSED["session"], recorded("session-0013.json")
    for path in (f"/api/sessions/{session}/report", f"{CONSOLE}results/export.json"):
        after = old.open("owner", path).json
        assert after["schema"] == "session-report/1"
        assert results(after) == results(before)
    anonymous = old.open("owner", f"/api/sessions/{session}/report?anonymous=true").json
    assert (anonymous["anonymous"], anonymous["people"]) == (True, [])


@pytest.mark.parametrize("name", ["people", "steps"])
def test_the_tables_of_a_closed_session_are_the_same(old: Installation, name: str) -> None:
    texts = {"title", "question", "truth", "predicted", "last_failing_check", "choice_1", "choice_2", "choice_3"}
    before = table((RECORDED / f"session-{name}-0013.csv").read_text())
    after = table(old.open("owner", f"{CONSOLE}results/export.{name}.csv").body)
    assert [list(row) for row in after] == [list(row) for row in before]
    assert facts(after, texts) == facts(before, texts)


def test_the_steps_that_were_revealed_in_an_open_session_stay_revealed(old: Installation) -> None:
    steps = old.open("owner", f"/api/sessions/{OPEN['session']}/report").json["steps"]
    revealed = {step["slug"] for step in steps if step["revealed_at"]}
    assert revealed == {"prepare", "launch", "request", "interfaces", "process"}
    answered = {step["slug"]: [choice["count"] for choice in step["choices"]] for step in steps if step["answered"]}
    assert answered == {"process": [1, 1, 0], "stop": [1, 0]}
    state = old.receive("Eva", f"/ws/sessions/{OPEN['session']}/", "session")
    assert set(state["revealed"]) == revealed
    assert (state["step"], state["gate"], state["pace"]) == ("stop", "stop", "gated")
    assert (state["mirror"], state["pointer"], state["closed"], state["locked"]) == (True, ROW, False, False)


def test_a_revealed_step_takes_no_answer_and_the_gate_stays_closed(old: Installation) -> None:
    steps = f"/sessions/{OPEN['session']}/steps"
    browser = old.browser("Eva")
    assert browser.ask("GET", f"{steps}/launch/").status == 200
    assert post(browser, f"{steps}/launch/predict/", choice="0").status == 409
    old.open("Eva", f"{steps}/isolation/", 409)


def test_websockets_of_experiments_and_measurements_keep_their_addresses(old: Installation) -> None:
    snapshot = old.receive("owner", f"/ws/experiments/{EXPERIMENT}/", "snapshot")
    assert snapshot["experiment"]["title"] == "Host or bridge"
    old.receive("owner", f"/ws/measurements/{MEASUREMENT}/", "measurement")
    mirrored = old.receive("Eva", f"/ws/sessions/{OPEN['session']}/mirror/", "snapshot")
    assert mirrored["experiment"]["id"] == EXPERIMENT


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


def test_a_report_of_the_old_version_is_imported_and_exported_unchanged(old: Installation) -> None:
    browser = old.browser("owner")
    browser.ask("GET", "/")
    for file in (REPORT, CLAIMS):
        copy = browser.post("/api/reports/import?copy=true", recorded(file.name))
        first = browser.post("/api/reports/import", recorded(file.name))
        assert (copy.status, first.status) == (201, 200), (copy.body, first.body)
        assert first.json["existing"] is True
        for report in (copy.json, first.json):
            assert f"sha256:{report['digest']}" == recorded(file.name)["hash"]
            assert old.open("owner", f"{report['url']}export.json").body == file.read_text()
            assert recorded(file.name)["content"]["title"] in old.open("owner", report["url"]).body


def test_the_commands_import_and_export_a_report_of_the_old_version_unchanged(nowhere: Terminal) -> None:
    imported = nowhere.run("report", "import", str(REPORT), "--json")
    assert (imported.code, imported.err) == (0, "")
    exported = nowhere.run("report", "export", imported.json["report"])
    assert (exported.code, exported.out) == (0, REPORT.read_text())


def test_the_old_sign_in_link_works_once_unless_it_was_in_a_backup(
    old: Installation, request: pytest.FixtureRequest
) -> None:
    restored = request.node.callspec.params["old"] == "restored"
    first, second = (old.browser().ask("GET", OLD["sign_in"]) for _ in range(2))
    assert (first.status == 302) is not restored, first.body[:300]
    assert second.status != 302
