"""The table of engines."""

from __future__ import annotations

import json

import pytest

from dashboard.engine.hosts.variants import NEWEST, VARIANTS


def test_options_are_one_json_object_or_nothing() -> None:
    assert json.loads(VARIANTS["userland-proxy=false"].options_json) == {"userland-proxy": False}
    assert VARIANTS["debian-trixie"].options_json == ""


@pytest.mark.parametrize("name", VARIANTS)
def test_configurations_run_on_the_newest_engine_and_names_can_be_typed(name: str) -> None:
    variant = VARIANTS[name]
    assert name == f"debian-{variant.suite}" or (variant.suite == NEWEST and variant.options)
    assert name.replace("-", "").replace("=", "").isalnum()
