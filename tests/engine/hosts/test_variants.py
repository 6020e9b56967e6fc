"""The table of engines."""

from __future__ import annotations

import json

import pytest

from dashboard.engine.hosts.programs import missing_requirement, setup_script
from dashboard.engine.hosts.variants import NEWEST, VARIANTS, Variant


def test_options_are_one_json_object_or_nothing() -> None:
    assert json.loads(VARIANTS["userland-proxy=false"].options_json) == {"userland-proxy": False}
    assert VARIANTS["debian-trixie"].options_json == ""


@pytest.mark.parametrize("name", VARIANTS)
def test_configurations_run_on_the_newest_engine_and_names_can_be_typed(name: str) -> None:
    variant = VARIANTS[name]
    of_release = name in {f"debian-{variant.suite}", f"podman-{variant.suite}"}
    assert of_release or (variant.suite == NEWEST and (variant.options or variant.setup))
    assert name.replace("-", "").replace("=", "").isalnum()


@pytest.mark.parametrize("variant", [variant for variant in VARIANTS.values() if variant.setup])
def test_setups_have_a_script(variant: Variant) -> None:
    assert setup_script(variant.setup).is_file()
    assert missing_requirement(setup="nonsense-1").startswith("NETMODES_ENGINE_SETUP names nonsense-1: ")
