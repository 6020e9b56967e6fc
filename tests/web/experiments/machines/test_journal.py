"""The journal of an experiment on several machines, page by page, and its replay."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.models import Experiment, JournalEntry
from dashboard.store import journal as journal_store
from dashboard.store import parts
from tests.core.machine_scenes import entries_of
from tests.support.records import load_record
from tests.support.specs import make_spec
from tests.web.experiments.machines.experiment import observe, part_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_replay_continues_with_new_entries_of_each_machine(owner: Client, whole: str) -> None:
    observe(whole, "server")
    first = owner.get(f"/experiments/{whole}/track/").json()
    observe(whole, "lab2")
    second = owner.get(f"/experiments/{whole}/track/").json()
    record = load_record(whole)
    assert len(first["seqs"]) < len(second["seqs"]) == len(list(parts.read(record)))


def test_wrong_rows_of_one_machine_do_not_hide_the_other_machines(owner: Client, whole: str) -> None:
    observe(whole, "server", "lab2")
    part = part_of(whole, "lab2")
    Experiment.objects.filter(pk=part).update(phase="x")
    JournalEntry.objects.filter(experiment=part).update(facts="[")
    assert owner.get("/").status_code == 200
    assert [one["id"] for one in owner.get("/api/experiments").json()] == [whole]
    page = owner.get(f"/experiments/{whole}/")
    assert page.status_code == 200
    assert "lab2: An entry of this machine cannot be read" in page.content.decode()
    assert 'data-column="bridge"' in page.content.decode()


def ask(owner: Client, url: str) -> tuple[list[dict[str, Any]], str]:
    """The entries, and the address of the next page."""
    answer = owner.get(url)
    assert answer.status_code == 200, answer.content
    found = re.fullmatch(r'<(/api/experiments/\w+/journal\?.+)>; rel="next"', answer.headers.get("Link", ""))
    return answer.json(), found[1] if found else ""


def test_pages_follow_each_other_by_their_links(owner: Client, whole: str) -> None:
    observe(whole, "server", "lab2")
    all_entries, _next = ask(owner, f"/api/experiments/{whole}/journal")
    read: list[dict[str, Any]] = []
    url = f"/api/experiments/{whole}/journal?limit=4"
    for _number in range(20):
        page, following = ask(owner, url)
        read += page
        if not following:
            break
        url = following
    assert read == all_entries
    assert (page, following) == ([], ""), "the last page has no link"


def test_an_entry_that_becomes_visible_late_is_neither_skipped_nor_are_others_repeated(
    owner: Client, whole: str
) -> None:
    """Rows get their numbers before they are visible."""
    observe(whole, "server", "lab2")
    server, lab2 = part_of(whole, "server"), part_of(whole, "lab2")
    late = JournalEntry.objects.filter(experiment=server).latest("seq")
    late.delete()
    late.experiment_id = server
    before, url = ask(owner, f"/api/experiments/{whole}/journal")
    late.save(force_insert=True)
    after = Entry(journal_store.newest([lab2])[lab2][0] + 1, 1300.0, Cause(Source.LAB), Facts(), "the next one")
    journal_store.append(lab2, [after])
    page, _next = ask(owner, url)
    assert [entry["text"] for entry in page] == ["server: running", "lab2: the next one"]
    assert [entry["seq"] for entry in page] == [before[-1]["seq"] + 1, before[-1]["seq"] + 2]
    assert page[0]["facts"]["head"]["phase"] == "running"


def test_another_cursor_is_refused(owner: Client, whole: str) -> None:
    for cursor in ("x", "1", "1-2-3", "1--2", "1-99999999999"):
        answer = owner.get(f"/api/experiments/{whole}/journal?cursor={cursor}")
        assert answer.status_code == 400
        assert "not a cursor" in answer.json()["detail"]


def test_the_journal_of_one_machine_has_no_links(owner: Client) -> None:
    identity = parts.create(make_spec("host"))
    journal_store.append(identity, entries_of("server", ("host",)))
    entries, following = ask(owner, f"/api/experiments/{identity}/journal?after=2&limit=2")
    assert ([entry["seq"] for entry in entries], following) == ([3, 4][: len(entries)], "")
