"""Values that come again and again, each kept once, and named by a number from 0 on."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import msgspec

NONE = -1
_encoder = msgspec.json.Encoder()


class Numbers:
    """Equal values get equal numbers. Dictionaries are compared with their order."""

    def __init__(self) -> None:
        self._known: dict[Hashable, int] = {}

    def number(self, value: object) -> int:
        """The number of a hashable value, or of a dictionary of such."""
        key: Hashable = tuple(value.items()) if isinstance(value, dict) else value
        return self._known.setdefault(key, len(self._known))


class Table:
    """Values as JSON; values are equal if their JSON is."""

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._known)

    def number(self, value: object) -> int:
        """The number of a value."""
        return self._known.setdefault(_encoder.encode(value), len(self._known))

    def written(self) -> list[msgspec.Raw]:
        """All values, ready to be encoded."""
        return [msgspec.Raw(one) for one in self._known]


class Chains:
    """Sequences of numbers, most of which are like one that was there before.

    Written as ``[back, start, removed, *inserted]``: the sequence ``back`` numbers before this one (one more than there
    are: none), without ``removed`` items from ``start`` on, with ``inserted`` in their place. Inserted numbers are
    written as the difference to the one inserted before, wherever that was: new things have new numbers, one after
    another, and what is small and regular can be compressed.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], int] = {}
        self._items: list[tuple[int, ...]] = []
        self._written: list[list[int]] = []
        self._last = 0

    def number(self, items: tuple[int, ...], like: int = NONE) -> int:
        """The number of a sequence; ``like`` names an earlier one that may be similar, NONE: there is none."""
        known = self._known.get(items)
        if known is not None:
            return known
        number = self._known[items] = len(self._items)
        base = self._items[like] if like != NONE else ()
        start, end = _common(base, items)
        inserted = items[start : len(items) - end]
        differences = []
        for one in inserted:
            differences.append(one - self._last)
            self._last = one
        self._written.append([number - like, start, len(base) - start - end, *differences])
        self._items.append(items)
        return number

    def items(self, number: int) -> tuple[int, ...]:
        """One sequence."""
        return self._items[number]

    def written(self) -> list[list[int]]:
        """All sequences, in order."""
        return self._written


def _common(left: Sequence[int], right: Sequence[int]) -> tuple[int, int]:
    """How many items at the beginning and, besides those, at the end are the same."""
    most = min(len(left), len(right))
    start = next((n for n in range(most) if left[n] != right[n]), most)
    end = next((n for n in range(most - start) if left[-1 - n] != right[-1 - n]), most - start)
    return start, end


def differences(numbers: Sequence[int]) -> list[int]:
    """Each number less the one before it: regular sequences become small numbers."""
    return [now - before for before, now in zip((0, *numbers), numbers, strict=False)]
