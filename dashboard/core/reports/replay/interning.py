"""Interns repeated values: each gets a number, counted from 0, and is stored once."""

from collections.abc import Hashable, Sequence

import msgspec

NONE = -1
_encoder = msgspec.json.Encoder()


class Numbers:
    """Equal values get equal numbers. The order of dictionaries counts."""

    def __init__(self) -> None:
        self._known: dict[Hashable, int] = {}

    def number(self, value: object) -> int:
        """The number of a hashable value, or of a dictionary of hashable values."""
        key: Hashable = tuple(value.items()) if isinstance(value, dict) else value
        return self._known.setdefault(key, len(self._known))


class Table:
    """Values as JSON. Values with equal JSON are equal."""

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._known)

    def number(self, value: object) -> int:
        """The number of a value."""
        return self._known.setdefault(_encoder.encode(value), len(self._known))

    def dump(self) -> list[msgspec.Raw]:
        """All values, for JSON."""
        return [msgspec.Raw(value) for value in self._known]


class Chains:
    """Sequences of numbers, most of which are similar to an earlier one.

    A sequence is dumped as ``[back, start, removed, *inserted]``: take the sequence that is ``back`` numbers before
    this one (if ``back`` leads before the first, the empty sequence), remove ``removed`` items at ``start``, and insert
    ``inserted`` there. Inserted numbers are dumped as the difference to the last inserted number of any sequence: new
    values have consecutive numbers, and small, regular numbers compress well."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], int] = {}
        self._items: list[tuple[int, ...]] = []
        self._dumped: list[list[int]] = []
        self._last = 0

    def number(self, items: tuple[int, ...], like: int = NONE) -> int:
        """The number of a sequence; ``like`` is the number of a similar one, or NONE."""
        known = self._known.get(items)
        if known is not None:
            return known
        number = self._known[items] = len(self._items)
        base = self._items[like] if like != NONE else ()
        start, end = _common(base, items)
        inserted = items[start : len(items) - end]
        steps = []
        for item in inserted:
            steps.append(item - self._last)
            self._last = item
        self._dumped.append([number - like, start, len(base) - start - end, *steps])
        self._items.append(items)
        return number

    def items(self, number: int) -> tuple[int, ...]:
        """The sequence with this number."""
        return self._items[number]

    def dump(self) -> list[list[int]]:
        """All sequences in order, for JSON."""
        return self._dumped


def _common(left: Sequence[int], right: Sequence[int]) -> tuple[int, int]:
    """The lengths of the common start and of the common end after it."""
    most = min(len(left), len(right))
    start = next((n for n in range(most) if left[n] != right[n]), most)
    end = next((n for n in range(most - start) if left[-1 - n] != right[-1 - n]), most - start)
    return start, end


def differences(numbers: Sequence[int]) -> list[int]:
    """Each number minus the one before, so that regular sequences become small numbers."""
    return [now - before for before, now in zip((0, *numbers), numbers, strict=False)]
