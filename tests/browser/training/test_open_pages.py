"""Open pages of a session: they follow what changes, and keep what is being entered."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.browser.server import Server
from tests.browser.session_pages import join, new_session
from tests.browser.visitor import Visit, Visitor, wait_for_next_frame, wait_for_script
from tests.support.polling import until

pytestmark = [pytest.mark.browser, pytest.mark.engine]


def test_a_click_counts_although_the_page_changes_between_press_and_release(
    visitor: Visitor, visit: Visit, server: Server
) -> None:
    console = new_session(visitor, server, "Pressed", hosts="none")
    join(visit, console.link, "Ada")
    page = console.page
    link = page.locator(".participants").get_by_role("link", name="Ada", exact=True)
    link.hover()
    page.mouse.down()
    with page.expect_response(re.compile(r"/console/$")) as updated:
        join(visit, console.link, "Bob")
    updated.value.finished()
    # The response has been read and the next frame was drawn. A page that ignored the press would have replaced the
    # link by now.
    wait_for_next_frame(page)
    page.mouse.up()
    page.wait_for_url("**/console/seats/*/")


def test_a_page_follows_a_session_that_changed_before_its_first_message(
    visitor: Visitor, visit: Visit, server: Server
) -> None:
    console = new_session(visitor, server, "Quick", hosts="none")
    ada = join(visit, console.link, "Ada")
    page = ada.page
    held: list[WebSocketRoute] = []
    page.route_web_socket("**/ws/sessions/*/?own", lambda route: held.append(route))  # noqa: PLW0108 - see test_console.py
    ada.at("prepare")
    wait_for_script(page)
    console.press("Next step")
    expect(console.page.locator("#step-title")).to_contain_text("Step 2")
    until(lambda: page.title() and held)
    held.pop().connect_to_server()
    page.wait_for_url("**/steps/launch/")
    wait_for_script(page)
    console.press("Reveal answers to all")
    expect(console.page.locator("[data-region=step]").get_by_text("revealed")).to_be_visible()
    expect(page.locator("[data-step]")).not_to_have_attribute("data-stage", "done")
    until(lambda: page.title() and held)
    held.pop().connect_to_server()
    expect(page.locator("[data-step]")).to_have_attribute("data-stage", "done")


def test_a_question_that_was_not_sent_stays_although_the_instructor_moves_on(
    visitor: Visitor, visit: Visit, server: Server
) -> None:
    console = new_session(visitor, server, "Asked", hosts="none")
    ada = join(visit, console.link, "Ada")
    page = ada.at("prepare").page
    ada.live()
    page.get_by_text("Ask for help").click()
    question = page.get_by_label("What's wrong?")
    question.fill("Nothing runs?")
    question.blur()
    console.press("Next step")
    expect(page.locator("[data-slot=moved]")).to_be_visible()
    expect(question).to_have_value("Nothing runs?")
    assert page.url.endswith("/steps/prepare/")


def test_a_newcomer_who_waits_is_shown_the_end_of_the_session(visitor: Visitor, visit: Visit, server: Server) -> None:
    console = new_session(visitor, server, "Door", hosts="none")
    console.press("Require admission")
    expect(console.page.get_by_role("button", name="Admit everybody")).to_be_visible()
    late = join(visit, console.link, "Late")
    expect(late.page.get_by_text("Please wait, Late")).to_be_visible()
    late.live()
    console.page.get_by_text("Close the session").click()
    console.press("Close it now")
    expect(late.page.get_by_text("You were not admitted to it.")).to_be_visible()
    expect(late.page.get_by_text("Please wait, Late")).to_have_count(0)


@pytest.mark.parametrize("minutes", [-10, 10], ids=["behind", "ahead"])
def test_a_timer_shows_the_time_left_although_the_clock_of_the_browser_is_wrong(
    visitor: Visitor, visit: Visit, server: Server, minutes: int
) -> None:
    console = new_session(visitor, server, "Timed", hosts="none")
    ada = join(visit, console.link, "Ada")
    ada.who.context.add_init_script(f"const now = Date.now; Date.now = () => now() + {minutes * 60_000};")
    ada.at("prepare")
    ada.live()
    console.page.locator("#minutes").fill("5")
    console.press("Start")
    expect(ada.page.locator("[data-slot=timer]")).to_have_text(re.compile(r"^(5:00|4:\d\d)$"))


def test_a_participant_who_waits_at_the_gate_gets_the_next_step(visitor: Visitor, visit: Visit, server: Server) -> None:
    console = new_session(visitor, server, "Gated", hosts="person")
    console.pace_gated("prepare")
    ada = join(visit, console.link, "Ada")
    ada.start_host()
    step = ada.at("prepare")
    ada.live()
    step.check()
    step.wait_until_done()
    expect(step.page.get_by_text("The next step opens when your instructor continues.")).to_be_visible()
    console.pace_gated("launch")
    step.go_on()
    assert step.slug == "launch"


def test_the_sentence_beside_the_state_of_the_host_changes_when_the_host_is_queued(
    visitor: Visitor, visit: Visit, server: Server
) -> None:
    console = new_session(visitor, server, "Moved", hosts="person")
    ada = join(visit, console.link, "Ada")
    page, sentence = ada.page, ada.page.locator("[data-slot=host-text]")
    ada.live()  # the websocket of this page is not routed
    sockets: list[WebSocketRoute] = []
    page.route_web_socket("**/ws/sessions/*/?own", lambda route: sockets.append(route))  # noqa: PLW0108 - see test_console.py
    page.reload()
    until(lambda: page.title() and sockets)
    own = {"type": "participant", "admitted": True, "hand": False, "messages": [], "host_can_start": False}
    for name, stage, sent, shown in (
        ("Ada", "unreachable", "The machine does not respond.", "The machine does not respond."),
        ("Ada", "queued", "Your host is being created again.", "Your host is being created again."),
        ("Ada L.", "queued", "", "Your host is being created again."),
        ("Ada", "ready", "", ""),
    ):
        sockets[0].send(json.dumps({**own, "name": name, "host": stage, "host_text": sent}))
        expect(page.locator("[data-slot=host]")).to_have_attribute("data-stage", stage)
        expect(page.locator("[data-slot=my-name]")).to_have_text(name)
        expect(sentence).to_have_text(shown)


def test_a_page_that_was_offline_when_its_participant_was_removed_shows_it(
    visitor: Visitor, visit: Visit, server: Server
) -> None:
    console = new_session(visitor, server, "Asleep")
    ada = join(visit, console.link, "Ada")
    ada.live()
    ada.who.expect("401|403|WebSocket")
    sockets: list[WebSocketRoute] = []

    def connect(route: WebSocketRoute) -> None:
        sockets.append(route)
        if len(sockets) != 2:
            route.connect_to_server()

    ada.page.route_web_socket("**/ws/**", connect)
    ada.page.reload()
    ada.live()
    sockets[0].close(code=1011)
    expect(ada.page.locator("[data-slot=connection]")).to_have_attribute("data-connection", "connecting")
    console.page.locator(".participants").get_by_role("link", name="Ada", exact=True).click()
    console.page.get_by_text("Remove from the session").click()
    with console.page.expect_navigation():
        console.page.get_by_role("button", name="Remove now").click()
    sockets[1].close(code=1011)
    expect(ada.page.get_by_text("You have not joined on this device.")).to_be_visible()
