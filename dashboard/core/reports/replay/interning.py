"""Interns values: each distinct value gets a number, counted from 0, and is stored once."""

from collections.abc import Hashable, Sequence

import msgspec

NONE = -1
_encoder = msgspec.json.Encoder()


class Numbers:
    """Assigns numbers to values: equal values get the same one. The order of the items of a dictionary matters."""

    def __init__(self) -> None:
        self._known: dict[Hashable, int] = {}

    def number(self, value: object) -> int:
        """Returns the number that stands for a value; a new value gets the next one. The value must be hashable, or a
        dictionary with hashable values."""
        key: Hashable = tuple(value.items()) if isinstance(value, dict) else value
        return self._known.setdefault(key, len(self._known))


class Table:
    """Stores the JSON of distinct values. Values with the same JSON are one value."""

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._known)

    def number(self, value: object) -> int:
        """Returns the number that stands for a value. Stores the value under the next number if it is new."""
        return self._known.setdefault(_encoder.encode(value), len(self._known))

    def dump(self) -> list[msgspec.Raw]:
        """Returns the JSON of all values, in the order of their numbers."""
        return [msgspec.Raw(value) for value in self._known]


class Chains:
    """Stores distinct sequences of numbers, each as its difference from an earlier one.

    A sequence is dumped as ``[back, start, removed, *inserted]``. To restore the sequence with the number n:

    1. Take the sequence with the number n - ``back``, or the empty sequence if n - ``back`` is negative.
    2. Remove ``removed`` items at ``start``.
    3. Insert ``inserted`` at ``start``.

    Each item of ``inserted`` is dumped as its difference from the item that was inserted before it, in this sequence or
    an earlier one. New values have consecutive numbers, so the differences are small and compress well.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], int] = {}
        self._items: list[tuple[int, ...]] = []
        self._dumped: list[list[int]] = []
        self._last = 0

    def number(self, items: tuple[int, ...], like: int = NONE) -> int:
        """Returns the number that stands for a sequence. A new sequence is stored as its difference from the similar
        sequence with the number ``like``, or from the empty sequence if ``like`` is NONE."""
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
        """Returns the sequence with this number."""
        return self._items[number]

    def dump(self) -> list[list[int]]:
        """Returns all sequences in the order of their numbers, in the form that the class describes."""
        return self._dumped


def _common(left: Sequence[int], right: Sequence[int]) -> tuple[int, int]:
    """Returns how many items are equal at the start, and how many of the remaining ones are equal at the end."""
    most = min(len(left), len(right))
    start = next((n for n in range(most) if left[n] != right[n]), most)
    end = next((n for n in range(most - start) if left[-1 - n] != right[-1 - n]), most - start)
    return start, end


def differences(numbers: Sequence[int]) -> list[int]:
    """Returns each number minus its predecessor. The first number is kept. Regular sequences become small, equal
    numbers."""
    return [now - before for before, now in zip((0, *numbers), numbers, strict=False)]
