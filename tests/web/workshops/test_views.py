"""The pages of workshops: predict, run, check, with and without JavaScript."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import pytest
from channels.db import database_sync_to_async

from dashboard.core.experiments.docker_run import parse_run
from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.workshops.progress import StepRecord
from dashboard.lab.remote import workshop_calls
from dashboard.lab.workshops.files import Library
from dashboard.models import MeasurementRun
from dashboard.store import workshops as store
from dashboard.store.workshops import Progress
from dashboard.templatetags.workshops import duration, markdown
from dashboard.web.service import service
from tests.core.workshops.test_parser import GOOD
from tests.support.fakes import FakeEngine, make_info
from tests.support.lab_harness import LabHarness
from tests.web.asgi_client import Answer, Person, http, owner
from tests.web.markup import forbidden_in

pytestmark = pytest.mark.django_db(transaction=True)
FORM = ("content-type", "application/x-www-form-urlencoded")
PART = ("x-netmodes-part", "1")
HOME = "/workshop/host-network/"
BRIDGES = "/workshop/bridge-and-dns/"


async def post(path: str, who: Person, body: str = "", *, part: bool = False) -> Answer:
    headers = (FORM, PART) if part else (FORM,)
    return await http("POST", path, who=who, headers=headers, body=body.encode(), token=True)


async def get(path: str, who: Person) -> Answer:
    return await http("GET", path, who=who)


@database_sync_to_async
def load_progress(slug: str = "host-network") -> Progress | None:
    return store.load_progress(store.user_person(owner().pk), slug)


async def start(who: Person, home: str = BRIDGES) -> str:
    """Starts a workshop; returns the address of the first step."""
    answer = await post(f"{home}start/", who)
    assert answer.status == 302
    return answer["location"]


def text_of(answer: Answer) -> str:
    """The visible text of a page, without markup."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)))


def typed_config() -> dict[str, object]:
    """The configuration that a shell would send, without labels."""
    return parse_run("docker run -d --name typed nginx").labelled({})


async def test_the_list_shows_the_workshops_and_the_progress(lab_harness: LabHarness, me: Person) -> None:
    first = text_of(await get("/workshop/", me))
    assert first.index("The host network, step by step") < first.index("Bridge networks and DNS")
    assert "16 steps · about 40 minutes" in first
    assert "Continue" not in first
    await start(me)
    again = text_of(await get("/workshop/", me))
    assert "0 of 8 done" in again
    assert "Continue" in again


async def test_a_locked_step_names_the_step_to_do_first(lab_harness: LabHarness, me: Person) -> None:
    assert (await get(f"{HOME}launch/", me))["location"] == HOME, "not started"
    assert await start(me, HOME) == f"{HOME}prepare/"
    locked = await get(f"{HOME}request/", me)
    assert locked.status == 409
    assert "“Prepare” must be done first" in text_of(locked)
    for act in ("predict", "run", "check", "hint"):
        assert (await post(f"{HOME}request/{act}/", me, "choice=0&number=0")).status == 409
    assert "locked" in text_of(await get(HOME, me))


async def test_a_step_is_in_progress_once_its_checks_have_run(lab_harness: LabHarness, me: Person) -> None:
    def first_stage(page: str) -> str:
        return str(re.findall(r'<small class="stage[^"]*">([^<]+)<', page)[0])

    assert first_stage((await get(HOME, me)).text) == "open"
    url = await start(me, HOME)
    assert first_stage((await get(HOME, me)).text) == "open"
    await post(f"{url}check/", me, "auto=1", part=True)
    assert first_stage((await get(HOME, me)).text) == "in progress"


async def test_predict_run_and_reveal_without_a_script(lab_harness: LabHarness, me: Person, engine: FakeEngine) -> None:
    url = await start(me)
    assert url == f"{BRIDGES}two-containers/"
    shown = text_of(await get(url, me))
    assert "How many addresses will the Engine give" in shown
    assert "docker run --rm -d --name one nginx" not in shown, "the command is shown after the prediction"
    assert (await post(f"{url}run/", me, "number=0")).status == 409
    assert (await post(f"{url}predict/", me, "choice=7")).status == 400
    assert (await post(f"{url}predict/", me, "choice=1"))["location"] == url
    shown = text_of(await get(url, me))
    assert "Your prediction: One each" in shown
    assert "docker run --rm -d --name one nginx" in shown
    nothing = text_of(await post(f"{url}check/", me))
    assert "Nothing was launched" in nothing
    assert "not yet" in nothing
    for number in (0, 1):
        done = await post(f"{url}run/", me, f"number={number}")
        assert done.status == 200
        assert next(one for one in engine.made if one in done.text), "the output is the container's id"
    progress = await load_progress("bridge-and-dns")
    assert progress is not None
    assert progress.records["two-containers"].attempts == 1
    assert [one.name for one in engine.made.values()] == ["one", "two"]
    labels = next(iter(engine.made.values())).labels
    assert labels == {"dev.netmodes.installation": lab_harness.context.installation, "dev.netmodes.workshop": "yes"}


async def test_a_step_is_shown_although_its_workshop_no_longer_has_the_predicted_choice(me: Person) -> None:
    url = await start(me)

    async def shown(record: StepRecord) -> str:
        def change() -> None:
            store.update_step(store.user_person(owner().pk), "bridge-and-dns", "two-containers", lambda _record: record)

        await database_sync_to_async(change)()
        page = await get(url, me)
        assert page.status == 200
        return text_of(page)

    assert "Your prediction: One each" in await shown(StepRecord(prediction=1))
    assert "Your prediction: One each" not in await shown(StepRecord(prediction=7))
    done = await shown(StepRecord(prediction=7, truth="1", passed_at=1.0))
    assert "Predicted and observed" in done
    assert "Not quite" not in done


READ = """+++
title = "Read"
[predict]
question = "?"
choices = ["a <b>", "c"]
answer = 2
+++
Read *this*.

---

So.
"""


async def start_own(me: Person, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str) -> str:
    """Starts a workshop of one step, which has this ``line`` in its head; returns the step after the prediction."""
    folder = tmp_path / "own" / "mine"
    folder.mkdir(parents=True)
    (folder / "workshop.toml").write_text(GOOD["workshop.toml"].replace("A workshop", "Mine"))
    (folder / "01-read.md").write_text(READ.replace("[predict]", f"{line}\n[predict]", 1))
    monkeypatch.setattr(workshop_calls, "library", lambda: Library(tmp_path / "own"))
    url = await start(me, "/workshop/mine/")
    await post(f"{url}predict/", me, "choice=0")
    return url


async def test_a_completed_workshop_has_a_result(
    lab_harness: LabHarness, me: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    folder = own / "mine"
    folder.mkdir(parents=True)
    (folder / "workshop.toml").write_text(GOOD["workshop.toml"])
    (folder / "01-read.md").write_text(READ)
    monkeypatch.setattr(workshop_calls, "library", lambda: Library(own))
    url = await start(me, "/workshop/mine/")
    assert "Your result so far" in text_of(await get("/workshop/mine/result/", me))
    await post(f"{url}predict/", me, "choice=0")
    read = await post(f"{url}check/", me)
    assert "Not quite; here is why:" in text_of(read)
    assert "<em>this</em>" in read.text
    assert "a &lt;b&gt;" in read.text
    result = await get("/workshop/mine/result/", me)
    shown = text_of(result)
    assert "Workshop completed" in shown
    assert "0 of 1" in shown
    assert "owner" in shown
    assert "engine now Docker Engine 26.1.5" in shown, "the steps may have been done on another one"
    assert "checked" not in shown.replace("failed checks", ""), "its only step has no check"
    assert forbidden_in(result.text) == []
    assert (await post("/workshop/mine/start/", me))["location"] == "/workshop/mine/result/"
    await post("/workshop/mine/again/", me)
    assert await load_progress("mine") is None
    assert (await get("/workshop/mine/result/", me))["location"] == "/workshop/mine/"


async def test_only_a_completed_workshop_with_checks_was_checked(
    lab_harness: LabHarness, me: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentence = "Every step with checks was checked against the kernel and the Engine."
    check = '[[check]]\nkind = "removed"\nname = "web"'
    url = await start_own(me, monkeypatch, tmp_path, check)
    assert sentence not in text_of(await get("/workshop/mine/result/", me))
    await post(f"{url}check/", me)
    assert sentence in text_of(await get("/workshop/mine/result/", me))


@pytest.mark.parametrize("private", [False, True])
async def test_podman_cannot_run_a_built_in_workshop_unless_on_a_private_host(
    lab_harness: LabHarness, me: Person, monkeypatch: pytest.MonkeyPatch, *, private: bool
) -> None:
    engine = replace(lab_harness.context.ref, kind=EngineKind.PODMAN, private=private)
    monkeypatch.setattr(type(service), "engine", engine)
    shown = await get(BRIDGES, me)
    assert ("This engine cannot run the workshop. It requires Docker Engine" in text_of(shown)) is not private
    assert (f'action="{BRIDGES}start/"' in shown.text) is private
    answer = await post(f"{BRIDGES}start/", me)
    assert answer.status == (302 if private else 409)
    assert ("It requires Docker Engine" in text_of(answer)) is not private
    assert (await load_progress("bridge-and-dns") is not None) is private


async def test_podman_runs_a_workshop_of_this_installation(
    lab_harness: LabHarness, me: Person, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engine = replace(lab_harness.context.ref, kind=EngineKind.PODMAN, private=False)
    monkeypatch.setattr(type(service), "engine", engine)
    assert (await get(await start_own(me, monkeypatch, tmp_path, ""), me)).status == 200


async def test_a_workshop_is_refused_if_the_engine_does_not_support_one_of_its_modes(
    lab_harness: LabHarness, me: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(service), "engine", replace(lab_harness.context.ref, private=False))
    lab_harness.context.info = make_info(userns_remap=True)
    reason = "With userns-remap the engine refuses host mode"
    assert f"This engine cannot run the workshop. {reason}" in text_of(await get(HOME, me))
    refused = await post(f"{HOME}start/", me)
    assert (refused.status, reason in text_of(refused)) == (409, True)
    assert await load_progress() is None
    assert await start(me, BRIDGES) == f"{BRIDGES}two-containers/", "it launches no container in host mode"


@pytest.mark.parametrize(
    ("slug", "reason", "advice"),
    [
        ("from-outside", "It requires a private host, which has its own LAN and firewall.", "./netmodes hosts create"),
        ("across-hosts", "It requires two private hosts on one LAN, in a swarm.", "./netmodes lan create office"),
    ],
)
async def test_a_workshop_with_other_machines_is_refused_unless_on_a_private_host(
    lab_harness: LabHarness, me: Person, monkeypatch: pytest.MonkeyPatch, slug: str, reason: str, advice: str
) -> None:
    home = f"/workshop/{slug}/"
    monkeypatch.setattr(type(service), "engine", replace(lab_harness.context.ref, private=False))
    shown = await get(home, me)
    assert f"This engine cannot run the workshop. {reason}" in text_of(shown)
    assert f'action="{home}start/"' not in shown.text
    refused = await post(f"{home}start/", me)
    assert refused.status == 409
    assert all(advice in text_of(page) for page in (shown, refused))
    monkeypatch.setattr(type(service), "engine", replace(lab_harness.context.ref, private=True))
    assert (await post(f"{home}start/", me)).status == 302


async def test_only_a_workshop_with_nginx_in_host_mode_requires_port_80(
    lab_harness: LabHarness, me: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(service), "engine", replace(lab_harness.context.ref, private=False))
    for home, needed in ((HOME, True), (BRIDGES, False)):
        shown = text_of(await get(home, me))
        assert "uses this machine's own Docker Engine" in shown
        assert ("Port 80 must be free" in shown) is needed


@pytest.fixture
def private_engine(lab_harness: LabHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = replace(lab_harness.context.ref, private=True, endpoint="unix:///run/netmodes/mine/docker.sock")
    monkeypatch.setattr(type(service), "engine", engine)


@pytest.mark.usefixtures("private_engine")
async def test_a_line_that_only_its_button_can_run_has_no_copy_button(me: Person) -> None:
    url = await start(me, "/workshop/from-outside/")
    assert "cannot be typed" not in (await get(url, me)).text, "the commands are shown after the prediction"
    await post(f"{url}predict/", me, "choice=0")
    shown = await get(url, me)
    page = text_of(shown)
    assert "Copy docker run --rm -d --name web --network host nginx" in page
    assert "Copy curl" not in page
    assert "Send request : curl -i http://192.0.2.2/ # on another machine" in page
    assert "cannot be typed: use their buttons" in page
    assert "in a shell on that host" not in page


@pytest.mark.usefixtures("private_engine")
async def test_a_line_for_the_other_host_is_typed_in_a_shell_there(
    me: Person, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = await start_own(me, monkeypatch, tmp_path, 'run = ["docker ps # on the other host"]')
    page = text_of(await get(url, me))
    assert "in a shell on that host: ./netmodes hosts enter ID" in page
    assert "Copy docker ps # on the other host" in page
    assert "cannot be typed" not in page


async def test_the_script_gets_the_step_without_its_frame(lab_harness: LabHarness, me: Person) -> None:
    url = await start(me)
    part = await post(f"{url}predict/", me, "choice=1", part=True)
    assert part.status == 200
    assert "<html" not in part.text
    assert 'data-region="run"' in part.text
    auto = await post(f"{url}check/", me, "auto=1", part=True)
    progress = await load_progress("bridge-and-dns")
    assert progress is not None
    assert progress.records["two-containers"].attempts == 0
    assert progress.records["two-containers"].unmet
    assert "Nothing was launched" in auto.text


async def test_hints_are_noted(lab_harness: LabHarness, me: Person) -> None:
    url = await start(me)
    assert (await post(f"{url}hint/", me, "number=1", part=True)).status == 200
    assert (await post(f"{url}hint/", me, "number=x")).status == 302
    progress = await load_progress("bridge-and-dns")
    assert progress is not None
    assert progress.records["two-containers"].hints == 1


async def test_a_missing_workshop_or_step_is_404(lab_harness: LabHarness, me: Person) -> None:
    for path in ("/workshop/nobody/", "/workshop/nobody/step/", f"{HOME}nobody/", "/workshop/../etc/"):
        assert (await get(path, me)).status == 404, path
    assert (await post("/workshop/nobody/start/", me)).status == 404


async def test_an_unavailable_engine_is_reported_in_the_step(
    lab_harness: LabHarness, me: Person, engine: FakeEngine
) -> None:
    url = await start(me)
    await post(f"{url}predict/", me, "choice=1")
    engine.away = "The Docker Engine does not answer at nowhere."
    for act in ("check", "run"):
        away = await post(f"{url}{act}/", me, "number=0")
        assert away.status == 503
        assert "does not answer at nowhere" in text_of(away)
    assert (await get(url, me)).status == 200, "the text can still be read"


async def test_without_a_lab_the_text_can_be_read(me: Person) -> None:
    url = await start(me)
    assert (await get(url, me)).status == 200
    assert (await post(f"{url}check/", me)).status == 503


async def test_containers_from_buttons_are_removed_when_the_server_stops(
    lab_harness: LabHarness, me: Person, engine: FakeEngine
) -> None:
    url = await start(me)
    await post(f"{url}predict/", me, "choice=1")
    await post(f"{url}run/", me, "number=0")
    typed = await engine.create_container("typed", typed_config())
    await service.stop(lambda _text: None)
    assert list(engine.made) == [typed.id]


async def test_an_invalid_workshop_shows_its_problems_and_hides_no_other(
    lab_harness: LabHarness, me: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own" / "<b>").mkdir(parents=True)
    (tmp_path / "own" / "<b>" / "workshop.toml").write_text("format = ")
    monkeypatch.setattr(workshop_calls, "library", lambda: Library(tmp_path / "own"))
    shown = await get("/workshop/", me)
    assert "The workshop in “&lt;b&gt;” has errors" in shown.text
    assert "workshop.toml:1: this is not valid TOML" in shown.text
    assert "The host network, step by step" in shown.text


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("a `b` *c*", "<p>a <code>b</code> <em>c</em></p>\n"),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"),
        ("[x](/measurements/)", '<p><a href="/measurements/" rel="noopener noreferrer">x</a></p>\n'),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>\n"),
        ("[x](//evil.example)", "<p>[x](//evil.example)</p>\n"),
        ("![x](/y)", '<p>!<a href="/y" rel="noopener noreferrer">x</a></p>\n'),
        ("# big", "<p># big</p>\n"),
    ],
)
def test_markdown_is_text_emphasis_code_lists_and_links(text: str, markup: str) -> None:
    assert markdown(text) == markup


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "\N{EN DASH}"), (0.4, "0 s"), (59.6, "60 s"), (600, "10 min"), (3600, "1 h 0 min"), (3900, "1 h 5 min")],
)
def test_durations_are_shown_in_words(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


async def test_a_measurement_is_requested_once_and_its_headline_is_shown(
    lab_harness: LabHarness, me: Person, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = await start_own(me, monkeypatch, tmp_path, "measure = ['host', 'bridge']")
    assert "Measure it here" in text_of(await get(url, me))
    assert (await post(f"{url}measure/", me))["location"] == f"{url}#measure-title"
    shown = await post(f"{url}measure/", me, part=True)
    assert shown.status == 200
    assert "data-measuring" in shown.text
    run = await database_sync_to_async(MeasurementRun.objects.get)()
    assert run.title == "Mine: Read"
    await database_sync_to_async(MeasurementRun.objects.create)(
        title=run.title,
        twin=True,
        experiment_id=run.experiment_id,
        seed=1,
        state="finished",
        headline="None is slower.",
    )
    ended = await get(url, me)
    assert "data-measuring" not in ended.text
    assert "None is slower." in text_of(ended)


async def test_a_step_without_a_claim_about_speed_measures_nothing(
    lab_harness: LabHarness, me: Person, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = await start_own(me, monkeypatch, tmp_path, "")
    assert f"{url}measure/" not in (await get(url, me)).text
    refused = await post(f"{url}measure/", me)
    assert refused.status == 409
    assert "Nothing can be measured in this step." in text_of(refused)


async def test_only_a_private_host_has_a_line_that_enters_it(
    lab_harness: LabHarness, me: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await start(me, HOME)
    url = f"{HOME}prepare/"
    reference = lab_harness.context.ref
    for private, endpoint in (
        (False, "unix:///var/run/docker.sock"),
        (True, "unix:///run/netmodes/abc123/docker.sock"),
    ):
        engine = replace(reference, private=private, endpoint=endpoint)
        monkeypatch.setattr(type(service), "engine", engine)
        shown = text_of(await get(url, me))
        assert ("hosts enter" in shown) is private
    assert "./netmodes hosts enter abc123" in shown
