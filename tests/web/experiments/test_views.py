"""The pages of experiments, and commands that only write the wanted state."""

from __future__ import annotations

import asyncio
import gc
import html
import re
from dataclasses import replace
from pathlib import Path

import pytest
from channels.db import database_sync_to_async
from django.db import DatabaseError, transaction
from django.test import RequestFactory

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import ArmStatus, ModeReport, Phase
from dashboard.core.measurements.formatting import format_duration
from dashboard.engine.protocol import EngineError
from dashboard.lab.remote.experiment_calls import LaunchOptions, launch_options
from dashboard.models import Experiment
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.web.experiments import views
from dashboard.web.operations import health
from dashboard.web.service import service
from tests.core.sample import make_columns, make_head, make_states
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness
from tests.support.polling import eventually
from tests.support.specs import make_spec
from tests.web.asgi_client import Answer, Person, abandon, http
from tests.web.own_host import lab_here

pytestmark = pytest.mark.django_db(transaction=True)
FORM = (("content-type", "application/x-www-form-urlencoded"),)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine("nginx", "busybox:1.36")


async def post(path: str, who: Person, body: str = "", *, as_json: bool = False) -> Answer:
    headers = (*FORM, *((("accept", "application/json"),) if as_json else ()))
    return await http("POST", path, who=who, headers=headers, body=body.encode(), token=True)


@database_sync_to_async
@transaction.atomic
def make_past(wanted: Wanted = Wanted.STOPPED) -> str:
    """An experiment that ran and was stopped: three entries, the last one is the stop. Written at once, because a lab
    may be running."""
    identity = experiment_store.create_experiment(make_spec("host", "bridge", "user-bridge", title="Long ago"))
    head, stopped = make_head(Phase.RUNNING), make_head(Phase.STOPPED)
    cause = Cause(Source.LAB, "test")
    journal_store.append(
        identity,
        [
            Entry(1, 1000.0, cause, Facts(head=make_head(Phase.PREPARING)), "asked for"),
            Entry(2, 1001.0, cause, Facts(head=head, columns=make_columns(), states=make_states()), "runs"),
            Entry(3, 1002.0, cause, Facts(head=stopped, forgotten=tuple(make_states())), "is gone"),
        ],
    )
    experiment_store.save_head(identity, stopped, 2)
    experiment_store.set_wanted(identity, wanted)
    return identity


@database_sync_to_async
def row_of(identity: str) -> tuple[str, int]:
    row = Experiment.objects.get(pk=identity)
    return row.wanted, row.round


async def test_the_start_page_shows_the_engine(me: Person, lab_harness: LabHarness) -> None:
    page = (await http("GET", "/", who=me)).text
    assert "Engine 26.1.5" in page
    assert "private host" in page
    assert '<option value="busybox:1.36">' in page
    assert 'name="free_port" value="8080"' in page


async def test_the_start_page_shows_the_engine_s_problem(
    me: Person, lab_harness: LabHarness, engine: FakeEngine
) -> None:
    engine.away = "The Docker Engine at unix:///x did not answer within 15 s: it hangs."
    answer = await http("GET", "/", who=me)
    assert answer.status == 200
    assert "it hangs" in answer.text


async def test_the_start_page_works_without_a_lab(me: Person) -> None:
    answer = await http("GET", "/", who=me)
    assert answer.status == 200
    assert "No engine answers" in answer.text


async def test_the_start_page_hides_experiments_of_training_sessions(me: Person) -> None:
    make = database_sync_to_async(experiment_store.create_experiment)
    await make(make_spec("host", title="Ours"))
    await make(make_spec("host", title="Of a class"), host="abc", group="session-1")
    text = (await http("GET", "/", who=me)).text
    assert "Ours" in text
    assert "Of a class" not in text


async def test_a_title_is_text_and_not_markup(me: Person) -> None:
    title = "<img src=x onerror=alert(1)>{{ 7|add:7 }}"
    await database_sync_to_async(experiment_store.create_experiment)(make_spec("host", title=title))
    page = (await http("GET", "/", who=me)).text
    assert "<img" not in page
    assert html.escape(title) in page


async def test_an_experiment_is_complete_before_anything_runs(me: Person) -> None:
    identity = await database_sync_to_async(experiment_store.create_experiment)(
        make_spec("host", "bridge", title="Soon")
    )
    page = (await http("GET", f"/experiments/{identity}/", who=me)).text
    assert "Soon" in page
    assert 'data-column="bridge"' in page
    assert f'data-ws="/ws/experiments/{identity}/"' in page


async def test_a_past_experiment_shows_its_last_state_and_is_not_live(me: Person) -> None:
    identity = await make_past()
    page = (await http("GET", f"/experiments/{identity}/", who=me)).text
    assert 'data-ws=""' in page
    assert "This is the state before the stop" in page
    assert "4026532561" in page, "the bridge container's namespace was read before the stop"


async def test_any_entry_can_be_shown(me: Person) -> None:
    identity = await make_past()
    first = (await http("GET", f"/experiments/{identity}/?at=1", who=me)).text
    second = (await http("GET", f"/experiments/{identity}/?at=2", who=me)).text
    assert "4026532561" not in first
    assert "4026532561" in second
    assert 'data-ws=""' in first
    assert "Show the current state" in second


@pytest.mark.parametrize("count", [200, 250])
async def test_the_timeline_tells_how_many_earlier_entries_it_omits(me: Person, count: int) -> None:
    identity = await database_sync_to_async(experiment_store.create_experiment)(make_spec("host"))
    cause, head = Cause(Source.LAB, "test"), make_head(Phase.RUNNING)
    entries = [Entry(seq, 1000.0 + seq, cause, Facts(head=head), "line") for seq in range(1, count + 1)]
    await database_sync_to_async(journal_store.append)(identity, entries)
    page = (await http("GET", f"/experiments/{identity}/", who=me)).text
    assert page.count('<li data-seq="') == 201, "one is the template of the script"
    assert f'<li data-seq="{count}">' in page
    assert ("data-older hidden>" in page) == (count == 200)
    assert f"Earlier entries not shown here: {count - 200}." in page
    assert 'href="#replay" data-show-view="replay">See Replay</a>' in page


async def test_a_past_moment_has_its_own_phase_running_time_and_results(me: Person) -> None:
    identity = await database_sync_to_async(experiment_store.create_experiment)(make_spec("host"))
    tried, measured, cause = "Every path answered.", "docker-proxy costs time.", Cause(Source.LAB, "test")
    head = make_head(Phase.RUNNING, started_at=1002.0)
    heads = [
        (1000.0, make_head(Phase.PREPARING, started_at=None)),
        (1010.0, head),
        (1700.0, replace(head, tried=tried, measured=measured, problem="The disk is full.")),
    ]
    entries = [Entry(seq, at, cause, Facts(head=one), "line") for seq, (at, one) in enumerate(heads, 1)]
    await database_sync_to_async(journal_store.append)(identity, entries)
    here = f"/experiments/{identity}/"
    first, second = [(await http("GET", f"{here}?at={seq}", who=me)).text for seq in (1, 2)]
    assert 'data-slot="phase-badge" data-phase="preparing"' in first
    assert 'data-slot="elapsed" hidden' in first
    assert 'data-slot="phase-badge" data-phase="running"' in second
    assert f"<span data-elapsed>{format_duration(8.0)}</span>" in second
    for page in (first, second):
        assert tried not in page
        assert measured not in page
        # The buttons act on the experiment as it is now.
        assert 'data-page="experiment"' in page
        assert re.search(rf'data-url="{here}"\s+data-phase="running"', page)
        assert re.search(rf'action="{here}restart/" class="inline" data-phases="running"\s*>', page)
        assert "The disk is full." in page
    past = (await http("GET", f"/api/experiments/{identity}?at=1", who=me)).json["experiment"]
    assert (past["phase"], past["tried"], past["as_it_was"]) == ("preparing", "", 1000.0)
    now = (await http("GET", here, who=me)).text
    assert tried in now
    assert measured in now


@pytest.mark.parametrize("at", ["x", "-1", "1.5", "1e3", "0x1", "9999999999", "1 ", "%00", "\u0661"])
async def test_an_invalid_entry_is_refused_with_a_sentence(me: Person, at: str) -> None:
    identity = await make_past()
    answer = await http("GET", f"/experiments/{identity}/?at={at.encode().decode('latin-1')}", who=me)
    assert answer.status == 400
    assert "number of a journal entry" in answer.text


@pytest.mark.parametrize("at", ["0", "3", "4", "999999999"])
async def test_an_entry_out_of_range_is_no_error(me: Person, at: str) -> None:
    identity = await make_past()
    assert (await http("GET", f"/experiments/{identity}/?at={at}", who=me)).status == 200


@pytest.mark.parametrize("action", ["", "stop/", "restart/", "again/", "remove/", "try/", "inspect/"])
async def test_an_unknown_experiment_is_404(me: Person, action: str) -> None:
    path = f"/experiments/nobody/{action}"
    answer = await (post(path, me) if action else http("GET", path, who=me))
    assert answer.status == 404
    assert "No experiment has this id." in answer.text


async def test_commands_write_the_wanted_state(me: Person) -> None:
    identity = await database_sync_to_async(experiment_store.create_experiment)(make_spec("host", "bridge"))
    here = f"/experiments/{identity}/"
    for action, wanted, where in (
        ("stop", ("stopped", 1), f"{here}#state"),
        ("again", ("running", 2), f"{here}#state"),
        ("restart", ("running", 3), f"{here}#state"),
        ("remove", ("removed", 3), "/"),
    ):
        answer = await post(f"{here}{action}/", me)
        assert (answer.status, answer["location"]) == (302, where)
        assert await row_of(identity) == wanted


async def test_an_experiment_that_is_being_removed_cannot_be_launched_again(me: Person) -> None:
    identity = await make_past(Wanted.REMOVED)
    for action in ("stop", "again", "restart", "remove", "try", "inspect"):
        assert (await post(f"/experiments/{identity}/{action}/", me)).status == 404
    assert await row_of(identity) == ("removed", 1)
    assert identity not in (await http("GET", "/", who=me)).text


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_a_command_is_a_post(me: Person, method: str) -> None:
    identity = await make_past()
    for action in ("stop", "again", "remove", "try", "inspect"):
        assert (await http(method, f"/experiments/{identity}/{action}/", who=me, token=True)).status == 405


async def test_without_a_lab_a_request_is_refused_with_a_reason(me: Person) -> None:
    identity = await make_past()
    page = await post(f"/experiments/{identity}/try/", me)
    assert (page.status, page["content-type"]) == (409, "text/html; charset=utf-8")
    assert "Engine" in page.text
    data = await post(f"/experiments/{identity}/try/", me, as_json=True)
    assert data.status == 409
    assert data.json["detail"]
    output = await post(f"/experiments/{identity}/inspect/", me, "column=host&command=ss")
    assert (output.status, output["content-type"]) == (409, "text/plain; charset=utf-8")


@pytest.mark.usefixtures("silent_engine")
async def test_without_the_engine_of_a_private_host_a_request_is_refused_with_a_reason(me: Person) -> None:
    identity = await make_past()
    page = await post(f"/experiments/{identity}/try/", me)
    data = await post(f"/experiments/{identity}/try/", me, as_json=True)
    output = await post(f"/experiments/{identity}/inspect/", me, "column=host&command=ss")
    for answer in (page, data, output):
        assert answer.status == 409
        assert "did not answer within 5 s" in answer.text


async def test_a_past_experiment_is_not_tried(me: Person, lab_harness: LabHarness) -> None:
    identity = await make_past()
    answer = await post(f"/experiments/{identity}/try/", me, as_json=True)
    assert answer.status == 409
    assert "launch it again" in answer.json["detail"]


async def test_a_command_runs_in_a_column_and_nothing_else_does(me: Person, lab_harness: LabHarness) -> None:
    identity = await lab_harness.running("host")
    answer = await post(f"/experiments/{identity}/inspect/", me, "column=host&command=ip-addr")
    assert answer.status == 200
    assert "LOOPBACK" in answer.text
    for body, fragment in (
        ("column=host&command=rm", "Unknown command"),
        ("column=host&command=ip-addr%3Bid", "Unknown command"),
        ("column=nobody&command=ip-addr", "There is no running column"),
        ("column=host&command=nslookup&name=a%3Bid", "not a host name"),
        ("column=host&command=nslookup&name=-version", "not a host name"),
        ("column=host&command=nslookup&name=", "not a host name"),
        ("", "no running column"),
    ):
        refused = await post(f"/experiments/{identity}/inspect/", me, body)
        assert refused.status == 400, body
        assert fragment in refused.text, body


class EndlessOutput:
    """The output of a command that runs until it is closed."""

    def __init__(self) -> None:
        self.closes = 0

    async def __anext__(self) -> str:
        await asyncio.Event().wait()
        raise AssertionError("it waits until it is cancelled")

    async def aclose(self) -> None:
        self.closes += 1


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> EndlessOutput:
    output = EndlessOutput()

    async def ask_about(*_arguments: object) -> EndlessOutput:
        return output

    monkeypatch.setattr(service, "ask_about", ask_about)
    return output


@pytest.mark.parametrize("reads", [False, True])
async def test_a_browser_that_disconnects_ends_its_command(me: Person, endless: EndlessOutput, reads: bool) -> None:
    identity, started = await make_past(), asyncio.Event()

    async def receive(_message: object) -> None:
        started.set()
        if not reads:  # the body is never requested
            await asyncio.Event().wait()

    body = b"column=host&command=ss"
    path = f"/experiments/{identity}/inspect/"
    await abandon("POST", path, started.is_set, who=me, headers=FORM, body=body, receive=receive)
    await eventually(lambda: endless.closes == 1)


async def test_a_response_that_is_dropped_ends_its_command(me: Person, endless: EndlessOutput) -> None:
    identity = await make_past()
    await views.inspect(RequestFactory().post("/"), identity)
    gc.collect()
    await eventually(lambda: endless.closes == 1)


async def test_a_running_experiment_is_tried_on_every_path(
    me: Person, lab_harness: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A test sends nothing over the machine's link, if the machine has one.
    monkeypatch.setattr("dashboard.lab.experiments.multicast.sending_links", lambda *_: ())
    identity = await lab_harness.running("host", port=1)
    data = await post(f"/experiments/{identity}/try/", me, as_json=True)
    assert data.status == 200
    assert data.json["attempts"][0]["path"] == "loopback"
    assert "refused the connection" in data.json["attempts"][0]["error"]
    assert data.json["attempts"][0]["from"] == "this machine"
    page = await post(f"/experiments/{identity}/try/", me)
    assert "refused the connection" in page.text
    assert "from this machine" in page.text
    assert "Multicast" not in page.text
    page = await post(f"/experiments/{identity}/try/", me, "multicast=1")
    assert "Multicast on the machine" in page.text
    assert "no IPv4 default route" in page.text


async def test_docker_s_message_is_shown_as_text(me: Person, lab_harness: LabHarness, engine: FakeEngine) -> None:
    engine.refuse["create_container"] = EngineError("invalid <b>mount</b> config & more", 400)
    identity = await lab_harness.launch("host")
    await lab_harness.reaches(identity, Phase.FAILED)
    page = (await http("GET", f"/experiments/{identity}/", who=me)).text
    assert "invalid &lt;b&gt;mount&lt;/b&gt; config &amp; more" in page
    assert (await lab_harness.column(identity, "host")).status is ArmStatus.REFUSED


async def test_the_doctor_s_page_works_with_and_without_an_engine(
    me: Person, engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = await http("GET", "/doctor/", who=me)
    assert without.status == 200
    assert "/nonexistent/docker.sock" in without.text
    async with lab_here(engine, tmp_path, monkeypatch):
        assert "26.1.5" in (await http("GET", "/doctor/", who=me)).text


async def test_readiness_needs_engine_and_database(lab_harness: LabHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await http("GET", "/readyz")).status == 200

    class Broken:
        def cursor(self) -> None:
            raise DatabaseError("disk I/O error")

    monkeypatch.setattr(health, "connection", Broken())
    answer = await http("GET", "/readyz")
    assert (answer.status, answer.text) == (503, "missing: database\nThe database does not answer.\n")
    assert (await http("GET", "/healthz")).status == 200


async def test_an_experiment_is_renamed_on_its_page_and_in_lists(me: Person, lab_harness: LabHarness) -> None:
    identity = await make_past()
    answer = await post(f"/experiments/{identity}/rename/", me, "title=Shop+%26+blog")
    assert (answer.status, answer["location"]) == (302, f"/experiments/{identity}/")
    for page in ("/", f"/experiments/{identity}/"):
        assert "Shop &amp; blog" in (await http("GET", page, who=me)).text


async def test_a_name_that_is_too_long_is_refused(me: Person, lab_harness: LabHarness) -> None:
    identity = await make_past()
    answer = await post(f"/experiments/{identity}/rename/", me, f"title={'x' * 201}")
    assert answer.status == 400
    assert "at most 200 valid characters" in answer.text
    assert (await post("/experiments/nothing/rename/", me, "title=x")).status == 404


async def test_a_preset_that_cannot_show_its_difference_states_why(
    me: Person, lab_harness: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = (ModeReport("host", True), ModeReport("bridge", False, "The Engine has no bridge network."))

    async def answer_call(_host: str, call: object, *_args: object) -> object:
        return LaunchOptions(modes, (), 8080) if call is launch_options else ()

    monkeypatch.setattr(service, "ask_of", answer_call)
    page = (await http("GET", "/", who=me)).text
    assert page.count("bridge: The Engine has no bridge network.") == 1
    assert 'name="preset"' not in page
    assert (await post("/presets/", me, "preset=web")).status == 409
    monkeypatch.undo()
    assert 'name="preset"' in (await http("GET", "/", who=me)).text


async def test_a_preset_is_launched_by_one_request(me: Person, lab_harness: LabHarness) -> None:
    answer = await post("/presets/", me, "preset=web")
    assert answer.status == 302
    assert answer["location"].endswith("/#answer")
    assert (await post("/presets/", me, "preset=nonsense")).status == 404
    page = (await http("GET", "/?preset=names", who=me)).text
    assert 'value="Service that looks up another by name"' in page
    assert (await http("GET", "/?preset=nonsense", who=me)).status == 404


async def test_a_row_that_cannot_be_read_is_missing_in_lists_and_breaks_no_page(me: Person) -> None:
    good, bad = [await database_sync_to_async(experiment_store.create_experiment)(make_spec("none")) for _ in range(2)]
    await Experiment.objects.filter(pk=bad).aupdate(spec="x")
    for path in ("/", "/api/experiments"):
        answer = await http("GET", path, who=me)
        assert answer.status == 200
        assert good in answer.text
        assert bad not in answer.text
