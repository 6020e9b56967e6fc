"""A running experiment: Try and Inspect."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.comparison import ExperimentPage
from tests.browser.experiments.live.conftest import PORT, inside, try_paths
from tests.support.private_engine import PrivateEngine

pytestmark = [pytest.mark.browser, pytest.mark.engine]


def _user_bridge_paths(engine: PrivateEngine, identity: str, own: str) -> dict[str, tuple[str, str]]:
    network = (
        f'{{{{with index .NetworkSettings.Networks "nm-{identity}"}}}}{{{{.IPAddress}}}} {{{{.Gateway}}}}{{{{end}}}}'
    )
    inner, gateway = engine.inspect(f"nm-{identity}-user-bridge", network).split()
    return {
        "127.0.0.1 inside user-bridge": ("127.0.0.1:80", "127.0.0.1"),
        "The machine to user-bridge's address": (f"{inner}:80", gateway),
        "127.0.0.1 to the published port of user-bridge": (f"127.0.0.1:{PORT + 1}", gateway),
        "The machine's address to the published port of user-bridge": (f"{own}:{PORT + 1}", own),
    }


def test_every_path_answers_or_names_what_prevents_it(shown: ExperimentPage) -> None:
    """Holds on every engine."""
    found = try_paths(shown)
    offered = {title: attempt for title, attempt in found.items() if not attempt["unavailable"]}
    assert offered
    assert {title: attempt["failure"] for title, attempt in offered.items() if attempt["status"] != "200 OK"} == {}


def test_try_it_requests_every_path_and_shows_the_client_ip(
    running: str, shown: ExperimentPage, engine_host: PrivateEngine
) -> None:
    page = shown
    found = try_paths(page)
    inner = engine_host.inspect(f"nm-{running}-bridge", "{{.NetworkSettings.Networks.bridge.IPAddress}}")
    gateway = engine_host.inspect(f"nm-{running}-bridge", "{{.NetworkSettings.Networks.bridge.Gateway}}")
    own = page.text("identity/address/", "machine").split(",")[0]
    expected = {
        "127.0.0.1 to host": ("127.0.0.1:80", "127.0.0.1"),
        "The machine's address to host": (f"{own}:80", own),
        "127.0.0.1 inside bridge": ("127.0.0.1:80", "127.0.0.1"),
        "The machine to bridge's address": (f"{inner}:80", gateway),
        "127.0.0.1 to the published port of bridge": (f"127.0.0.1:{PORT}", gateway),
        "The machine's address to the published port of bridge": (f"{own}:{PORT}", own),
        **_user_bridge_paths(engine_host, running, own),
    }
    assert expected.keys() < found.keys()
    for title, (address, client) in expected.items():
        assert found[title]["status"] == "200 OK", found[title]
        assert found[title]["curl"] == f"curl -i http://{address}/", title
        assert found[title]["time"].endswith(("µs", "ms", " s"))  # seconds on a busy machine
        assert found[title]["failure"] == ""
        assert found[title]["client"].rsplit(":", 1)[0] == client, title
        assert f"from {client}." in found[title]["body"]
    [title] = found.keys() - expected.keys()
    assert title == "Published port of host"
    assert found[title]["unavailable"] == "the Engine discarded -p: host uses the machine's own ports"
    assert found[title]["status"] == ""


def test_a_failed_path_shows_its_error(running: str, shown: ExperimentPage, engine_host: PrivateEngine) -> None:
    page = shown
    rule = ("INPUT", "-p", "tcp", "--dport", "80", "-j", "REJECT", "--reject-with", "tcp-reset")
    inside(engine_host, running, "bridge", "iptables", "-A", *rule)
    try:
        found = try_paths(page)
    finally:
        inside(engine_host, running, "bridge", "iptables", "-D", *rule)
    assert found["127.0.0.1 to host"]["status"] == "200 OK"
    assert "refused the connection" in found["127.0.0.1 inside bridge"]["failure"]
    assert "refused the connection" in found["The machine to bridge's address"]["failure"]
    # docker-proxy accepts the connection before it has connected to the container.
    proxied = found["127.0.0.1 to the published port of bridge"]["failure"]
    assert f"127.0.0.1:{PORT}" in proxied
    assert "refused" not in proxied


def test_requests_to_several_machines_are_grouped_below_the_name_of_each(shown: ExperimentPage) -> None:
    """With the answer of an experiment on two machines: only the browser's part runs here."""
    page = shown.page
    shown.open_panel("try")
    answer = [
        {"title": title, "machine": machine, "from": "this machine", "status": 200, "reason": "OK", "time_us": 90}
        for title, machine in (("to host", "server"), ("to host-lab2", "lab2"), ("to bridge-lab2", "lab2"))
    ]
    page.route("**/try/", lambda route: route.fulfill(json={"attempts": answer}))
    try:
        page.get_by_role("button", name="Request over every path").click()
        expect(page.get_by_role("heading", name="lab2", exact=True)).to_be_visible()
    finally:
        page.unroute("**/try/")
    headings = page.locator("[data-slot=attempts] :is(h3, h4)")
    assert headings.all_inner_texts() == ["server", "to host", "lab2", "to host-lab2", "to bridge-lab2"]
    assert page.locator("[data-slot=attempts] ul").count() == 2


def _inspect(page: ExperimentPage, column: str, command: str, name: str = "") -> str:
    """The output of an Inspect command."""
    page.open_panel("inspect")
    page.page.get_by_label("Column", exact=True).select_option(column)
    page.page.get_by_label("Command", exact=True).select_option(label=command)
    if name:
        page.page.get_by_label("Name to look up").fill(name)
    page.page.locator("[data-slot=inspect-state]").evaluate("one => { one.textContent = ''; }")
    page.page.get_by_role("button", name="Run").click()
    expect(page.page.locator("[data-slot=inspect-state]")).to_contain_text("Finished at")
    return page.page.locator("[data-slot=output]").inner_text()


def test_inspect_prints_the_same_addresses_as_the_table(shown: ExperimentPage) -> None:
    page = shown
    printed = _inspect(page, "bridge", "ip addr show")
    address = page.text("identity/address/", "bridge")
    assert f"inet {address}/16" in printed
    beside = page.page.locator("[data-slot=beside]")
    expect(beside).to_contain_text(f"{address}/16")
    expect(beside).not_to_contain_text("no such interface")
    beside.get_by_role("link", name="Interfaces").click()
    expect(page.row("interfaces/lo/link")).to_be_in_viewport()


def test_inspect_reads_the_files_of_the_column(running: str, shown: ExperimentPage, engine_host: PrivateEngine) -> None:
    page = shown
    for column in ("host", "bridge"):
        file = engine_host.docker("exec", f"nm-{running}-{column}", "cat", "/etc/resolv.conf")
        assert _inspect(page, column, "cat /etc/resolv.conf").strip() == file
    hosts = _inspect(page, "bridge", "cat /etc/hosts")
    assert page.text("identity/hostname/", "bridge") in hosts


def test_inspect_names_the_programs_that_listen(shown: ExperimentPage) -> None:
    page = shown
    assert "nginx" in _inspect(page, "bridge", "ss -tulpn")
    assert "docker-proxy" in _inspect(page, "machine", "ss -tulpn")


def test_inspect_asks_docker_s_resolver_for_a_name(running: str, shown: ExperimentPage) -> None:
    page = shown
    page.open_panel("inspect")
    expect(page.page.get_by_label("Name to look up")).to_be_hidden()
    printed = _inspect(page, "user-bridge", "nslookup NAME", f"nm-{running}-user-bridge")
    assert "127.0.0.11" in printed
    assert page.text("identity/address/", "user-bridge") in printed


def test_an_invalid_name_is_refused_with_a_sentence(shown: ExperimentPage) -> None:
    page = shown
    page.open_panel("inspect")
    page.page.get_by_label("Command", exact=True).select_option(label="nslookup NAME")
    page.page.get_by_label("Name to look up").fill("-x; id")
    page.page.get_by_role("button", name="Run").click()
    expect(page.page.locator("[data-slot=inspect-state]")).to_contain_text("is not a host name")


def test_a_command_that_takes_long_can_be_cancelled(
    running: str, shown: ExperimentPage, engine_host: PrivateEngine
) -> None:
    page = shown
    page.open_panel("inspect")
    page.page.get_by_label("Column", exact=True).select_option("bridge")
    page.page.get_by_label("Command", exact=True).select_option(label="nslookup NAME")
    page.page.get_by_label("Name to look up").fill("nobody.invalid")
    # Neither an answer nor a refusal comes back: nslookup waits.
    rule = ("INPUT", "!", "-i", "lo", "-j", "DROP")
    inside(engine_host, running, "bridge", "iptables", "-A", *rule)
    try:
        page.page.get_by_role("button", name="Run").click()
        expect(page.page.get_by_text("Printing…")).to_be_visible()
        page.page.get_by_role("button", name="Cancel").click()
        expect(page.page.get_by_text("Cancelled")).to_be_visible()
        expect(page.page.get_by_role("button", name="Cancel")).to_be_hidden()
        expect(page.page.get_by_role("button", name="Run")).to_be_focused()
    finally:
        inside(engine_host, running, "bridge", "iptables", "-D", *rule)
