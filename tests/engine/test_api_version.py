"""The negotiated API version, and the requests that depend on it. ``test_engine_changes.py`` sends them."""

from __future__ import annotations

import pytest

from dashboard.engine.api_version import create_body, negotiated_api


@pytest.mark.parametrize(
    ("newest", "oldest", "used"),
    [
        ("1.41", "1.12", "1.41"),
        ("1.45", None, "1.45"),
        ("1.52", "1.44", "1.52"),
        ("1.60", "1.44", "1.52"),
        ("1.60", "1.52", "1.52"),
    ],
)
def test_the_newest_version_that_both_sides_know_is_used(newest: str, oldest: str | None, used: str) -> None:
    assert negotiated_api({"ApiVersion": newest, "MinAPIVersion": oldest}, "unix:///x") == used


def test_only_the_hardware_address_of_the_container_is_left_out() -> None:
    config = {"Image": "x", "MacAddress": "02:42:ac:11:00:99"}
    assert create_body(config, "1.44") == {"Image": "x"}
    assert create_body(config, "1.43") == config
