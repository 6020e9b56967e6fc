"""Each preset can be launched with any of its programs; tests/browser/experiments/test_presets.py launches them."""

from __future__ import annotations

import pytest

from dashboard.core.comparison.rows import SECTIONS
from dashboard.core.experiments.drafts import parse_draft
from dashboard.core.experiments.presets.catalogue import PRESETS, find_preset
from dashboard.core.experiments.presets.preset import LAB_IMAGE, Preset, prepare
from dashboard.core.modes import Mode

by_preset = pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.key)


@by_preset
def test_every_program_can_be_launched(preset: Preset) -> None:
    for program in preset.programs:
        draft = parse_draft(prepare(preset, (f"{program.image}:latest",), 8080).values)
        assert draft.problems == ()
        assert {Mode.HOST, Mode.BRIDGE} <= {arm.mode for arm in draft.spec.arms}
        assert draft.spec.title == preset.title


@by_preset
def test_the_lab_image_is_the_last_choice_and_the_row_is_in_a_section(preset: Preset) -> None:
    assert [program.image == LAB_IMAGE for program in preset.programs] == [
        *(False for _ in preset.programs[1:]),
        True,
    ]
    assert preset.row.partition("/")[0] in {section.key for section in SECTIONS}


def test_a_preset_is_found_by_its_key() -> None:
    assert len({preset.key for preset in PRESETS}) == len(PRESETS)
    assert find_preset("web") is PRESETS[0]
    assert find_preset("nonsense") is None
