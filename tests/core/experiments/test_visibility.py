"""Why the kernel of an engine's machine cannot be read."""

from __future__ import annotations

import pytest

from dashboard.core.experiments.visibility import explain_invisible, invisible_notice, not_visible


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
def test_the_reason_is_what_is_known_of_the_endpoint(endpoint: str, desktop: bool, local: bool, reason: str) -> None:
    assert explain_invisible(endpoint, desktop=desktop, local=local) == reason


def test_a_value_and_a_page_give_the_reason() -> None:
    assert not_visible("the engine is reached over SSH") == "not visible: the engine is reached over SSH"
    assert invisible_notice("the engine is reached over SSH").endswith(
        "the Engine's API says: the engine is reached over SSH."
    )
    assert invisible_notice("") == ""
