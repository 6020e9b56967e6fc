"""Reads an encoded recording position by position, as ``replay.js`` does."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import msgspec

from dashboard.core.comparison.rows import SECTIONS
from dashboard.core.reports.replay.recording import RECORDING_VERSION

Json = dict[str, Any]


class Reader:
    """An encoded recording."""

    def __init__(self, encoded: bytes) -> None:
        self.raw: Json = msgspec.json.decode(encoded)
        assert self.raw["v"] == RECORDING_VERSION
        self.seqs = list(accumulate(self.raw["seqs"]))
        self.times = list(accumulate(self.raw["times"]))
        self._chains = {name: _unroll(chain) for name, chain in self.raw["chains"].items()}

    def __len__(self) -> int:
        return len(self.seqs)

    def _now(self, field: str, position: int) -> int | None:
        positions, numbers = (accumulate(one) for one in self.raw["changes"][field])
        return max((pair for pair in zip(positions, numbers, strict=True) if pair[0] <= position), default=(0, None))[1]

    def _value(self, table: str, field: str, position: int) -> Any:
        number = self._now(field, position)
        return None if number is None else self.raw["tables"][table][number]

    def at(self, position: int) -> Json:
        """What is shown at a position."""
        tables = self.raw["tables"]
        lists = [self._now(section.key, position) for section in SECTIONS]
        rows = [tables["rows"][row] for number in lists if number is not None for row in self._chains["rows"][number]]
        text = self.raw["texts"][position]
        item = {
            "seq": self.seqs[position],
            "at": self.raw["first_at"] + self.times[position] / 1000,
            "offset_s": max(0, self.times[position]) / 1000,
            "text": text,
            "cause": tables["causes"][self.raw["causes"][position]],
            "columns": tables["abouts"][self.raw["abouts"][position]],
        }
        return {
            "seq": self.seqs[position],
            "experiment": self._value("heads", "head", position),
            "columns": self._value("columns", "columns", position),
            "rows": rows,
            "wide": self._picture("wide", position),
            "narrow": self._picture("narrow", position),
            "paths": [tables["paths"][number] for number in self._chains["paths"][self._now("paths", position) or 0]],
            "item": item if text else None,
        }

    def _picture(self, field: str, position: int) -> Json:
        tables = self.raw["tables"]
        width, height, summary, boxes, edges = self._value("pictures", field, position)
        return {
            "width": width,
            "height": height,
            "boxes": [self._box(*tables["boxes"][number]) for number in self._chains["boxes"][boxes]],
            "edges": [tables["edges"][number] for number in self._chains["edges"][edges]],
            "summary": tables["summaries"][summary],
        }

    def _box(self, thing: int, place: int) -> Json:
        identity, kind, mode, title, *lines = self.raw["tables"]["things"][thing]
        x, y, w, h = self.raw["tables"]["places"][place]
        fields = {"id": identity, "kind": kind, "mode": mode, "x": x, "y": y, "w": w, "h": h}
        return {**fields, "lines": lines, "title": title}


def _unroll(chain: list[list[int]]) -> list[list[int]]:
    sequences: list[list[int]] = []
    last = 0
    for back, start, removed, *steps in chain:
        base = [] if back > len(sequences) else sequences[-back]
        inserted = list(accumulate(steps, initial=last))[1:]
        last = inserted[-1] if inserted else last
        sequences.append([*base[:start], *inserted, *base[start + removed :]])
    return sequences
