"""A session in browsers: one instructor and six participants, each with their own Docker host."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.axe import violations, violations_of_another_state
from tests.browser.comparison import scrolls_sideways
from tests.browser.server import Server
from tests.browser.session_pages import Console, ParticipantPage, join, new_session
from tests.browser.typed import NOT_YET, begin_line, end_line, is_live
from tests.browser.visitor import Visit, Visitor
from tests.browser.workshop import HELD_FROM_THE_START, StepPage
from tests.browser.workshops.test_workshop import EXPECTED, HOST, finish, predict

pytestmark = [pytest.mark.browser, pytest.mark.engine]
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}}
LAST = HOST.steps[-1].slug


def play(step: StepPage) -> None:
    """Does one step with buttons, from the prediction to the reveal."""
    expected = next(each for each in HOST.steps if each.slug == step.slug)
    predict(step)
    step.press_commands()
    step.complete(expected)
    finish(step)


def press_together(steps: list[StepPage]) -> None:
    """Every participant presses the same button at the same time."""
    (commands,) = {step.open_commands() for step in steps}
    for command in range(commands):
        for step in steps:
            step.press(command)
        for step in steps:
            step.wait_for_outcome(command)


def play_all_together(people: list[ParticipantPage]) -> None:
    """Participants do the whole workshop at the same time, up to the last step."""
    steps = [person.at(HOST.steps[0].slug) for person in people]
    for expected in HOST.steps:
        assert [step.slug for step in steps] == len(steps) * [expected.slug]
        for step in steps:
            predict(step)
        press_together(steps)
        for step in steps:
            step.complete(expected)
        for step in steps:
            if expected.slug == LAST:
                step.wait_until_done()
            else:
                finish(step)


def type_all_together(people: list[ParticipantPage]) -> None:
    """Participants type every command into the terminal, from their current step to the last."""
    steps = [StepPage(person.page) for person in people]
    while steps:
        for step in steps:
            if step.slug in EXPECTED and step.page.locator("input[type=radio]").count():
                predict(step)
        lines = {step: typed_lines(step) for step in steps}
        for number in range(max(map(len, lines.values()))):
            type_together([(step, lines[step][number]) for step in steps if number < len(lines[step])])
        for step in list(steps):
            if not step.page.locator("[data-auto]").count() or step.slug in HELD_FROM_THE_START:
                step.check()
            if step.slug == LAST:
                step.wait_until_done()
                steps.remove(step)
            else:
                finish(step)


def typed_lines(step: StepPage) -> list[str]:
    return [one for one in step.page.locator(".command code").all_text_contents() if not one.startswith("docker pull")]


def type_together(lines: list[tuple[StepPage, str]]) -> None:
    """Types the lines at the same time; repeats a line while a container is still stopping or starting."""
    deadline = time.monotonic() + 20
    while lines:
        numbers = [begin_line(step.page, line) for step, line in lines]
        shown = [end_line(step.page, number) for (step, _), number in zip(lines, numbers, strict=True)]
        lines = [one for one, text in zip(lines, shown, strict=True) if NOT_YET.search(text)]
        assert time.monotonic() < deadline, shown


@pytest.mark.slow
def test_six_participants_complete_a_session_on_hosts_of_their_own(
    visitor: Visitor, visit: Visit, server: Server
) -> None:
    console = new_session(visitor, server, "Monday", hosts="person", max_participants="6", scores="on", terminal="on")
    link = console.link
    assert console.code.replace("-", "") in link
    people = {name: join(visit, link, name, **(PHONE if name in {"Bob", "Eve"} else {})) for name in NAMES}
    expect(console.page.locator("table.grid tbody tr")).to_have_count(6)
    expect(console.page.locator("[data-region=people]")).to_contain_text("6 of 6 present")
    late = visit(signed_in=False)
    late.expect("409")
    full = late.open(link)
    full.get_by_label("Your name").fill("Seven")
    full.get_by_role("button", name="Join").click()
    expect(full.locator("#name-problem")).to_contain_text("All 6 places are taken")
    console.pace_gated(LAST)
    for person in people.values():
        person.start_host()

    assert violations(people["Finn"].page) == []

    three_use_buttons(console, people)
    one_fails_twice_and_is_flagged(console, people["Dan"])
    people["Eve"] = one_continues_on_another_device(visit, console, people["Eve"])
    three_use_the_terminal(console, people)
    the_session_follows(console, people)

    console.page.get_by_text("Close the session").click()
    console.page.get_by_role("button", name="Close it now").click()
    expect(people["Ada"].page.locator("[data-slot=closed]")).to_be_visible()
    assert not scrolls_sideways(people["Bob"].page)
    the_report_is_correct(console)


NAMES = ("Ada", "Bob", "Cleo", "Dan", "Eve", "Finn")


def three_use_buttons(console: Console, people: dict[str, ParticipantPage]) -> None:
    """Three participants complete the workshop at the same time; each has its own port 80."""
    play_all_together([people[name] for name in NAMES[:3]])
    for name in NAMES[:3]:
        expect(console.row(name).locator('td[data-stage="done"]')).to_have_count(len(HOST.steps))


def one_fails_twice_and_is_flagged(console: Console, person: ParticipantPage) -> None:
    """A participant fails two checks, is flagged in the console and gets the instructor's hint."""
    step = person.at("prepare")
    play(step)
    assert step.slug == "launch"
    predict(step)
    for count in ("1", "2"):
        step.check()
        expect(step.page.locator("table.findings .no").first).to_be_visible()
        expect(console.cell("Dan", "launch").locator("small.no")).to_contain_text(count)
    flagged = console.asking().filter(has_text="Dan")
    expect(flagged).to_contain_text("failed checks")
    person.page.get_by_text("Ask for help").click()
    person.page.get_by_label("What's wrong?").fill("Nothing runs?")
    person.page.get_by_role("button", name="Raise my hand").click()
    expect(flagged).to_contain_text("hand raised")
    flagged.get_by_role("link", name="Dan").click()
    helping = console.page
    expect(helping.locator("[data-region=messages]")).to_contain_text("Nothing runs?")
    helping.get_by_role("textbox", name="Hint").fill("Press the button beside the command.")
    helping.get_by_role("button", name="Send").click()
    expect(person.page.locator("[data-slot=messages]")).to_contain_text("Press the button beside the command.")
    helping.get_by_role("link", name="Monday").click()
    expect(console.page.get_by_role("heading", name="Who needs help")).to_be_visible()


def one_continues_on_another_device(visit: Visit, console: Console, person: ParticipantPage) -> ParticipantPage:
    """The link moves a participant with its progress from a phone to a laptop; the phone has no access afterwards."""
    play(person.at("prepare"))
    person.page.goto(person.home)
    person.page.get_by_role("link", name="Continue on another device").click()
    person.page.get_by_role("button", name="Create my link").click()
    link = person.page.locator(".command code").inner_text()
    person.who.expect("401|403|WebSocket")
    who = visit(signed_in=False)
    laptop = who.open(link)
    expect(laptop.get_by_role("heading", name="Continue on this device")).to_be_visible()
    laptop.get_by_role("button", name="Continue here").click()
    expect(laptop.locator("[data-slot=my-name]")).to_have_text("Eve")
    expect(laptop.locator('.steps li[data-stage="done"]')).to_have_count(1)
    expect(person.page.get_by_text("You have not joined on this device.")).to_be_visible()
    person.page.goto(link)
    person.who.expect("404")
    expect(person.page.get_by_role("heading", name="This link is not valid")).to_be_visible()
    expect(console.row("Eve").locator(".dot.away")).to_have_count(0)
    return ParticipantPage(laptop, who, "Eve")


def three_use_the_terminal(console: Console, people: dict[str, ParticipantPage]) -> None:
    """Three participants type the remaining commands, each into a shell on its own host."""
    typing = [people[name] for name in NAMES[3:]]
    for person, slug in zip(typing, ("launch", "launch", "prepare"), strict=True):
        person.wait_for_host()
        person.at(slug)
        person.who.expect("task queue exceeded")  # xterm.js, where the machine is slow
        person.page.get_by_role("button", name="Open the terminal").click()
        is_live(person.page)
    type_all_together(typing)
    for person in typing:
        expect(console.row(person.name).locator('td[data-stage="done"]')).to_have_count(len(HOST.steps))


def the_report_is_correct(console: Console) -> None:
    """The report has each participant in each step: done, the judged prediction, two failed checks in total; and the
    sums per step."""
    page = console.page
    page.get_by_role("link", name="Results").first.click()
    rows = page.locator("table[data-grid] tbody tr")
    expect(rows).to_have_count(len(NAMES))
    for name, row in zip(NAMES, rows.all(), strict=True):
        expect(row.locator("th")).to_contain_text(name)
        for step, cell in zip(HOST.steps, row.locator("td[data-stage]").all(), strict=True):
            where = f"{name} in {step.slug}"
            assert cell.get_attribute("data-stage") == "done", where
            expected = EXPECTED.get(step.slug)
            judged = cell.locator(".guess").all_inner_texts()
            words = [] if expected is None else ["correct" if expected[0] == expected[1] else "incorrect"]
            assert [one.split()[-2] for one in judged] == words, where
            failed = ["2 failed"] if (name, step.slug) == ("Dan", "launch") else []
            assert cell.locator(".fails").all_inner_texts() == failed, where
        right = sum(one == other for one, other in EXPECTED.values())
        assert row.locator("td.end-only").all_inner_texts() == [str(len(HOST.steps)), f"{right}/{len(EXPECTED)}"]
    for step in HOST.steps:
        told = page.locator(f'table.figures tr[data-step="{step.slug}"]').inner_text()
        if step.slug in EXPECTED:
            assert f"{6 * (EXPECTED[step.slug][0] == EXPECTED[step.slug][1])} of 6" in told, told
        figures = page.locator(f'table.figures tr[data-step="{step.slug}"] td').all_inner_texts()
        flagged = step.slug == "launch"
        assert [re.sub(r".*: ", "", one).strip()[:1] for one in (figures[1], figures[4], figures[6])] == [
            "6",
            "2" if flagged else "0",
            "1" if flagged else "0",
        ], figures


def the_session_follows(console: Console, people: dict[str, ParticipantPage]) -> None:
    """The instructor moves on, locks and reveals; open pages show it without a reload."""
    finn = people["Finn"]
    finn.at("launch")
    finn.live()
    console.page.locator("#go-step").select_option("launch")
    console.page.get_by_role("button", name="Go", exact=True).click()
    expect(finn.page.locator("[data-slot=now-title]")).to_have_text(re.compile(r"^2\. "))
    console.press("Lock the step")
    expect(finn.page.locator("[data-slot=locked]")).to_be_visible()
    console.press("Unlock the step")
    expect(finn.page.locator("[data-slot=locked]")).to_be_hidden()
    console.press("Reveal answers to all")
    shown = finn.page.locator("[data-session-predictions]")
    expect(shown).to_contain_text(EXPECTED["launch"][1])
    expect(shown.locator('.bar[data-right="yes"] .bar-count')).to_have_text("6")
    expect(shown.locator(".verdict")).to_contain_text("Read from the kernel:")


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["short", "whole"])
def test_a_session_without_hosts_follows_the_instructor(
    visitor: Visitor, visit: Visit, server: Server, *, whole: bool
) -> None:
    identity = server.launch(modes=["host", "none"], title="Shown to all")
    console = new_session(visitor, server, "Observe")
    ada = join(visit, console.link, "Ada", **PHONE)
    ada.live()
    plain = join(visit, console.link, "Plain", java_script_enabled=False)
    expect(ada.page.locator("ul.people")).to_contain_text("Plain")
    console.press("Next step")
    ada.page.wait_for_url("**/steps/launch/")
    for person in (ada, plain):
        step = person.at("launch")
        assert step.page.locator('[data-act="run"]').count() == 0
        step.page.get_by_role("radio", name=EXPECTED["launch"][0], exact=True).check()
        button = step.page.get_by_role("button", name="Submit prediction")
        if person is ada:  # as after some seconds without a request: the page first checks whether the server answers
            button.evaluate("button => { dispatchEvent(new Event('offline')); button.click(); }")
        else:
            button.click()
        expect(step.page.get_by_text(f"Your prediction: {EXPECTED['launch'][0]}")).to_be_visible()
    expect(console.page.locator("[data-region=answers] .bar-count").first).to_have_text("2")
    console.page.locator("[name=experiment]").select_option(identity)
    console.page.get_by_role("button", name="Show", exact=True).click()
    expect(ada.page.locator("[data-slot=mirror]")).to_be_visible()
    ada.page.locator("[data-slot=mirror]").click()
    ada.page.wait_for_url("**/mirror/")
    expect(ada.page.locator("tr[data-row]").first).to_be_attached()
    assert ada.page.locator("main form").count() == ada.page.locator("main .session-bar form").count()
    row = ada.page.locator("tr[data-row]:visible").first.get_attribute("data-row")
    console.page.locator("#pointer").select_option(row)
    console.page.get_by_role("button", name="Point", exact=True).click()
    expect(ada.page.locator("tr[data-pointed]")).to_have_attribute("data-row", row or "")
    assert violations(ada.page) == []
    console.press("Reveal answers to all")
    expect(console.page.locator("[data-region=step]").get_by_text("revealed")).to_be_visible()
    plain.page.reload()
    expect(plain.page.locator("[data-session-predictions] .bar").first).to_be_visible()
    found = []
    for path in ("", "steps/launch/", "device/") if whole else ("", "device/"):
        ada.page.goto(ada.home + path)
        found += violations(ada.page)
    ada.page.get_by_role("button", name="Create my link").click()
    link = ada.page.locator(".command code").inner_text()
    home = ada.home
    ada.who.expect("403")
    ada.page.goto(link)
    found += violations(ada.page)
    ada.page.goto(f"{server.url}/doctor/")
    found += violations_of_another_state(ada.page)
    for path in ("", "projector/", "mirror/") if whole else ():
        console.page.goto(f"{home}console/{path}")
        found += violations(console.page)
    console.page.goto(f"{home}console/")
    console.row("Ada").get_by_role("link").click()
    found += violations(console.page)
    for path in ("sessions/", "sessions/new/", "join/") if whole else ("sessions/new/",):
        console.page.goto(f"{server.url}/{path}")
        found += violations(console.page)
    server.forget_everything()
    assert found == [], "\n".join(found)
