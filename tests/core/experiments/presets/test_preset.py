"""Which program a preset launches."""

from __future__ import annotations

import pytest

from dashboard.core.experiments.messages import ModeReport
from dashboard.core.experiments.presets.preset import (
    LAB_IMAGE,
    LaunchValues,
    Preset,
    Program,
    common_reason,
    find_image,
    prepare,
)


def _arrange(program: Program, free_port: int) -> LaunchValues:
    return {"modes": ["bridge"], "publish": f"{free_port}:{program.port}"}


PRESET = Preset(
    "db", "A database", "It differs.", "row", "table", (Program("postgres", 5432), Program(LAB_IMAGE, 81)), _arrange
)


@pytest.mark.parametrize(
    ("images", "tag"),
    [
        ((), None),
        (("nginx:1.27", "nginx:latest"), "nginx:latest"),
        (("nginx:1.27", "nginx:1.26"), "nginx:1.26"),
        (("docker.io/library/nginx:latest",), "docker.io/library/nginx:latest"),
        (("registry.example:5000/nginx:1", "nginx-unit:1", "my/nginx:1"), None),
    ],
)
def test_an_image_is_found_by_its_name(images: tuple[str, ...], tag: str | None) -> None:
    assert find_image(images, "nginx") == tag


def test_a_local_image_comes_before_the_lab_image() -> None:
    prepared = prepare(PRESET, ("postgres:16",), 8080)
    assert (prepared.image, prepared.is_lab_image) == ("postgres:16", False)
    assert prepared.values == {
        "title": "A database", "image": "postgres:16", "port": 5432, "modes": ["bridge"], "publish": "8080:5432"
    }  # fmt: skip


def test_without_a_local_image_the_lab_image_runs() -> None:
    prepared = prepare(PRESET, ("nginx:latest",), 8080)
    assert (prepared.image, prepared.is_lab_image) == (LAB_IMAGE, True)
    assert prepared.values["port"] == 81


def test_a_preset_states_that_a_mode_which_it_compares_is_not_available() -> None:
    without = (ModeReport("host", True), ModeReport("bridge", False, "The Engine has no bridge network."))
    assert prepare(PRESET, (), 8080, without).unavailable == "bridge: The Engine has no bridge network."
    assert (
        prepare(PRESET, (), 8080, (ModeReport("macvlan", False, "No link."), ModeReport("bridge", True))).unavailable
        == ""
    )
    assert prepare(PRESET, (), 8080).unavailable == ""


def test_a_reason_that_all_presets_have_is_stated_once() -> None:
    available = prepare(PRESET, (), 8080)
    without = prepare(PRESET, (), 8080, (ModeReport("bridge", False, "No bridge."),))
    assert common_reason([without, without]) == "bridge: No bridge."
    assert common_reason([without, available]) == common_reason([available]) == ""
