"""The pages of reports: list, read, save. No entered text is lost."""

from __future__ import annotations

import html
import re
import subprocess
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from dashboard.core.experiments.journal import Attempt, Trial
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.reports.anonymisation.identifiers import collect_texts
from dashboard.core.reports.csv_tables import histogram_lines
from dashboard.core.reports.model import canonical, decode_content, experiment_signature, frame
from dashboard.export import example
from dashboard.export.html import BEFORE, BEHIND
from dashboard.models import Annotation, Experiment, Report
from dashboard.store import experiments as experiment_store
from dashboard.store import parts
from dashboard.store.reports import reading as report_reading
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports.listing import find_reports, get_report
from dashboard.web.service import service
from tests.core.builders import make_arm
from tests.core.machine_scenes import two_machines
from tests.core.scenes import make_scene
from tests.store.reports.test_snapshot import launched
from tests.support.records import load_record
from tests.support.reports import ENGINE, make_content, make_file, make_run, with_scene
from tests.support.specs import make_spec
from tests.web.asgi_client import http, person
from tests.web.markup import forbidden_in
from tests.web.reports.pages import HERE, get, text_of
from tests.web.training.machine_fakes import join_machines

pytestmark = pytest.mark.django_db(transaction=True)
#: Networks for documentation (RFC 5737), and addresses that every machine has.
DOCUMENTED = [
    ip_network(one) for one in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "127.0.0.0/8", "0.0.0.0/32")
]


def test_an_experiment_of_a_report_runs_again_under_the_same_signature(owner: Client, report: str) -> None:
    assert f'action="/reports/{report}/repeat/"' in get(owner, f"/reports/{report}/")
    answer = owner.post(f"/reports/{report}/repeat/", **HERE)
    frozen = report_reading.load_content(report).experiment
    assert frozen is not None
    made = experiment_store.load(answer["Location"].split("/")[2])
    assert made is not None
    assert experiment_signature(made.spec) == experiment_signature(frozen.spec)


def test_an_invalid_experiment_of_a_report_is_not_launched(owner: Client) -> None:
    content = make_content()
    assert content.experiment is not None
    spec = replace(content.experiment.spec, port=0)
    odd = saved_reports.import_file(
        frame(canonical(replace(content, experiment=replace(content.experiment, spec=spec))))
    )
    answer = owner.post(f"/reports/{odd}/repeat/", **HERE)
    assert answer.status_code == 400
    assert "port must be from 1 to 65535" in text_of(answer.text)


def test_an_experiment_on_machines_that_are_gone_runs_again_on_others(
    owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = make_content()
    assert content.experiment is not None
    arms = (make_arm("host", machine="server"), make_arm("none", machine="host3.example"))
    spec = replace(content.experiment.spec, arms=arms)
    imported = saved_reports.import_file(
        frame(canonical(replace(content, experiment=replace(content.experiment, spec=spec))))
    )
    address = f"/reports/{imported}/repeat/"

    def machines_of(answer: Any) -> list[str]:
        assert answer.status_code == 302, answer.text[-2000:]
        record = load_record(answer["Location"].split("/")[2])
        return [part.machine for part in parts.parts_of(record)]

    alone = owner.post(address, **HERE)
    assert alone.status_code == 400
    assert alone.text.count('name="from"') == 2
    assert machines_of(owner.post(address, {"from": ["server", "host3.example"], "to": ["server"] * 2}, **HERE)) == []
    join_machines(monkeypatch, "lab2")
    refused = owner.post(address, **HERE)
    assert refused.status_code == 400
    assert 'name="from" value="host3.example"' in refused.text
    assert refused.text.count('name="from"') == 1
    assert "<option>lab2</option>" in refused.text
    again = owner.post(address, {"from": "host3.example", "to": "lab9"}, **HERE)
    assert again.status_code == 400
    assert machines_of(owner.post(address, {"from": "host3.example", "to": "lab2"}, **HERE)) == ["server", "lab2"]


def test_without_a_lab_on_the_own_machine_an_experiment_of_a_report_runs_again_on_another(
    owner: Client, report: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    join_machines(monkeypatch, "lab2").has_own_lab = False
    answer = owner.post(f"/reports/{report}/repeat/", **HERE)
    assert load_record(answer["Location"].split("/")[2]).machine == "lab2"


def test_an_empty_list_explains_how_to_save_a_report(owner: Client) -> None:
    assert "No reports yet" in text_of(get(owner, "/reports/"))


#: Queries with the titles that they list.
QUERIES: list[tuple[str, set[str]]] = [
    ("", {"Monday", "Tuesday"}),
    ("?q=monday", {"Monday"}),
    ("?q=MONDAY+nginx", {"Monday"}),
    ("?tag=office", {"Tuesday"}),
    ("?tag=lab", {"Monday", "Tuesday"}),
    ("?origin=claims", set()),
    ("?origin=nonsense", {"Monday", "Tuesday"}),
    ("?owner=me", set()),
    ("?archived=1", {"Wednesday"}),
    ("?page=99", {"Monday", "Tuesday"}),
    ("?page=-1&q=%00", {"Monday", "Tuesday"}),
]


def test_the_list_is_searched_and_filtered(owner: Client) -> None:
    tags = {"Monday": ("lab",), "Tuesday": ("lab", "office"), "Wednesday": ()}
    kept = {
        title: saved_reports.import_file(make_file(make_content(2, title=title, tags=own)))
        for title, own in tags.items()
    }
    saved_reports.archive(kept["Wednesday"])
    for query, shown in QUERIES:
        page = get(owner, f"/reports/{query}")
        assert set(re.findall(r'class="title" href="[^"]*">(\w+)<', page)) == shown, query
        assert forbidden_in(page) == []
        assert shown or "No report matches" in text_of(page)


def test_a_report_is_complete_at_first_paint_with_the_summary_first(owner: Client, report: str) -> None:
    page = get(owner, f"/reports/{report}/")
    assert forbidden_in(page) == []
    parts = ["In short", "Differences", "Latency", "Side by side", "Where each container lives",
             "Medians of blocks over time", "Timeline", "Evidence ?", "Environment"]  # fmt: skip
    read = text_of(page)
    places = [read.index(part) for part in parts]
    assert places == sorted(places)
    assert "Docker Engine 26.1.5" in read
    assert re.search(r"is slower than 127\.0\.0\.1 → host( \S+)? by", read), "in the words of the charts"
    assert "Names resolve." in read
    assert "<strong>Markdown</strong>" in page
    assert get_report(report).digest in read
    assert "imported" in read


def test_every_difference_links_to_its_evidence(owner: Client, report: str) -> None:
    page = get(owner, f"/reports/{report}/")
    targets = re.findall(r'href="#(section-\w+)"', page)
    assert len(targets) == 5
    assert all(f'id="{one}"' in page for one in targets)


def test_ids_are_unique_even_with_two_runs_of_one_probe(owner: Client) -> None:
    content = make_content()
    twice = replace(
        content, measurements=(*content.measurements, *(replace(r, id="run9") for r in content.measurements))
    )
    page = get(owner, f"/reports/{saved_reports.import_file(make_file(twice))}/")
    found = re.findall(r'\sid="([^"]+)"', page)
    assert len(found) == len(set(found))


@pytest.mark.parametrize("path", ["", "export.html"])
def test_the_shown_command_computes_the_shown_hash_from_the_exported_file(
    owner: Client, report: str, tmp_path: Path, path: str
) -> None:
    exported = owner.get(f"/reports/{report}/export.json", **HERE)
    file = exported["Content-Disposition"].partition('filename="')[2].rstrip('"')
    (tmp_path / file).write_bytes(exported.content)
    (command,) = re.findall(r"<code>(tail [^<]+)</code>", get(owner, f"/reports/{report}/{path}"))
    done = subprocess.run(
        ["/bin/sh", "-c", html.unescape(command)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert (done.stdout.split()[0], done.stderr) == (get_report(report).digest, "")


def test_a_long_timeline_shows_its_end_and_on_request_all_entries(owner: Client) -> None:
    number = saved_reports.import_file(make_file(make_content(changes=300)))
    assert "Change 0 " not in text_of(get(owner, f"/reports/{number}/"))
    assert "Change 0 " in text_of(get(owner, f"/reports/{number}/?lines=all"))


@pytest.mark.parametrize("path", ["", "track/", "share/", "export.json", "export.exe"])
def test_a_missing_report_is_not_found(owner: Client, path: str) -> None:
    get(owner, f"/reports/nobody/{path}", 404)


def test_the_replay_gets_its_recording(owner: Client, report: str) -> None:
    answer = owner.get(f"/reports/{report}/track/", **HERE)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert answer.json()


@pytest.mark.parametrize(
    ("ending", "kind", "begins"),
    [
        ("html", "text/html; charset=utf-8", b"<!doctype html>"),
        ("json", "application/json", b'{"content":'),
        ("csv", "text/csv; charset=utf-8", b""),
        ("md", "text/markdown; charset=utf-8", b"#"),
    ],
)
def test_an_export_is_a_download_and_not_a_page(
    owner: Client, report: str, ending: str, kind: str, begins: bytes
) -> None:
    answer = owner.get(f"/reports/{report}/export.{ending}", **HERE)
    assert answer.status_code == 200
    assert answer["Content-Type"] == kind
    assert answer["Content-Disposition"] == f'attachment; filename="host-or-bridge-{report}.{ending}"'
    assert answer["Content-Security-Policy"].startswith("sandbox;")
    assert answer.content.startswith(begins)


async def test_histograms_are_streamed_completely() -> None:
    number = await sync_to_async(saved_reports.import_file)(make_file())
    answer = await http("GET", f"/reports/{number}/export.histograms.csv", who=await person())
    assert answer.status == 200
    assert answer["content-type"] == "text/csv; charset=utf-8"
    assert answer.text == "".join(histogram_lines(make_content()))


def test_a_remark_is_shown_and_does_not_change_the_report(owner: Client, report: str) -> None:
    before = get_report(report).digest
    answer = owner.post(f"/reports/{report}/annotate/", {"text": "Seen **again**.\n\n<b>x</b>"}, follow=True, **HERE)
    page = answer.content.decode()
    assert "Seen <strong>again</strong>." in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert get_report(report).digest == before


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 20_001])
def test_an_invalid_remark_comes_back_with_the_entered_text(owner: Client, report: str, text: str) -> None:
    answer = owner.post(f"/reports/{report}/annotate/", {"text": text}, **HERE)
    assert answer.status_code == 400
    assert f">{text}</textarea>" in answer.content.decode()
    assert 'id="remark-problem"' in answer.content.decode()
    assert not Annotation.objects.exists()


def test_a_deleted_report_can_be_restored_on_the_next_page(owner: Client, report: str) -> None:
    page = owner.post(f"/reports/{report}/delete/", follow=True, **HERE).content.decode()
    assert "were deleted" in text_of(page)
    get(owner, f"/reports/{report}/", 404)
    assert f'action="/reports/{report}/undelete/"' in page
    assert owner.post(f"/reports/{report}/undelete/", follow=True, **HERE).status_code == 200
    assert owner.post(f"/reports/{report}/undelete/", **HERE).status_code == 404


def test_undo_is_offered_only_for_deleted_reports(owner: Client, report: str) -> None:
    for number in (report, "nobody", "<b>"):
        assert "were deleted" not in get(owner, f"/reports/?deleted={number}")


def test_an_archived_report_is_hidden_from_the_list_until_it_is_unarchived(owner: Client, report: str) -> None:
    owner.post(f"/reports/{report}/archive/", {"archived": "yes"}, **HERE)
    assert find_reports().total == 0
    assert "archived" in text_of(get(owner, f"/reports/{report}/"))
    owner.post(f"/reports/{report}/archive/", {"archived": "no"}, **HERE)
    assert find_reports().total == 1


@pytest.mark.parametrize(("host", "is_own"), [("", True), ("lan-1", False)])
def test_a_saved_experiment_has_the_servers_machine_only_if_it_ran_on_the_servers_engine(
    owner: Client, monkeypatch: pytest.MonkeyPatch, host: str, *, is_own: bool
) -> None:
    monkeypatch.setattr(type(service), "engine", ENGINE)
    experiment = launched()
    Experiment.objects.filter(pk=experiment).update(host=host)
    answer = owner.post(f"/experiments/{experiment}/save/", {"title": "Saved"}, **HERE)
    environment = report_reading.load_content(answer["Location"].split("/")[2]).environment
    assert (environment.cores > 0) is is_own


def test_a_failed_save_comes_back_with_the_entered_values(owner: Client) -> None:
    experiment = experiment_store.create_experiment(make_spec("host", "bridge"))
    experiment_store.set_wanted(experiment, Wanted.REMOVED)
    typed = {"title": "My title", "tags": "a, b", "notes": "My\nnotes <x>"}
    answer = owner.post(f"/experiments/{experiment}/save/", typed, **HERE)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert 'value="My title"' in page
    assert 'value="a, b"' in page
    assert "My\nnotes &lt;x&gt;</textarea>" in page
    assert "The report was not saved" in text_of(page)
    assert not Report.objects.exists()


def test_a_missing_measurement_is_refused_with_a_sentence(owner: Client) -> None:
    answer = owner.post("/measurements/nobody/save/", {"title": "x"}, **HERE)
    assert answer.status_code == 400
    assert 'value="x"' in answer.content.decode()


@pytest.mark.parametrize(
    ("started_at", "shown"),
    [
        ("2026-09-21T16:13:20.5+02:00", '<time datetime="2026-09-21T14:13:20.500000+00:00" data-local-time>'),
        ("soon <b>", "soon &lt;b&gt;"),
        ("9999-12-31T23:59:59-14:00", ""),
        ("", ""),
    ],
)
def test_the_start_of_a_measurement_is_shown_in_the_time_zone_of_the_reader(
    owner: Client, started_at: str, shown: str
) -> None:
    run = make_run()
    run = replace(run, measurement=replace(run.measurement, started_at=started_at))
    report = saved_reports.import_file(frame(canonical(make_content(runs=(run,)))))
    assert (f"<dt>started</dt><dd>{shown}" in get(owner, f"/reports/{report}/")) is bool(started_at)


def test_a_new_installation_shows_the_example_until_it_has_reports(owner: Client) -> None:
    page = get(owner, "/")
    assert "The Engine discarded -p for host" in text_of(page)
    assert 'href="/reports/example/"' in page
    saved_reports.import_file(make_file())
    assert "/reports/example/" not in get(owner, "/")


@pytest.mark.parametrize(
    ("scene", "expected"),
    [
        (two_machines(), [("rowgroup", "server"), ("row", "host"), ("rowgroup", "lab2"), ("row", "host-lab2")]),
        (make_scene(("host", "bridge")), [("row", "host"), ("row", "bridge")]),
    ],
)
def test_requests_to_several_machines_are_grouped_below_the_name_of_each(
    owner: Client, scene: tuple[Any, Any], expected: list[tuple[str, str]]
) -> None:
    content = with_scene(*scene)
    assert content.experiment is not None
    first, last = content.experiment.journal
    servers = [title for scope, title in expected if scope == "row"]
    attempts = tuple(Attempt("loopback", one, "machine", one, "", "", 200) for one in servers)
    tried = replace(last, facts=replace(last.facts, trial=Trial(attempts, last.at, 1)))
    shown = replace(content, experiment=replace(content.experiment, journal=(first, tried)))
    page = get(owner, f"/reports/{saved_reports.import_file(make_file(shown))}/")
    table = page.partition('<section class="card" id="tried"')[2].partition("</table>")[0]
    assert re.findall(r'<th scope="(row|rowgroup)"[^>]*>([^<]+)</th>', table) == expected


def test_the_example_is_a_complete_report_without_details_of_a_machine(owner: Client) -> None:
    page = get(owner, "/reports/example/")
    assert forbidden_in(page) == []
    assert "on a private host" in text_of(page)
    assert "/reports/example/track/" in page
    assert 'action="/reports/' not in page
    assert owner.get("/reports/example/track/", **HERE).json()["seqs"]
    content = decode_content(example.FILE.read_bytes()[BEFORE:-BEHIND])
    texts = "\n".join(collect_texts(content))
    for address in re.findall(r"\b\d+\.\d+\.\d+\.\d+\b", texts):
        assert any(ip_address(address) in network for network in DOCUMENTED), address
    assert {mac[:14] for mac in re.findall(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", texts)} <= {
        "00:00:5e:00:53",
        "00:00:00:00:00",
    }
    assert example.FILE.stat().st_size <= 300_000
    assert (content.author, content.installation) == ("", "")
