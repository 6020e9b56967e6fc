"""The hostile report contains all hostile strings in all free texts."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import msgspec

from dashboard.core.reports.model import canonical
from dashboard.store.reports.reading import derive
from tests.support.hostile_reports import CLOSED, NAMED, make_hostile
from tests.support.xss import STRINGS

#: Fields without every string: names by which parts of a report refer to each other, and texts that would hide
#: something else.
FEW = {"key", "about", "target", "series", "baseline", "other", "column", "path", "client", "server", "mode"}


def test_every_field_has_every_string() -> None:
    texts: defaultdict[str, list[str]] = defaultdict(list)

    def walk(value: Any, name: str = "") -> None:
        if isinstance(value, str):
            texts[name].append(value)
        elif isinstance(value, dict):
            for key, one in value.items():
                walk(one, name if name in NAMED else key)
                texts[f"key of {name}"].append(key)
        elif isinstance(value, list | tuple):
            for one in value:
                walk(one, name)

    walk(msgspec.to_builtins(make_hostile()))
    said = {name: " ".join(found) for name, found in texts.items() if any(found) and name not in CLOSED | FEW}
    full = {name for name, text in said.items() if all(one in text for one in STRINGS)}
    assert len(full) >= 60
    plain = {"probe", "schema", "unavailable", "host_name"}
    assert {name for name in said if not name.startswith("key of ")} - full <= plain


def test_the_report_can_be_shown_and_another_seed_changes_the_order() -> None:
    assert derive(make_hostile()).view.snapshot is not None
    assert canonical(make_hostile(2)) != canonical(make_hostile())
