"""What is visible of an engine's machine, and what its network stack is called."""

from __future__ import annotations

import pytest

from dashboard.core.namespaces.visibility import (
    MACHINE_TITLE,
    ROOTLESS_TITLE,
    explain_invisible,
    invisible_notice,
    name_machine,
    not_visible,
    rootless_notice,
)


@pytest.mark.parametrize(
    ("endpoint", "desktop", "local", "reason"),
    [
        ("unix:///var/run/docker.sock", False, True, ""),
        ("unix:///var/run/docker.sock", False, False, "the engine is not a process of this machine"),
        (
            "unix:///home/a/.docker/desktop/docker.sock",
            True,
            True,
            "the engine runs in the virtual machine of Docker Desktop",
        ),
        ("ssh://me@example.test", False, False, "the engine is reached over SSH"),
        ("tcp://127.0.0.1:2376", False, False, "the engine is reached over TCP"),
        ("https://192.0.2.1:2376", False, False, "the engine is reached over TCP"),
    ],
)
def test_the_reason_states_what_is_known_about_the_endpoint(
    endpoint: str, desktop: bool, local: bool, reason: str
) -> None:
    assert explain_invisible(endpoint, desktop=desktop, local=local) == reason


def test_a_value_and_a_page_give_the_reason() -> None:
    assert not_visible("the engine is reached over SSH") == "not visible: the engine is reached over SSH"
    assert invisible_notice("the engine is reached over SSH").endswith(
        "the Engine's API reports: the engine is reached over SSH."
    )
    assert invisible_notice("") == ""


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("the machine's :8080 leads to :80 here", "RootlessKit's :8080 leads to :80 here"),
        ("The machine to bridge's address", "RootlessKit's namespace to bridge's address"),
        (
            "In host mode the program listens on the machine itself.",
            "In host mode the program listens in RootlessKit's namespace itself.",
        ),
        ("eth0 on this machine", "eth0 in RootlessKit's namespace"),
        (
            "a port of the machine leads to one container only",
            "a port of RootlessKit's namespace leads to one container only",
        ),
        ("copied from the machine", "copied from RootlessKit's namespace"),
        ("the machines", "the machines"),
    ],
)
def test_behind_rootlesskit_no_sentence_calls_its_namespace_the_machine(text: str, named: str) -> None:
    assert name_machine(text, ROOTLESS_TITLE) == named
    assert name_machine(text, MACHINE_TITLE) == text


@pytest.mark.parametrize(
    ("network", "ports", "words"),
    [
        ("slirp4netns", "builtin", "On the machine itself, RootlessKit binds published ports (port driver builtin)."),
        ("slirp4netns", "slirp4netns", "On the machine itself, slirp4netns binds published ports"),
        ("pasta", "", "On the machine itself, pasta binds published ports, unless RootlessKit has no port driver."),
        ("vpnkit", "", "Which process binds published ports on the machine itself is not visible."),
    ],
)
def test_the_notice_names_the_drivers_that_the_engine_names(network: str, ports: str, words: str) -> None:
    notice = rootless_notice(network, ports)
    assert notice.startswith(
        f"The engine is rootless: RootlessKit's namespace ({network}) takes the place of the machine."
    )
    assert words in notice
