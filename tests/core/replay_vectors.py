"""Journals of observations with what they show, and the vectors for ``tests/js/replay.test.mjs``, written by:

python -m tests.core.replay_vectors
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from dashboard.core.comparison.rows import compare
from dashboard.core.diagram.path_overlay import draw_paths
from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.journal import Cause, Entry, Facts, Source, View, advance
from dashboard.core.experiments.messages import ArmStatus, ExperimentHead, Phase
from dashboard.core.experiments.timeline import timeline_item
from dashboard.core.namespaces.delta import delta
from dashboard.core.namespaces.state import sorted_state
from dashboard.core.reports.replay.recording import build_recording, encode_recording
from tests.core.builders import MACHINE, Columns, States, container_id, end, make_address, make_listener
from tests.core.scenes import make_scene

VECTORS = Path(__file__).resolve().parents[1] / "js" / "track_vectors.json"
FIRST_AT = 1_780_000_000.25
HEAD = ExperimentHead("7f2a9c", "nginx on port 80", "nginx", 80, Phase.RUNNING, FIRST_AT)


def shown(view: View, entry: Entry, first_at: float = FIRST_AT) -> dict[str, Any]:
    """What is shown after an entry, computed directly."""
    wide, narrow = draw(view.columns, view.states)
    rows = compare(view.columns, view.states)
    paths = draw_paths(view.columns, view.states, (wide, narrow))
    item = timeline_item(entry, first_at) if entry.text else None
    fields = {"seq": view.seq, "experiment": view.head, "columns": view.columns, "rows": rows}
    value: dict[str, Any] = msgspec.json.decode(
        msgspec.json.encode({**fields, "wide": wide, "narrow": narrow, "paths": paths, "item": item})
    )
    return value


def observe(observed: Sequence[tuple[Columns, States]]) -> tuple[list[Entry], list[View]]:
    """The journal of a sequence of observations, and the observations."""
    view, entries, seen = View(), [], []
    for number, (columns, now) in enumerate(observed, start=1):
        before = {column.key: column for column in view.columns}
        known = {key: delta(view.states[key], state) for key, state in now.items() if key in view.states}
        facts = Facts(
            head=HEAD if number == 1 else None,
            columns=tuple(column for column in columns if before.get(column.key) != column),
            states={key: state for key, state in now.items() if key not in view.states},
            changes={key: changes for key, changes in known.items() if changes},
            forgotten=tuple(key for key in view.states if key not in now and any(c.key == key for c in columns)),
            removed=tuple(key for key in before if not any(column.key == key for column in columns)),
        )
        text = "" if number % 4 == 0 else f"thing {number} happened"
        entries.append(Entry(number, FIRST_AT + (number - 1) ** 2 / 7, Cause(Source.KERNEL, "address"), facts, text))
        view = advance(view, entries[-1])
        seen.append(View(number, HEAD, view.columns, dict(now)))
    return entries, seen


def vectors() -> Any:
    """A journal of nine entries: its recording, and what each position shows."""
    columns, found = make_scene(["bridge"], sshd=False)
    bridge, machine = found["bridge"], found[MACHINE]
    own = make_listener(9000, "nc", 5000, container=container_id("bridge"))
    listening = {**found, "bridge": sorted_state(replace(bridge, listeners=(*bridge.listeners, own)))}
    last = replace(bridge.interfaces[-1], addresses=(*bridge.interfaces[-1].addresses, make_address("10.0.0.1")))
    addressed = {**listening, "bridge": replace(listening["bridge"], interfaces=(*bridge.interfaces[:-1], last))}
    fewer = {**found, MACHINE: replace(machine, interfaces=machine.interfaces[:-1])}
    steps = (found, listening, addressed, addressed, listening, fewer, found, {MACHINE: machine})
    scenes: list[tuple[Columns, States]] = [(columns, dict(one)) for one in steps]
    ended = end(columns, "bridge", ArmStatus.EXITED, exit_code=1, logs=("bye",))
    entries, _ = observe([*scenes, (ended, {MACHINE: machine})])
    views, view = [], View()
    for entry in entries:
        view = advance(view, entry)
        views.append(shown(view, entry))
    return {"track": msgspec.json.decode(encode_recording(build_recording(entries))), "shown": views}


if __name__ == "__main__":
    VECTORS.write_bytes(msgspec.json.encode(vectors()) + b"\n")
